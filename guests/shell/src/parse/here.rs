//! Here-documents.

use std::cell::RefCell;
use std::rc::Rc;

use super::word::Until;
use super::{Parser, Result};
use crate::ast::{Bytes, Part, Word};

/// A here-document whose text has not been reached yet.
#[derive(Debug)]
pub(super) struct Pending {
    delimiter: Bytes,
    /// The delimiter was quoted: nothing is expanded.
    literal: bool,
    strip_tabs: bool,
    text: Rc<RefCell<Word>>,
}

impl Parser {
    /// Notes a here-document with the delimiter `word`; the place where its text will be.
    pub(super) fn here_document(
        &mut self,
        word: &Word,
        strip_tabs: bool,
    ) -> Result<Rc<RefCell<Word>>> {
        let text = Rc::new(RefCell::new(Word::default()));
        let Some(delimiter) = word.constant() else {
            return self.error("Syntax error: Illegal here-document delimiter");
        };
        let literal = word.0.iter().any(|part| !matches!(part, Part::Literal(_)));
        self.pending.push(Pending {
            delimiter,
            literal,
            strip_tabs,
            text: text.clone(),
        });
        Ok(text)
    }

    /// Reads the texts that begin at this line.
    pub(super) fn read_here_documents(&mut self) -> Result<()> {
        for pending in std::mem::take(&mut self.pending) {
            let text = self.here_text(&pending);
            let word = if pending.literal {
                Word(vec![Part::Quoted(text)])
            } else {
                Word(self.nested(text).parts(Until::End, true)?)
            };
            *pending.text.borrow_mut() = word;
        }
        Ok(())
    }

    fn here_text(&mut self, pending: &Pending) -> Bytes {
        let mut text = Bytes::new();
        let mut joined = false;
        loop {
            if self.byte().is_none() {
                return text;
            }
            if pending.strip_tabs {
                while self.eat(b'\t') {}
            }
            let start = self.at;
            while self.byte().is_some_and(|byte| byte != b'\n') {
                self.at += 1;
            }
            let line = &self.text[start..self.at];
            if !joined && line == pending.delimiter {
                // The newline after it belongs to the end.
                if self.text.get(self.at) == Some(&b'\n') {
                    self.at += 1;
                }
                return text;
            }
            text.extend_from_slice(line);
            let backslashes = line.iter().rev().take_while(|&&byte| byte == b'\\').count();
            joined = !pending.literal && backslashes % 2 == 1;
            if self.eat(b'\n') {
                text.push(b'\n');
            }
        }
    }
}
