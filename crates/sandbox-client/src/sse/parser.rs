//! The format of Server-Sent Events, as the HTML standard has it, with a limit.

use std::collections::VecDeque;

use sandbox_core::{Error, ErrorKind, Result};

/// One event.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    /// Its name; `message` where it has none.
    pub(super) name: String,
    /// Its lines of data, joined.
    pub(super) data: String,
    /// Its id, where it has one.
    pub(super) id: Option<String>,
}

/// Takes bytes and gives events. It holds at most the limit and what one `push` brought.
#[derive(Debug)]
pub(super) struct Parser {
    most: usize,
    /// The line that is not complete.
    line: Vec<u8>,
    /// Whether the last byte was a carriage return, whose line feed belongs to it.
    after_return: bool,
    begun: bool,
    event: Raw,
    has_data: bool,
    ready: VecDeque<Result<Raw>>,
    broken: bool,
}

impl Parser {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            line: Vec::new(),
            after_return: false,
            begun: false,
            event: Raw::default(),
            has_data: false,
            ready: VecDeque::new(),
            broken: false,
        }
    }

    /// The next event that is complete. After an error there is none.
    pub(super) fn next(&mut self) -> Option<Result<Raw>> {
        self.ready.pop_front()
    }

    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while !self.broken && !bytes.is_empty() {
            if std::mem::take(&mut self.after_return) && bytes[0] == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let Some(end) = end else {
                self.keep(bytes);
                return;
            };
            self.keep(&bytes[..end]);
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if !self.broken {
                let line = std::mem::take(&mut self.line);
                self.take_line(&line);
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.line.len() + self.event.data.len() + bytes.len() > self.most {
            self.broken = true;
            let message = format!("an event of the server has more than {} bytes", self.most);
            let error = Error::new(ErrorKind::LimitExceeded, "client.events", message);
            self.ready.push_back(Err(error));
            return;
        }
        self.line.extend_from_slice(bytes);
    }

    fn take_line(&mut self, line: &[u8]) {
        let mut line = String::from_utf8_lossy(line);
        if !std::mem::replace(&mut self.begun, true)
            && let Some(rest) = line.strip_prefix('\u{feff}')
        {
            line = rest.to_owned().into();
        }
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.event.id = Some(value.to_owned()),
            // A comment begins with the colon; what else there is, is to be ignored.
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let mut event = std::mem::take(&mut self.event);
        if !std::mem::take(&mut self.has_data) {
            return;
        }
        if event.name.is_empty() {
            "message".clone_into(&mut event.name);
        }
        self.ready.push_back(Ok(event));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(parts: &[&[u8]]) -> Vec<Raw> {
        let mut parser = Parser::new(1000);
        let mut events = Vec::new();
        for part in parts {
            parser.push(part);
            while let Some(event) = parser.next() {
                events.push(event.unwrap());
            }
        }
        events
    }

    fn raw(name: &str, data: &str, id: Option<&str>) -> Raw {
        Raw {
            name: name.to_owned(),
            data: data.to_owned(),
            id: id.map(str::to_owned),
        }
    }

    #[test]
    fn events_are_read_with_any_end_of_line() {
        for end in ["\n", "\r\n", "\r"] {
            let text =
                ": hello\nevent: a\nid: 7\ndata: x\ndata:y\n\ndata\n\nretry: 1\n\nevent: b\n\n";
            let text = text.replace('\n', end);
            let expected = [raw("a", "x\ny", Some("7")), raw("message", "", None)];
            assert_eq!(parse(&[text.as_bytes()]), expected, "{end:?}");
        }
        assert_eq!(
            parse(&["\u{feff}data: x\n\n".as_bytes()]),
            [raw("message", "x", None)]
        );
    }

    #[test]
    fn an_event_that_is_cut_is_no_event() {
        assert_eq!(parse(&[b"data: x\n"]), []);
        assert_eq!(parse(&[b"data: x\n", b"\n"]).len(), 1);
    }

    #[test]
    fn an_endless_event_ends_the_stream() {
        for endless in [&b"data: aaaaaaaa"[..], b"data: aaaaaaaa\n", b"aaaaaaaa"] {
            let mut parser = Parser::new(1000);
            for _ in 0..1000 {
                parser.push(endless);
            }
            let last = std::iter::from_fn(|| parser.next()).last().unwrap();
            assert_eq!(last.unwrap_err().kind(), ErrorKind::LimitExceeded);
            parser.push(b"\n\ndata: x\n\n");
            assert!(parser.next().is_none(), "nothing follows an error");
        }
    }

    proptest! {
        #[test]
        fn where_a_stream_is_cut_does_not_matter(
            text in "((event|data|id|:|x)?:? ?[a-zé]{0,3}(\n|\r\n|\r)){0,12}",
            cut in 0..200usize,
        ) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let whole = parse(&[bytes]);
            prop_assert_eq!(parse(&[&bytes[..cut], &bytes[cut..]]), whole);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut parser = Parser::new(50);
            parser.push(&bytes);
            while parser.next().is_some() {}
        }
    }
}
