//! The record and its fields.

use std::rc::Rc;

use super::value::{Bytes, Value};
use crate::regex::Pattern;

/// More fields than this are refused: `$999999999 = 1` must not become memory.
pub const MAX_FIELDS: usize = 1 << 22;

/// How a record is split.
#[derive(Clone)]
pub enum Separator {
    /// Blanks, those at the ends apart.
    Blanks,
    Byte(u8),
    /// Every letter is a field.
    Letters,
    Pattern(Rc<Pattern>),
}

/// A record: whole, or in parts, or both.
pub struct Record {
    whole: Bytes,
    /// A field was changed: the whole is to be made anew.
    stale: bool,
    fields: Vec<Value>,
    split: bool,
}

impl Record {
    pub fn new() -> Self {
        Self {
            whole: Rc::new([]),
            stale: false,
            fields: Vec::new(),
            split: true,
        }
    }

    pub fn set(&mut self, whole: Bytes) {
        self.whole = whole;
        self.stale = false;
        self.split = false;
        self.fields.clear();
    }

    pub fn whole(&mut self, separator: &[u8], format: &[u8]) -> Bytes {
        if self.stale {
            let parts: Vec<Bytes> = self
                .fields
                .iter()
                .map(|field| field.bytes(format))
                .collect();
            self.whole = parts.join(separator).into();
            self.stale = false;
        }
        Rc::clone(&self.whole)
    }

    pub fn split(&mut self, separator: &Separator, paragraph: bool) {
        if self.split {
            return;
        }
        self.split = true;
        self.fields = parts(&self.whole, separator, paragraph)
            .into_iter()
            .map(Value::outside)
            .collect();
    }

    /// How many fields; after [`split`](Self::split).
    pub fn count(&self) -> usize {
        self.fields.len()
    }

    /// Field `number`, from 1.
    pub fn field(&self, number: usize) -> Value {
        self.fields.get(number - 1).cloned().unwrap_or(Value::Unset)
    }

    pub fn set_field(&mut self, number: usize, value: Value) {
        if self.fields.len() < number {
            self.fields.resize(number, Value::Unset);
        }
        self.fields[number - 1] = value;
        self.stale = true;
    }

    pub fn set_count(&mut self, count: usize) {
        self.fields.resize(count, Value::Unset);
        self.stale = true;
    }
}

/// The parts of `text` between separators. `paragraph`: a newline separates as well.
pub fn parts<'a>(text: &'a [u8], separator: &Separator, paragraph: bool) -> Vec<&'a [u8]> {
    if text.is_empty() {
        return Vec::new();
    }
    match separator {
        Separator::Blanks => text
            .split(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
            .filter(|part| !part.is_empty())
            .collect(),
        Separator::Byte(wanted) => text
            .split(|byte| byte == wanted || paragraph && *byte == b'\n')
            .collect(),
        Separator::Letters => {
            let mut rest = text;
            let mut found = Vec::new();
            while !rest.is_empty() {
                let end = super::format::letters_end(rest, 1).max(1);
                found.push(&rest[..end]);
                rest = &rest[end..];
            }
            found
        }
        Separator::Pattern(pattern) => {
            let mut found = Vec::new();
            let lines: Vec<&[u8]> = if paragraph {
                text.split(|&byte| byte == b'\n').collect()
            } else {
                vec![text]
            };
            for line in lines {
                let (mut start, mut from) = (0, 0);
                while let Some((begin, end)) = pattern.find_at(line, from) {
                    if end > begin {
                        found.push(&line[start..begin]);
                        start = end;
                        from = end;
                    } else if begin < line.len() {
                        from = begin + 1;
                    } else {
                        break;
                    }
                }
                found.push(&line[start..]);
            }
            found
        }
    }
}
