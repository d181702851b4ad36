//! Redirections.

use super::lex::Token;
use super::{Parser, Result};
use crate::ast::{Redirect, RedirectKind, Word};

impl Parser {
    /// The redirection that comes next, if one does.
    pub(super) fn redirect(&mut self) -> Result<Option<Redirect>> {
        let fd = match *self.peek()? {
            Token::Number(number) => {
                self.next()?;
                Some(number)
            }
            _ => None,
        };
        let Token::Op(op) = *self.peek()? else {
            return Ok(None);
        };
        let kind = match op {
            "<" => RedirectKind::Read,
            ">" => RedirectKind::Write,
            ">>" => RedirectKind::Append,
            "<>" => RedirectKind::ReadWrite,
            ">|" => RedirectKind::Clobber,
            "<&" => RedirectKind::DupRead,
            ">&" => RedirectKind::DupWrite,
            "<<<" => RedirectKind::HereString,
            "&>" => RedirectKind::Both,
            "&>>" => RedirectKind::BothAppend,
            "<<" | "<<-" => {
                self.next()?;
                let delimiter = self.redirect_word()?;
                let text = self.here_document(&delimiter, op == "<<-")?;
                return Ok(Some(Redirect {
                    fd,
                    kind: RedirectKind::Here(text),
                    target: Word::default(),
                }));
            }
            _ => return Ok(None),
        };
        self.next()?;
        let target = self.redirect_word()?;
        Ok(Some(Redirect { fd, kind, target }))
    }

    fn redirect_word(&mut self) -> Result<Word> {
        match self.peek()? {
            Token::Word(_) => match self.next()? {
                Token::Word(word) => Ok(word),
                _ => Ok(Word::default()),
            },
            // `2>&1` is no number for another redirection.
            Token::Number(number) => {
                let text = number.to_string().into_bytes();
                self.next()?;
                Ok(Word(vec![crate::ast::Part::Literal(text)]))
            }
            _ => self.unexpected(None),
        }
    }

    pub(super) fn redirects(&mut self) -> Result<Vec<Redirect>> {
        let mut all = Vec::new();
        while let Some(redirect) = self.redirect()? {
            all.push(redirect);
        }
        Ok(all)
    }
}
