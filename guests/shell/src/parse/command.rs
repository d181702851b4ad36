//! Lists, pipelines and simple commands.

use std::rc::Rc;

use super::lex::Token;
use super::{Parser, Result};
use crate::ast::{
    Command, Function, Item, List, Part, Pipeline, Redirect, RedirectKind, Simple, Word,
};

/// Words that close what another opened.
const CLOSING: [&[u8]; 8] = [
    b"then", b"else", b"elif", b"fi", b"do", b"done", b"esac", b"}",
];

/// Builtins whose arguments can be assignments.
const DECLARING: [&[u8]; 6] = [
    b"export",
    b"readonly",
    b"local",
    b"declare",
    b"typeset",
    b"alias",
];

impl Parser {
    /// The next token as a word that could be reserved.
    pub(super) fn peek_reserved(&mut self) -> Result<Option<&[u8]>> {
        Ok(match self.peek()? {
            Token::Word(word) => word.literal(),
            _ => None,
        })
    }

    pub(super) fn eat_reserved(&mut self, word: &str) -> Result<bool> {
        let found = self.peek_reserved()? == Some(word.as_bytes());
        if found {
            self.next()?;
        }
        Ok(found)
    }

    pub(super) fn expect_reserved(&mut self, word: &str) -> Result<()> {
        if self.eat_reserved(word)? {
            Ok(())
        } else {
            self.unexpected(Some(word))
        }
    }

    /// One line of commands, with its newline.
    pub(super) fn line(&mut self) -> Result<Option<List>> {
        let mut items = Vec::new();
        loop {
            match self.peek()? {
                Token::Newline => {
                    self.next()?;
                    if items.is_empty() {
                        continue;
                    }
                    return Ok(Some(List(items)));
                }
                Token::End => {
                    self.read_here_documents()?;
                    return Ok((!items.is_empty()).then_some(List(items)));
                }
                _ => {}
            }
            let (item, ended) = self.item()?;
            items.push(item);
            if !ended && !matches!(self.peek()?, Token::Newline | Token::End) {
                return self.unexpected(None);
            }
        }
    }

    /// Commands up to something that closes a list.
    pub(super) fn list(&mut self) -> Result<List> {
        let mut items = Vec::new();
        loop {
            self.skip_newlines()?;
            self.expand_aliases()?;
            if self.at_list_end()? {
                return Ok(List(items));
            }
            let (item, ended) = self.item()?;
            items.push(item);
            if !ended && *self.peek()? != Token::Newline {
                return Ok(List(items));
            }
        }
    }

    /// A list with at least one command.
    pub(super) fn nonempty_list(&mut self) -> Result<List> {
        let list = self.list()?;
        if list.0.is_empty() {
            self.unexpected(None)
        } else {
            Ok(list)
        }
    }

    fn at_list_end(&mut self) -> Result<bool> {
        Ok(match self.peek()? {
            Token::End => true,
            Token::Op(op) => matches!(*op, ")" | ";;" | ";&" | ";;&"),
            Token::Word(word) => word.literal().is_some_and(|text| CLOSING.contains(&text)),
            _ => false,
        })
    }

    /// An and-or list, and whether `;` or `&` ended it.
    fn item(&mut self) -> Result<(Item, bool)> {
        let start = self.token_start();
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            let and = match self.peek()? {
                Token::Op("&&") => true,
                Token::Op("||") => false,
                _ => break,
            };
            self.next()?;
            self.skip_newlines()?;
            rest.push((and, self.pipeline()?));
        }
        let end = self.token_start();
        let background = self.eat_op("&")?;
        let ended = background || self.eat_op(";")?;
        let background = background.then(|| {
            self.text
                .get(start..end)
                .unwrap_or_default()
                .trim_ascii()
                .to_vec()
        });
        Ok((
            Item {
                first,
                rest,
                background,
            },
            ended,
        ))
    }

    fn pipeline(&mut self) -> Result<Pipeline> {
        self.expand_aliases()?;
        let mut negated = false;
        let mut timed = false;
        loop {
            if self.eat_reserved("!")? {
                negated = !negated;
            } else if !timed && self.peek_reserved()? == Some(b"time") && self.time_is_reserved() {
                self.next()?;
                timed = true;
                self.eat_reserved("-p")?;
            } else {
                break;
            }
        }
        let mut commands = vec![self.command()?];
        loop {
            let both = self.at_op("|&")?;
            if !both && !self.at_op("|")? {
                return Ok(Pipeline {
                    negated,
                    timed,
                    commands,
                });
            }
            if both && let Some(last) = commands.last_mut() {
                join_errors(last);
            }
            self.next()?;
            self.skip_newlines()?;
            commands.push(self.command()?);
        }
    }

    /// `time -x` and a lone `time` are commands.
    fn time_is_reserved(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let rest = rest.trim_ascii_start();
        rest.starts_with(b"-p ")
            || !matches!(
                rest.first(),
                None | Some(b'-' | b'\n' | b';' | b'|' | b'&' | b')')
            )
    }

    pub(super) fn command(&mut self) -> Result<Command> {
        self.expand_aliases()?;
        if let Some(compound) = self.compound()? {
            return Ok(compound);
        }
        self.simple()
    }

    fn simple(&mut self) -> Result<Command> {
        let mut simple = Simple {
            line: self.line_of_token(),
            ..Simple::default()
        };
        let mut declares = false;
        loop {
            if let Some(redirect) = self.redirect()? {
                simple.redirects.push(redirect);
                continue;
            }
            if !matches!(self.peek()?, Token::Word(_)) {
                break;
            }
            if simple.words.is_empty() {
                if !simple.assigns.is_empty() {
                    self.expand_aliases()?;
                }
                if let Some(assign) = self.assignment()? {
                    simple.assigns.push(assign);
                    continue;
                }
            } else if declares && let Some(assign) = self.assignment()? {
                simple.declared.push(assign);
                continue;
            }
            let Token::Word(word) = self.next()? else {
                break;
            };
            if simple.words.is_empty() {
                if let Some(text) = word.literal()
                    && CLOSING.contains(&text)
                    && simple.assigns.is_empty()
                    && simple.redirects.is_empty()
                {
                    let start = self.at - text.len();
                    self.peeked = Some((Token::Word(word), start));
                    return self.unexpected(None);
                }
                declares = word
                    .literal()
                    .is_some_and(|text| DECLARING.contains(&text) && text != b"alias");
                if simple.assigns.is_empty() && simple.redirects.is_empty() && self.at_op("(")? {
                    return self.function_after(word);
                }
            } else if let [first] = simple.words.as_slice() {
                // `command export x=…` declares too.
                declares = declares
                    || (first.literal() == Some(b"command")
                        && word
                            .literal()
                            .is_some_and(|text| DECLARING.contains(&text) && text != b"alias"));
            }
            simple.words.push(word);
        }
        if simple.words.is_empty() && simple.assigns.is_empty() && simple.redirects.is_empty() {
            return self.unexpected(None);
        }
        Ok(Command::Simple(simple))
    }

    pub(super) fn line_of_token(&mut self) -> u32 {
        let start = self.token_start();
        let (from, line) = if self.counted.0 <= start {
            self.counted
        } else {
            (0, self.first_line)
        };
        let newlines = self.text[from..start]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        self.counted = (start, line + newlines as u32);
        self.counted.1
    }

    fn function_after(&mut self, word: Word) -> Result<Command> {
        self.expect_op("(")?;
        self.expect_op(")")?;
        let Some(name) = word.literal().map(<[u8]>::to_vec) else {
            return self.error("Syntax error: Bad function name");
        };
        self.function_body(name)
    }

    pub(super) fn function_body(&mut self, name: Vec<u8>) -> Result<Command> {
        self.skip_newlines()?;
        let body = self.command()?;
        Ok(Command::Function(Rc::new(Function { name, body })))
    }
}

/// `|&` is `2>&1 |`.
fn join_errors(command: &mut Command) {
    let target = Word(vec![Part::Literal(b"1".to_vec())]);
    let redirect = Redirect {
        fd: Some(2),
        kind: RedirectKind::DupWrite,
        target,
    };
    match command {
        Command::Simple(simple) => simple.redirects.push(redirect),
        Command::Compound { redirects, .. } => redirects.push(redirect),
        Command::Function(_) => {}
    }
}
