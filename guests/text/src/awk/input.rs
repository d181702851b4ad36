//! Records from files and commands.

use std::io::{self, Read};

use crate::regex::Pattern;
use std::rc::Rc;

/// What ends a record.
#[derive(Clone)]
pub enum Ends {
    Byte(u8),
    /// Empty lines.
    Paragraph,
    Pattern(Rc<Pattern>),
}

/// Reads records.
pub struct Reader {
    input: Box<dyn Read>,
    buf: Vec<u8>,
    /// Where the unread part of `buf` begins.
    at: usize,
    done: bool,
}

impl Reader {
    pub fn new(input: impl Read + 'static) -> Self {
        Self {
            input: Box::new(input),
            buf: Vec::new(),
            at: 0,
            done: false,
        }
    }

    /// Reads more; `false` at the end.
    fn more(&mut self) -> io::Result<bool> {
        if self.done {
            return Ok(false);
        }
        if self.at > 0 {
            self.buf.drain(..self.at);
            self.at = 0;
        }
        let length = self.buf.len();
        // Long records do not take quadratic time.
        let step = length.clamp(16 << 10, 4 << 20);
        self.buf.resize(length + step, 0);
        let count = self.input.read(&mut self.buf[length..]);
        let count = count.inspect_err(|_| self.done = true).unwrap_or(0);
        self.buf.truncate(length + count);
        self.done |= count == 0;
        Ok(count > 0)
    }

    fn take(&mut self, length: usize, skip: usize) -> Vec<u8> {
        let record = self.buf[self.at..self.at + length].to_vec();
        self.at += length + skip;
        record
    }

    /// The next record, without its end; `None` when there is no more.
    pub fn record(&mut self, ends: &Ends) -> io::Result<Option<Vec<u8>>> {
        match ends {
            Ends::Byte(end) => self.up_to(*end),
            Ends::Paragraph => self.paragraph(),
            Ends::Pattern(pattern) => self.up_to_match(pattern),
        }
    }

    fn up_to(&mut self, end: u8) -> io::Result<Option<Vec<u8>>> {
        let mut seen = 0;
        loop {
            let unread = &self.buf[self.at..];
            if let Some(found) = unread[seen..].iter().position(|&byte| byte == end) {
                return Ok(Some(self.take(seen + found, 1)));
            }
            seen = unread.len();
            if !self.more()? {
                return Ok((seen > 0).then(|| self.take(seen, 0)));
            }
        }
    }

    fn paragraph(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let unread = &self.buf[self.at..];
            match unread.iter().position(|&byte| byte != b'\n') {
                Some(blank) => {
                    self.at += blank;
                    break;
                }
                None => {
                    self.at = self.buf.len();
                    if !self.more()? {
                        return Ok(None);
                    }
                }
            }
        }
        loop {
            let unread = &self.buf[self.at..];
            if let Some(found) = unread.windows(2).position(|pair| pair == b"\n\n") {
                return Ok(Some(self.take(found, 2)));
            }
            if !self.more()? {
                let unread = &self.buf[self.at..];
                let length = unread.strip_suffix(b"\n").unwrap_or(unread).len();
                let skip = unread.len() - length;
                return Ok(Some(self.take(length, skip)));
            }
        }
    }

    fn up_to_match(&mut self, pattern: &Pattern) -> io::Result<Option<Vec<u8>>> {
        loop {
            let unread = &self.buf[self.at..];
            let found = pattern
                .find_at(unread, 0)
                .filter(|(start, end)| end > start);
            match found {
                // A match at the end of what is known may go on.
                Some((start, end)) if end < unread.len() || self.done => {
                    return Ok(Some(self.take(start, end - start)));
                }
                _ => {}
            }
            if !self.more()? {
                let unread = &self.buf[self.at..];
                if unread.is_empty() {
                    return Ok(None);
                }
                if let Some((start, end)) = pattern
                    .find_at(unread, 0)
                    .filter(|(start, end)| end > start)
                {
                    return Ok(Some(self.take(start, end - start)));
                }
                // A newline at the end of the last record is not part of it.
                let length = unread.strip_suffix(b"\n").unwrap_or(unread).len();
                let skip = unread.len() - length;
                return Ok(Some(self.take(length, skip)));
            }
        }
    }
}
