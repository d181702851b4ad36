//! Writing results.

use std::io::{self, Write};

use sandbox_core::{Error, ErrorKind, Result};
use serde::Serialize;

use super::failure::{ErrorDocument, line_of};
use super::{Plain, Table, to_terminal_json};

/// Where results go: to standard output, as lines or as JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    json: bool,
}

impl Printer {
    /// A printer of JSON, or of lines.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read along.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Prints one document: as JSON, or as what `lines` makes of it.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(crate) fn document<T: Serialize>(
        self,
        value: &T,
        lines: impl FnOnce(&T) -> Vec<String>,
    ) -> Result<()> {
        match self.json {
            true => self.json_line(value),
            false => lines(value).iter().try_for_each(|line| self.text(line)),
        }
    }

    /// Prints rows: as one JSON document, or as a table.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(crate) fn table<T: Serialize>(
        self,
        value: &T,
        table: impl FnOnce(&T) -> Table,
    ) -> Result<()> {
        self.document(value, |value| table(value).lines().collect())
    }

    /// Prints one line for people.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(crate) fn text(self, line: &str) -> Result<()> {
        let mut out = io::stdout().lock();
        let written = out
            .write_all(line.as_bytes())
            .and_then(|()| out.write_all(b"\n"))
            .and_then(|()| out.flush());
        written.map_err(output_gone)
    }

    /// Prints one JSON document on a line of its own.
    ///
    /// # Errors
    /// When standard output is gone.
    pub(crate) fn json_line(self, value: &impl Serialize) -> Result<()> {
        let json = to_terminal_json(value).map_err(|e| {
            let message = "the result cannot be written as JSON";
            Error::new(ErrorKind::Internal, "cli.print", message).with_source(e)
        })?;
        self.text(&json)
    }

    /// Says something beside the result, on standard error. Programs do not see it.
    pub(crate) fn note(self, text: &str) {
        if !self.json {
            complain(&Plain(text).to_string());
        }
    }

    /// Says what went wrong, on standard error.
    pub(crate) fn error(self, error: &Error) {
        match self.json {
            true => {
                if let Ok(json) = to_terminal_json(&ErrorDocument::new(error)) {
                    raw_error_line(&json);
                }
            }
            false => complain(&line_of(error)),
        }
    }

    /// Says that the command line makes no sense, on standard error, for a program.
    pub(crate) fn usage_error(self, message: &str) {
        let document = ErrorDocument::of("usage", message.to_owned(), None);
        if let Ok(json) = to_terminal_json(&document) {
            raw_error_line(&json);
        }
    }
}

fn complain(line: &str) {
    raw_error_line(&format!("sandbox: {line}"));
}

/// Whoever does not listen to standard error any more misses nothing that matters.
fn raw_error_line(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Standard output that takes nothing more, as an error.
pub(crate) fn output_gone(error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::BrokenPipe => ErrorKind::Conflict,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "cli.print", "standard output takes nothing more").with_source(error)
}

/// Whether `error` says that the reader of standard output left, which is no failure of ours.
pub(crate) fn is_broken_pipe(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    source
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|io| {
            io.kind() == io::ErrorKind::BrokenPipe && error.operation() == "cli.print"
        })
}
