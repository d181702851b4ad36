use std::fmt::Display;
use std::io;

use crate::error_output;

/// What an applet ends with: its exit code.
pub type Outcome = Result<u8, Failure>;

/// Why an applet gave up.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: u8,
}

impl Failure {
    /// `message`, exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 1,
        }
    }

    /// The same with another exit code.
    #[must_use]
    pub fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// `what: reason`, exit code 1.
    pub fn io(what: impl Display, error: &io::Error) -> Self {
        Self::new(format!("{what}: {}", reason(error)))
    }

    /// The exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// What is printed after the name.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn print(&self, name: &str) {
        warn(name, &self.message);
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// Says what an operation was about when it fails.
pub trait Context<T> {
    /// Turns the error into a [`Failure`] that begins with `what`.
    fn context(self, what: impl Display) -> Result<T, Failure>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, what: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::io(what, &error))
    }
}

/// The reason alone, without the number that `std` adds.
#[must_use]
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// Prints `name: message` as an error and goes on.
pub fn warn(name: &str, message: impl Display) {
    error_output(&format!("{name}: {message}\n"));
}
