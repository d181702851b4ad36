//! How a command ended that did not do what it was asked.

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
        Self::of(error.kind().as_str(), error.explanation(), error.field())
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
        // The message names the sandbox, and on the command line it is no field.
        Some("sandbox_id") => error.explanation(),
        Some(field) => format!("{field}: {}", error.explanation()),
        None => error.explanation(),
    };
    let one_line: Vec<&str> = line.split_whitespace().collect();
    Plain(&one_line.join(" ")).to_string()
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
    fn a_sandbox_is_named_by_the_message_alone() {
        let error = Error::new(ErrorKind::NotFound, "x", "there is no sandbox sbx_1")
            .with_field("sandbox_id");
        assert_eq!(line_of(&error), "there is no sandbox sbx_1");
    }

    #[test]
    fn a_hostile_message_does_not_reach_the_terminal() {
        let error = Error::new(ErrorKind::NotFound, "x", "no \u{1b}[31mfile");
        assert_eq!(line_of(&error), "no \\u{1b}[31mfile");
    }
}
