//! Where expanded text goes: fields, split at `IFS`, with the characters that are still special for patterns.

use crate::ast::Bytes;
use crate::pattern;

/// What becomes of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Split into fields, whose patterns may match file names.
    Split,
    /// One text.
    Join,
    /// One pattern: quoted text is escaped.
    Pattern,
}

/// One finished field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Field {
    pub text: Bytes,
    /// The field as a pattern, if it has an unquoted special character.
    pub pattern: Option<Bytes>,
}

impl Field {
    fn quoted(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
        if let Some(pattern) = &mut self.pattern {
            pattern::escape(bytes, pattern);
        }
    }

    fn active(&mut self, bytes: &[u8]) {
        let special = bytes
            .iter()
            .any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'));
        if special && self.pattern.is_none() {
            let mut pattern = Bytes::new();
            pattern::escape(&self.text, &mut pattern);
            self.pattern = Some(pattern);
        }
        self.text.extend_from_slice(bytes);
        if let Some(pattern) = &mut self.pattern {
            pattern.extend_from_slice(bytes);
        }
    }
}

/// Fields under construction.
#[derive(Debug)]
pub struct Fields {
    mode: Mode,
    ifs: Bytes,
    done: Vec<Field>,
    current: Field,
    /// Whether `current` is a field even when empty.
    started: bool,
    /// A field was ended by a blank of `IFS`: another delimiter right behind belongs to that end.
    after_blank: bool,
}

impl Fields {
    pub fn new(mode: Mode, ifs: Bytes) -> Self {
        Self {
            mode,
            ifs,
            done: Vec::new(),
            current: Field::default(),
            started: false,
            after_blank: false,
        }
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Text between two elements of `"$*"`.
    pub fn joiner(&self) -> &[u8] {
        &self.ifs[..self.ifs.len().min(1)]
    }

    /// Quoted text, even when empty.
    pub fn quoted(&mut self, bytes: &[u8]) {
        self.started = true;
        self.after_blank = false;
        match self.mode {
            Mode::Split => self.current.quoted(bytes),
            Mode::Join => self.current.text.extend_from_slice(bytes),
            Mode::Pattern => pattern::escape(bytes, &mut self.current.text),
        }
    }

    /// Unquoted text of the script.
    pub fn literal(&mut self, bytes: &[u8]) {
        self.started = true;
        self.after_blank = false;
        match self.mode {
            Mode::Split => self.current.active(bytes),
            Mode::Join | Mode::Pattern => self.current.text.extend_from_slice(bytes),
        }
    }

    /// Unquoted text that an expansion gave.
    pub fn expanded(&mut self, bytes: &[u8]) {
        if self.mode != Mode::Split {
            return self.literal(bytes);
        }
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if !self.ifs.contains(byte) {
                continue;
            }
            self.run(&bytes[start..at]);
            start = at + 1;
            if matches!(byte, b' ' | b'\t' | b'\n') {
                if self.started {
                    self.end_field();
                    self.after_blank = true;
                }
            } else if self.started || !self.after_blank {
                self.end_field();
                self.after_blank = false;
            } else {
                self.after_blank = false;
            }
        }
        self.run(&bytes[start..]);
    }

    fn run(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.started = true;
            self.after_blank = false;
            self.current.active(bytes);
        }
    }

    /// Ends the present field if there is one.
    pub fn break_field(&mut self) {
        if self.started {
            self.end_field();
        }
    }

    fn end_field(&mut self) {
        self.done.push(std::mem::take(&mut self.current));
        self.started = false;
    }

    /// All fields.
    pub fn finish(mut self) -> Vec<Field> {
        self.break_field();
        self.done
    }

    /// The text, in the modes without fields.
    pub fn text(self) -> Bytes {
        self.current.text
    }
}

/// Splits `text` for `read` into at most `most` parts; the last keeps its inner delimiters. `escaped` marks bytes that
/// delimit nothing.
pub fn split_read(text: &[u8], escaped: &[bool], ifs: &[u8], most: usize) -> Vec<Bytes> {
    let is_escaped = |at: usize| escaped.get(at).copied().unwrap_or_default();
    let blank = |at: usize| {
        matches!(text[at], b' ' | b'\t' | b'\n') && ifs.contains(&text[at]) && !is_escaped(at)
    };
    let delimiter = |at: usize| ifs.contains(&text[at]) && !is_escaped(at);
    let mut parts = Vec::new();
    let mut at = 0;
    while at < text.len() && blank(at) {
        at += 1;
    }
    while at < text.len() && parts.len() + 1 < most {
        let start = at;
        while at < text.len() && !delimiter(at) {
            at += 1;
        }
        parts.push(text[start..at].to_vec());
        let mut taken = false;
        while at < text.len() && (blank(at) || (delimiter(at) && !taken)) {
            taken |= !blank(at);
            at += 1;
        }
    }
    if at < text.len() {
        let mut end = text.len();
        while end > at && blank(end - 1) {
            end -= 1;
        }
        // One delimiter at the very end ends the last field, if it holds no other.
        if end > at && delimiter(end - 1) && !(at..end - 1).any(delimiter) {
            end -= 1;
        }
        parts.push(text[at..end].to_vec());
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(ifs: &str, text: &str) -> Vec<String> {
        let mut fields = Fields::new(Mode::Split, ifs.into());
        fields.expanded(text.as_bytes());
        fields
            .finish()
            .into_iter()
            .map(|field| String::from_utf8(field.text).unwrap())
            .collect()
    }

    #[test]
    fn blanks_and_other_delimiters_split_differently() {
        assert_eq!(split(" \t\n", "  a  b\n"), ["a", "b"]);
        assert_eq!(split(":", "a::b:"), ["a", "", "b"]);
        assert_eq!(split(" :", "a : b"), ["a", "b"]);
        assert_eq!(split(":", ":a"), ["", "a"]);
        assert_eq!(split("", "a b"), ["a b"]);
        assert!(split(" ", "   ").is_empty());
    }

    #[test]
    fn quoted_text_is_not_special_in_a_pattern() {
        let mut fields = Fields::new(Mode::Split, b" ".to_vec());
        fields.quoted(b"*");
        fields.literal(b"*");
        let field = fields.finish().remove(0);
        assert_eq!(
            (field.text.as_slice(), field.pattern.as_deref()),
            (&b"**"[..], Some(&br"\**"[..]))
        );
    }

    #[test]
    fn empty_fields_exist_only_when_quoted() {
        let mut fields = Fields::new(Mode::Split, b" ".to_vec());
        fields.expanded(b"");
        assert!(fields.finish().is_empty());
        let mut fields = Fields::new(Mode::Split, b" ".to_vec());
        fields.quoted(b"");
        assert_eq!(fields.finish().len(), 1);
    }

    #[test]
    fn read_keeps_delimiters_in_its_last_variable() {
        let read = |text: &str, ifs: &str, most| -> Vec<String> {
            let parts = split_read(text.as_bytes(), &[], ifs.as_bytes(), most);
            parts
                .into_iter()
                .map(|part| String::from_utf8(part).unwrap())
                .collect()
        };
        assert_eq!(read(" a b  c ", " ", 2), ["a", "b  c"]);
        assert_eq!(read("a:b:c", ":", 2), ["a", "b:c"]);
        assert_eq!(read("a:b:", ":", 2), ["a", "b"]);
        assert_eq!(read("a::c", ":", 3), ["a", "", "c"]);
        assert_eq!(read("a", " ", 1), ["a"]);
    }
}
