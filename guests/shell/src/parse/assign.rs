//! Assignments.

use super::lex::Token;
use super::word::Until;
use super::{Parser, Result};
use crate::ast::{Assign, AssignValue, Word};
use crate::text;

impl Parser {
    /// The assignment that comes next; `None`, with nothing read, when there is none.
    pub(super) fn assignment(&mut self) -> Result<Option<Assign>> {
        let start = self.token_start();
        let name = {
            let len = text::name_len(&self.text[start.min(self.text.len())..]);
            self.text[start.min(self.text.len())..][..len].to_vec()
        };
        let follows = self.text.get(start + name.len()).copied();
        if name.is_empty() || !matches!(follows, Some(b'=' | b'+' | b'[')) {
            return Ok(None);
        }
        let (saved_at, saved_peek) = (self.at, self.peeked.take());
        self.at = start + name.len();
        let index = if self.eat(b'[') {
            let parts = self.parts(Until::Bracket, false);
            match parts {
                Ok(parts) if self.eat(b']') => Some(Word(parts)),
                _ => {
                    (self.at, self.peeked) = (saved_at, saved_peek);
                    return Ok(None);
                }
            }
        } else {
            None
        };
        let append = self.byte() == Some(b'+') && self.byte_at(1) == Some(b'=');
        self.at += usize::from(append);
        if !self.eat(b'=') {
            (self.at, self.peeked) = (saved_at, saved_peek);
            return Ok(None);
        }
        let value = if index.is_none() && self.byte() == Some(b'(') {
            self.at += 1;
            AssignValue::Array(self.array()?)
        } else {
            AssignValue::Scalar(Word(self.parts(Until::Value, false)?))
        };
        Ok(Some(Assign {
            name,
            index,
            append,
            value,
        }))
    }

    fn array(&mut self) -> Result<Vec<(Option<Word>, Word)>> {
        let mut items = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.eat_op(")")? {
                return Ok(items);
            }
            let start = self.token_start();
            if self.text.get(start) == Some(&b'[') {
                self.unpeek();
                self.at = start + 1;
                if let Ok(index) = self.parts(Until::Bracket, false)
                    && self.eat(b']')
                    && self.eat(b'=')
                {
                    let value = Word(self.parts(Until::Value, false)?);
                    items.push((Some(Word(index)), value));
                    continue;
                }
                self.at = start;
            }
            match self.next()? {
                Token::Word(word) => items.push((None, word)),
                other => {
                    self.peeked = Some((other, start));
                    return self.unexpected(Some(")"));
                }
            }
        }
    }
}
