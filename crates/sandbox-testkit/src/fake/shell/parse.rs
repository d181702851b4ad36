//! From text to [`Node`]s: as much of the shell's grammar as tests of sandboxes use. What it does
//! not know (functions, `case`, here-documents) is a syntax error.

use super::syntax::{Compound, Node, Redirect, RedirectKind, Simple};
use super::words;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ParseError {
    /// More text could make it whole.
    Incomplete,
    Syntax(String),
}

pub(super) type Parsed<T> = Result<T, ParseError>;

pub(super) struct Parser {
    pub(super) text: Vec<char>,
    pub(super) at: usize,
}

const RESERVED: [&str; 8] = ["then", "elif", "else", "fi", "do", "done", "}", "in"];

/// Parses a whole script.
pub(crate) fn parse(text: &str) -> Parsed<Node> {
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
    };
    let node = parser.list()?;
    match parser.peek() {
        None => Ok(node),
        Some(other) => Err(unexpected(other)),
    }
}

fn unexpected(found: char) -> ParseError {
    ParseError::Syntax(format!("unexpected {found:?}"))
}

impl Parser {
    pub(super) fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    pub(super) fn next(&mut self) -> Parsed<char> {
        let next = self.peek().ok_or(ParseError::Incomplete)?;
        self.at += 1;
        Ok(next)
    }

    pub(super) fn looking_at(&self, text: &str) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut rest = rest.iter();
        text.chars().all(|c| rest.next() == Some(&c))
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t') => self.at += 1,
                Some('\\') if self.looking_at("\\\n") => self.at += 2,
                Some('#') => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn skip_newlines(&mut self) {
        self.skip_blanks();
        while self.peek() == Some('\n') {
            self.at += 1;
            self.skip_blanks();
        }
    }

    /// The plain word here, if one is: what could be a reserved word.
    fn plain_word(&self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        rest.iter()
            .take_while(|c| !c.is_whitespace() && !";&|()<>\"'$\\".contains(**c))
            .collect()
    }

    fn eat_reserved(&mut self, word: &str) -> bool {
        self.skip_newlines();
        let found = self.plain_word() == word;
        if found {
            self.at += word.len();
        }
        found
    }

    fn expect(&mut self, word: &str) -> Parsed<()> {
        if self.eat_reserved(word) {
            return Ok(());
        }
        match self.peek() {
            None => Err(ParseError::Incomplete),
            Some(_) => Err(ParseError::Syntax(format!("expected {word:?}"))),
        }
    }

    /// Commands up to the end, a `)` or a reserved word that ends them.
    pub(super) fn list(&mut self) -> Parsed<Node> {
        let mut commands = Vec::new();
        loop {
            self.skip_newlines();
            let ends = matches!(self.peek(), None | Some(')'));
            if ends || RESERVED.contains(&self.plain_word().as_str()) {
                return Ok(Node::Sequence(commands));
            }
            let command = self.and_or()?;
            self.skip_blanks();
            let background = match self.peek() {
                Some('&') => {
                    self.at += 1;
                    true
                }
                Some(';' | '\n') => {
                    self.at += 1;
                    false
                }
                _ => false,
            };
            commands.push((command, background));
        }
    }

    fn and_or(&mut self) -> Parsed<Node> {
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            let on_success = if self.eat("&&") {
                true
            } else if self.eat("||") {
                false
            } else {
                break;
            };
            self.skip_newlines();
            rest.push((on_success, self.pipeline()?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Node::AndOr(Box::new(first), rest))
    }

    fn pipeline(&mut self) -> Parsed<Node> {
        let negated = self.eat_reserved("!");
        let mut stages = vec![self.command()?];
        loop {
            self.skip_blanks();
            if self.looking_at("||") || !self.eat("|") {
                break;
            }
            self.skip_newlines();
            stages.push(self.command()?);
        }
        match stages.len() {
            1 if !negated => Ok(stages.remove(0)),
            _ => Ok(Node::Pipeline { negated, stages }),
        }
    }

    fn command(&mut self) -> Parsed<Node> {
        self.skip_newlines();
        let compound = match self.plain_word().as_str() {
            "" if self.peek() == Some('(') => {
                self.at += 1;
                let body = self.list()?;
                self.close_paren()?;
                Compound::Subshell(body)
            }
            "{" => {
                self.at += 1;
                let body = self.list()?;
                self.expect("}")?;
                Compound::Group(body)
            }
            word @ ("while" | "until") => {
                let until = word == "until";
                self.at += word.len();
                let condition = self.list()?;
                let body = self.do_done()?;
                Compound::Loop {
                    until,
                    condition,
                    body,
                }
            }
            "if" => self.conditional()?,
            "for" => self.for_loop()?,
            _ => return self.simple(),
        };
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(Node::Compound(Box::new(compound), redirects))
    }

    pub(super) fn close_paren(&mut self) -> Parsed<()> {
        match self.next()? {
            ')' => Ok(()),
            other => Err(unexpected(other)),
        }
    }

    fn do_done(&mut self) -> Parsed<Node> {
        self.expect("do")?;
        let body = self.list()?;
        self.expect("done")?;
        Ok(body)
    }

    fn conditional(&mut self) -> Parsed<Compound> {
        self.expect("if")?;
        let mut arms = Vec::new();
        loop {
            let condition = self.list()?;
            self.expect("then")?;
            arms.push((condition, self.list()?));
            if self.eat_reserved("elif") {
                continue;
            }
            let otherwise = match self.eat_reserved("else") {
                true => Some(self.list()?),
                false => None,
            };
            self.expect("fi")?;
            return Ok(Compound::If { arms, otherwise });
        }
    }

    fn for_loop(&mut self) -> Parsed<Compound> {
        self.expect("for")?;
        self.skip_blanks();
        let name = self.plain_word();
        self.at += name.chars().count();
        self.expect("in")?;
        let mut words = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                Some(';' | '\n') => {
                    self.at += 1;
                    break;
                }
                _ => match self.word()? {
                    Some(word) => words.push(word),
                    None => break,
                },
            }
        }
        let body = self.do_done()?;
        Ok(Compound::For { name, words, body })
    }

    fn simple(&mut self) -> Parsed<Node> {
        let mut simple = Simple::default();
        loop {
            self.skip_blanks();
            if let Some(redirect) = self.redirect()? {
                simple.redirects.push(redirect);
                continue;
            }
            if simple.words.is_empty()
                && let Some(name) = self.assigned_name()
            {
                self.at += name.chars().count() + 1;
                let value = self.word()?.unwrap_or_default();
                simple.assignments.push((name, value));
                continue;
            }
            match self.word()? {
                Some(word) => simple.words.push(word),
                None => break,
            }
        }
        if simple == Simple::default() {
            return Err(self.peek().map_or(ParseError::Incomplete, unexpected));
        }
        Ok(Node::Simple(simple))
    }

    /// The name in front of a `=` here.
    fn assigned_name(&self) -> Option<String> {
        let rest = self.text.get(self.at..)?;
        let end = rest.iter().position(|c| !words::is_name(*c))?;
        let starts = rest.first().is_some_and(|c| !c.is_ascii_digit());
        (end > 0 && starts && rest[end] == '=').then(|| rest[..end].iter().collect())
    }

    fn redirect(&mut self) -> Parsed<Option<Redirect>> {
        self.skip_blanks();
        let start = self.at;
        let mut number = String::new();
        while let Some(digit) = self.peek().filter(char::is_ascii_digit) {
            number.push(digit);
            self.at += 1;
        }
        let (kind, default) = if self.eat("<<") {
            return Err(ParseError::Syntax("here-documents are not known".into()));
        } else if self.eat(">>") {
            (RedirectKind::Append, 1)
        } else if self.eat(">&") {
            (RedirectKind::Duplicate, 1)
        } else if self.eat("<&") {
            (RedirectKind::Duplicate, 0)
        } else if self.eat(">|") || self.eat(">") {
            (RedirectKind::Write, 1)
        } else if self.eat("<") {
            (RedirectKind::Read, 0)
        } else {
            self.at = start;
            return Ok(None);
        };
        let fd = number.parse().unwrap_or(default);
        self.skip_blanks();
        let target = self.word()?.ok_or(ParseError::Incomplete)?;
        Ok(Some(Redirect { fd, kind, target }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_commands_ask_for_more() {
        for text in [
            "while true; do",
            "echo 'a",
            "if true",
            "(echo",
            "a &&",
            "$((1",
            "echo >",
        ] {
            assert_eq!(parse(text), Err(ParseError::Incomplete), "{text}");
        }
    }

    #[test]
    fn nonsense_is_a_syntax_error() {
        for text in [")", "echo; )", "; ;", "done", "cat <<EOF", "| x"] {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, ParseError::Syntax(_)), "{text}: {error:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[a-z0-9 ;&|()<>$'\"{}!=\\\\\n#]{0,40}") {
            let _ = parse(&text);
        }
    }
}
