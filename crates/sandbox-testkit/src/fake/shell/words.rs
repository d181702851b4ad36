//! Words: quotes and expansions.

use super::parse::{ParseError, Parsed, Parser};
use super::syntax::{Form, Parameter, Piece, Word};

/// Whether `c` may be in a variable's name.
pub(super) fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn ends_word(c: char) -> bool {
    c.is_ascii_whitespace() || ";&|()<>".contains(c)
}

impl Parser {
    /// The word here; `None` where an operator or the end is.
    pub(super) fn word(&mut self) -> Parsed<Option<Word>> {
        let mut word = Word::new();
        while let Some(c) = self.peek().filter(|c| !ends_word(*c)) {
            self.at += 1;
            match c {
                '\'' => {
                    let mut text = String::new();
                    loop {
                        match self.next()? {
                            '\'' => break,
                            c => text.push(c),
                        }
                    }
                    word.push(Piece::Text { text, quoted: true });
                }
                '"' => self.double_quoted(&mut word)?,
                '\\' => {
                    let c = self.next()?;
                    if c != '\n' {
                        let text = c.to_string();
                        word.push(Piece::Text { text, quoted: true });
                    }
                }
                '$' => word.push(self.dollar(false)?),
                '`' => return Err(ParseError::Syntax("use $(…), not backquotes".into())),
                c => push_text(&mut word, c, false),
            }
        }
        Ok((!word.is_empty()).then_some(word))
    }

    fn double_quoted(&mut self, word: &mut Word) -> Parsed<()> {
        // An empty pair of quotes is a word as well.
        let text = String::new();
        word.push(Piece::Text { text, quoted: true });
        loop {
            match self.next()? {
                '"' => return Ok(()),
                '$' => {
                    let piece = self.dollar(true)?;
                    word.push(piece);
                }
                '\\' => match self.next()? {
                    c @ ('"' | '\\' | '$' | '`') => push_text(word, c, true),
                    '\n' => {}
                    c => {
                        push_text(word, '\\', true);
                        push_text(word, c, true);
                    }
                },
                c => push_text(word, c, true),
            }
        }
    }

    /// What follows a `$`.
    fn dollar(&mut self, quoted: bool) -> Parsed<Piece> {
        if self.eat("((") {
            let expression = self.arithmetic()?;
            return Ok(Piece::Arithmetic { expression, quoted });
        }
        if self.eat("(") {
            let body = Box::new(self.list()?);
            self.close_paren()?;
            return Ok(Piece::Command { body, quoted });
        }
        if self.eat("{") {
            return self.braced(quoted).map(Piece::Parameter);
        }
        let name = match self.peek() {
            Some(c) if "?$!#@*".contains(c) || c.is_ascii_digit() => {
                self.at += 1;
                c.to_string()
            }
            _ => self.name(),
        };
        if name.is_empty() {
            let text = "$".to_owned();
            return Ok(Piece::Text { text, quoted });
        }
        let form = Form::Value;
        Ok(Piece::Parameter(Parameter { name, form, quoted }))
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| is_name(*c)) {
            if name.is_empty() && c.is_ascii_digit() {
                break;
            }
            name.push(c);
            self.at += 1;
        }
        name
    }

    fn braced(&mut self, quoted: bool) -> Parsed<Parameter> {
        let length = self.looking_at("#") && !self.looking_at("#}") && self.eat("#");
        let mut name = self.name();
        if name.is_empty() {
            name = self.next()?.to_string();
        }
        let form = if length {
            Form::Length
        } else if self.eat(":-") {
            let mut default = Word::new();
            loop {
                match self.peek().ok_or(ParseError::Incomplete)? {
                    '}' => break,
                    '$' => {
                        self.at += 1;
                        default.push(self.dollar(quoted)?);
                    }
                    c => {
                        self.at += 1;
                        push_text(&mut default, c, quoted);
                    }
                }
            }
            Form::Default(default)
        } else {
            Form::Value
        };
        match self.next()? {
            '}' => Ok(Parameter { name, form, quoted }),
            c => Err(ParseError::Syntax(format!("${{{name}{c}…}} is not known"))),
        }
    }

    fn arithmetic(&mut self) -> Parsed<Word> {
        let mut expression = Word::new();
        let mut depth = 0;
        loop {
            if depth == 0 && self.eat("))") {
                return Ok(expression);
            }
            match self.next()? {
                '$' => expression.push(self.dollar(true)?),
                c => {
                    match c {
                        '(' => depth += 1,
                        ')' => depth -= 1,
                        _ => {}
                    }
                    push_text(&mut expression, c, true);
                }
            }
        }
    }
}

fn push_text(word: &mut Word, c: char, as_quoted: bool) {
    if let Some(Piece::Text { text, quoted }) = word.last_mut()
        && *quoted == as_quoted
    {
        text.push(c);
        return;
    }
    let text = c.to_string();
    word.push(Piece::Text {
        text,
        quoted: as_quoted,
    });
}
