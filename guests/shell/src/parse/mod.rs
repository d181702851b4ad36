//! From text to [`crate::ast`]: a hand-written descent over the text itself, since quoting, expansions and
//! here-documents nest within each other and aliases change the text while it is read.

mod alias;
mod assign;
mod command;
mod compound;
mod here;
mod lex;
mod param;
mod redirect;
mod test;
mod word;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use crate::ast::{Bytes, List, Word};
use lex::Token;

/// Replacements for command names.
pub type Aliases = Rc<RefCell<BTreeMap<Bytes, Bytes>>>;

/// Text that is not shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    pub line: u32,
    pub message: String,
}

pub type Result<T> = std::result::Result<T, SyntaxError>;

/// Where more text comes from, a line at a time, so that nothing is taken from commands that read the same input.
pub trait Lines {
    /// Appends the next line to `out`; false at the end. `fresh`: no command has begun yet.
    fn next_line(&mut self, fresh: bool, out: &mut Bytes) -> bool;
}

pub struct Parser {
    text: Bytes,
    at: usize,
    /// The line number of `text[0]`.
    first_line: u32,
    /// A position and its line, to count on from.
    counted: (usize, u32),
    lines: Option<Box<dyn Lines>>,
    /// Whether the present command has begun.
    begun: bool,
    command_start: usize,
    peeked: Option<(Token, usize)>,
    /// Here-documents whose text begins after this line.
    pending: Vec<here::Pending>,
    aliases: Aliases,
    /// Aliases being replaced, and where their text ends.
    replacing: Vec<(Bytes, usize)>,
    /// Where `((` turned out to be no arithmetic: asked only once, else nesting costs exponential time.
    not_arith: BTreeSet<usize>,
}

impl fmt::Debug for Parser {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Parser")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Parser {
    /// A parser of `text`, whose first line has the number `line`.
    pub fn new(text: Bytes, line: u32, aliases: Aliases) -> Self {
        Self {
            text,
            at: 0,
            first_line: line,
            counted: (0, line),
            lines: None,
            begun: false,
            command_start: 0,
            peeked: None,
            pending: Vec::new(),
            aliases,
            replacing: Vec::new(),
            not_arith: BTreeSet::new(),
        }
    }

    /// A parser of what `lines` gives.
    pub fn from_lines(lines: Box<dyn Lines>, aliases: Aliases) -> Self {
        Self {
            lines: Some(lines),
            ..Self::new(Bytes::new(), 1, aliases)
        }
    }

    /// The commands of the next line that has some (and of all lines that they reach into); `None` at the end.
    pub fn next_commands(&mut self) -> Result<Option<List>> {
        self.forget_consumed();
        let result = self.line();
        if result.is_err() {
            // Whoever reads on (a prompt) starts with a new line.
            self.at = self.text.len();
            self.peeked = None;
            self.pending.clear();
        }
        result
    }

    /// Whether nothing but blanks is left.
    pub fn is_at_end(&self) -> bool {
        let ended = self
            .peeked
            .as_ref()
            .is_none_or(|(token, _)| *token == Token::End);
        ended && self.lines.is_none() && self.text[self.at..].trim_ascii().is_empty()
    }

    /// The text of the commands that were parsed last.
    pub fn source(&self) -> &[u8] {
        self.text
            .get(self.command_start..self.at)
            .unwrap_or_default()
    }

    /// Everything up to the end.
    pub fn all_commands(&mut self) -> Result<List> {
        let mut all = List::default();
        while let Some(List(items)) = self.next_commands()? {
            all.0.extend(items);
        }
        Ok(all)
    }

    /// A parser for a text within this one.
    fn nested(&mut self, text: Bytes) -> Self {
        let line = self.line_number();
        Self::new(text, line, self.aliases.clone())
    }

    fn forget_consumed(&mut self) {
        self.begun = false;
        if self.lines.is_some() && self.at == self.text.len() && self.peeked.is_none() {
            let line = self.line_number();
            self.text.clear();
            self.at = 0;
            self.first_line = line;
            self.counted = (0, line);
            self.not_arith.clear();
            self.replacing.clear();
        }
        self.command_start = self.at;
    }

    fn line_number(&mut self) -> u32 {
        let (from, line) = if self.counted.0 <= self.at {
            self.counted
        } else {
            (0, self.first_line)
        };
        let newlines = self.text[from..self.at]
            .iter()
            .filter(|&&byte| byte == b'\n')
            .count();
        self.counted = (self.at, line + newlines as u32);
        self.counted.1
    }

    fn error<T>(&mut self, message: impl Into<String>) -> Result<T> {
        Err(SyntaxError {
            line: self.line_number(),
            message: message.into(),
        })
    }

    fn unterminated<T>(&mut self, what: &str) -> Result<T> {
        self.error(format!("Syntax error: Unterminated {what}"))
    }

    /// The byte `ahead` of the present one; fetches another line when there is one.
    fn byte_at(&mut self, ahead: usize) -> Option<u8> {
        loop {
            if let Some(&byte) = self.text.get(self.at + ahead) {
                return Some(byte);
            }
            let fresh = !self.begun;
            if !self.lines.as_mut()?.next_line(fresh, &mut self.text) {
                self.lines = None;
                return None;
            }
        }
    }

    /// The present byte. A backslash before a newline joins the lines first.
    fn byte(&mut self) -> Option<u8> {
        self.byte_at(0)
    }

    fn skip_continuations(&mut self) {
        while self.byte() == Some(b'\\') && self.byte_at(1) == Some(b'\n') {
            self.at += 2;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.byte() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// The text as the inside of `"…"`, as prompts are expanded.
    pub fn prompt(&mut self) -> Result<Word> {
        self.parts(word::Until::End, true).map(Word)
    }
}
