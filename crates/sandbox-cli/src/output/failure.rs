//! How a command ended that did not do what it was asked.

use std::error::Error as StdError;

use sandbox_core::Error;
use serde::Serialize;

use super::escape::Plain;

/// An error that ends the program, and the code it ends with.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What went wrong.
    pub(crate) error: Error,
    /// The exit code.
    pub(crate) exit: u8,
}

/// Something failed.
pub(crate) const EXIT_ERROR: u8 = 1;
/// The command line makes no sense.
pub(crate) const EXIT_USAGE: u8 = 2;

impl Failure {
    /// A command line that parses and asks for what makes no sense.
    pub(crate) fn usage(error: Error) -> Self {
        Self {
            error,
            exit: EXIT_USAGE,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            exit: EXIT_ERROR,
        }
    }
}

/// An error as programs read it: the shape that the server answers with.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorDocument<'a> {
    error: ErrorBody<'a>,
}

#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl<'a> ErrorDocument<'a> {
    pub(crate) fn new(error: &'a Error) -> Self {
        Self::of(error.kind().as_str(), said(error), error.field())
    }

    pub(crate) fn of(code: &'a str, message: String, field: Option<&'a str>) -> Self {
        Self {
            error: ErrorBody {
                code,
                message,
                field,
            },
        }
    }
}

/// An error as one line for people: the field, what is wrong, and what that came from.
pub(crate) fn line_of(error: &Error) -> String {
    let line = match error.field() {
        Some(field) => format!("{field}: {}", said(error)),
        None => said(error),
    };
    let one_line: Vec<&str> = line.split_whitespace().collect();
    Plain(&one_line.join(" ")).to_string()
}

/// What `error` and its causes say, each once.
fn said(error: &Error) -> String {
    let mut parts = vec![error.message().to_owned()];
    let mut cause = error.source();
    while let Some(source) = cause {
        let text = match source.downcast_ref::<Error>() {
            Some(inner) => inner.message().to_owned(),
            None => source.to_string(),
        };
        let repeats = text.is_empty() || parts.iter().any(|part| part.contains(&text));
        match parts.last_mut() {
            Some(_) if repeats => {}
            // Some errors say their cause themselves.
            Some(last) if text.contains(last.as_str()) => *last = text,
            Some(_) | None => parts.push(text),
        }
        cause = source.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use sandbox_core::ErrorKind;

    use super::*;

    #[test]
    fn a_line_has_the_field_and_every_cause_once() {
        let io = std::io::Error::other("connection refused\nby peer");
        let inner = Error::new(
            ErrorKind::Unavailable,
            "docker.connect",
            "no daemon answers",
        )
        .with_source(io);
        let outer = Error::new(ErrorKind::Unavailable, "serve.start", "no daemon answers")
            .with_field("runtimes")
            .with_source(inner);
        assert_eq!(
            line_of(&outer),
            "runtimes: no daemon answers: connection refused by peer"
        );
    }

    #[test]
    fn a_hostile_message_does_not_reach_the_terminal() {
        let error = Error::new(ErrorKind::NotFound, "x", "no \u{1b}[31mfile");
        assert_eq!(line_of(&error), "no \\u{1b}[31mfile");
    }
}
