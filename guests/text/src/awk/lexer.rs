//! Words of a program.

use sandbox_applet::Failure;

use super::ast::{BUILTINS, Builtin};

#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    Number(f64),
    Text(Vec<u8>),
    Regex(String),
    Name(String),
    /// A name with `(` right behind it.
    Function(String),
    Builtin(Builtin),
    Keyword(&'static str),
    Sign(&'static str),
    Newline,
    End,
}

const KEYWORDS: [&str; 20] = [
    "BEGIN", "END", "break", "continue", "delete", "do", "else", "exit", "for", "func", "function",
    "getline", "if", "in", "next", "nextfile", "print", "printf", "return", "while",
];

/// The longer ones first.
const SIGNS: [&str; 43] = [
    "**=", "&&", "||", "==", "!=", "<=", ">=", ">>", "++", "--", "+=", "-=", "*=", "/=", "%=",
    "^=", "**", "!~", "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!",
    ">", "<", "|", "?", ":", "~", "$", "=", "&", "@",
];

/// Splits `source`; with the line of each.
pub fn tokens(source: &str) -> Result<Vec<(Token, usize)>, Failure> {
    let mut lexer = Lexer {
        source,
        at: 0,
        line: 1,
        found: Vec::new(),
    };
    while lexer.one()? {}
    lexer.found.push((Token::End, lexer.line));
    Ok(lexer.found)
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: usize,
    found: Vec<(Token, usize)>,
}

impl Lexer<'_> {
    fn error(&self, what: &str) -> Failure {
        Failure::new(format!("line {}: {what}", self.line))
    }

    fn push(&mut self, token: Token) {
        self.found.push((token, self.line));
    }

    /// Reads one word; `false` at the end.
    fn one(&mut self) -> Result<bool, Failure> {
        let rest = &self.source[self.at..];
        let Some(first) = rest.chars().next() else {
            return Ok(false);
        };
        let bytes = rest.as_bytes();
        match first {
            ' ' | '\t' | '\r' => self.at += 1,
            '\n' => {
                self.push(Token::Newline);
                self.line += 1;
                self.at += 1;
            }
            '\\' if bytes.get(1) == Some(&b'\n') => {
                self.line += 1;
                self.at += 2;
            }
            '\\' if rest.starts_with("\\\r\n") => {
                self.line += 1;
                self.at += 3;
            }
            '#' => self.at += rest.find('\n').unwrap_or(rest.len()),
            '"' => self.text()?,
            '/' if self.regex_may_begin() => self.regex()?,
            '0'..='9' => self.number(),
            '.' if bytes.get(1).is_some_and(u8::is_ascii_digit) => self.number(),
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
                let sign = sign.ok_or_else(|| self.error(&format!("unexpected '{first}'")))?;
                self.at += sign.len();
                self.push(Token::Sign(match sign {
                    "**" => "^",
                    "**=" => "^=",
                    sign => sign,
                }));
            }
        }
        Ok(true)
    }

    /// Whether `/` begins an expression, not a division: when no operand is before it.
    fn regex_may_begin(&self) -> bool {
        !matches!(
            self.found.last().map(|found| &found.0),
            Some(
                Token::Number(_)
                    | Token::Text(_)
                    | Token::Regex(_)
                    | Token::Name(_)
                    | Token::Builtin(_)
                    | Token::Sign(")" | "]" | "$" | "++" | "--")
            )
        )
    }

    fn number(&mut self) {
        let rest = &self.source[self.at..];
        if let Some(hex) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let end = hex
                .find(|letter: char| !letter.is_ascii_hexdigit())
                .unwrap_or(hex.len());
            if let Ok(value) = u64::from_str_radix(&hex[..end], 16) {
                self.at += 2 + end;
                self.push(Token::Number(value as f64));
                return;
            }
        }
        let (value, length) = super::value::number_at_start(rest.as_bytes());
        self.at += length;
        self.push(Token::Number(value));
    }

    fn word(&mut self) {
        let rest = &self.source[self.at..];
        let end = rest
            .find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
            .unwrap_or(rest.len());
        let word = &rest[..end];
        self.at += end;
        let called = rest[end..].starts_with('(');
        let token = if let Some(keyword) = KEYWORDS.into_iter().find(|keyword| *keyword == word) {
            Token::Keyword(if keyword == "func" {
                "function"
            } else {
                keyword
            })
        } else if let Some(builtin) = BUILTINS.iter().find(|builtin| builtin.0 == word) {
            Token::Builtin(builtin.1)
        } else if called {
            Token::Function(word.to_owned())
        } else {
            Token::Name(word.to_owned())
        };
        self.push(token);
    }

    fn text(&mut self) -> Result<(), Failure> {
        let bytes = self.source.as_bytes();
        let mut at = self.at + 1;
        loop {
            match bytes.get(at) {
                None | Some(b'\n') => return Err(self.error("a string has no end")),
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
            }
        }
        let raw = &bytes[self.at + 1..at];
        self.line += raw.iter().filter(|&&byte| byte == b'\n').count();
        self.at = at + 1;
        self.push(Token::Text(unescape(raw)));
        Ok(())
    }

    fn regex(&mut self) -> Result<(), Failure> {
        let rest = &self.source[self.at + 1..];
        let mut out = String::new();
        let mut letters = rest.char_indices();
        let mut in_set = false;
        while let Some((at, letter)) = letters.next() {
            match letter {
                '\n' => break,
                '/' if !in_set => {
                    self.at += at + 2;
                    self.push(Token::Regex(out));
                    return Ok(());
                }
                '\\' => match letters.next() {
                    Some((_, '/')) => out.push('/'),
                    Some((_, next)) => {
                        out.push('\\');
                        out.push(next);
                    }
                    None => break,
                },
                '[' if !in_set => {
                    in_set = true;
                    out.push('[');
                    // A bracket right at the start of a set is one of its letters.
                    let mut ahead = rest[at + 1..].chars();
                    let mut next = ahead.next();
                    if next == Some('^') {
                        out.push('^');
                        letters.next();
                        next = ahead.next();
                    }
                    if next == Some(']') {
                        out.push(']');
                        letters.next();
                    }
                }
                '[' if rest[at..].starts_with("[:") => {
                    let end = rest[at..].find(":]").map_or(1, |end| end + 2);
                    out.push_str(&rest[at..at + end]);
                    for _ in 1..end {
                        letters.next();
                    }
                }
                ']' => {
                    in_set = false;
                    out.push(']');
                }
                letter => out.push(letter),
            }
        }
        Err(self.error("a regular expression has no end"))
    }
}

/// Replaces backslash sequences; unknown ones stay, for a later use as a regular expression.
pub fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while at < raw.len() {
        let byte = raw[at];
        at += 1;
        if byte != b'\\' || at == raw.len() {
            out.push(byte);
            continue;
        }
        let next = raw[at];
        at += 1;
        match next {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'a' => out.push(7),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'v' => out.push(11),
            b'"' | b'\\' | b'/' => out.push(next),
            b'\n' => {}
            b'0'..=b'7' => {
                let mut value = u32::from(next - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = raw.get(at) else {
                        break;
                    };
                    value = value * 8 + u32::from(digit - b'0');
                    at += 1;
                }
                out.push(value.to_le_bytes()[0]);
            }
            other => out.extend([b'\\', other]),
        }
    }
    out
}
