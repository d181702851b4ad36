//! The one error type of every crate here: a kind to branch on, the cause kept.

use std::error::Error as StdError;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value the caller gave is malformed, out of range or contradicts another one.
    /// [`Error::field`] names it.
    InvalidSpec,
    /// The sandbox, process, file, template or image does not exist.
    NotFound,
    /// The request does not fit the current state: exec on a paused sandbox, a name that
    /// is taken, an idempotency key used again with another body.
    Conflict,
    /// This runtime cannot do what was asked. Nothing was started.
    Unsupported,
    /// The caller, or the sandbox's user, may not do this.
    PermissionDenied,
    /// A quota, rate, size or resource limit was reached.
    LimitExceeded,
    /// The deadline passed first.
    Timeout,
    /// Something this depends on is away for now (a daemon, a registry, a connection);
    /// the same call may work later.
    Unavailable,
    /// A defect, or an answer from a backend that makes no sense.
    Internal,
}

impl ErrorKind {
    /// The kind in `snake_case`, as it appears in logs and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidSpec => "invalid_spec",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Unsupported => "unsupported",
            Self::PermissionDenied => "permission_denied",
            Self::LimitExceeded => "limit_exceeded",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error: [`ErrorKind`], the operation that failed, what it says to a person, and the cause.
///
/// `Display` says only this error's part; [`source`](StdError::source) has the rest, so a
/// chain printer repeats nothing.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    field: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of `kind` in `operation` (`crate.verb`, such as `docker.create`).
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation,
            message: message.into(),
            field: None,
            source: None,
        }))
    }

    /// [`ErrorKind::InvalidSpec`] about `field`.
    pub fn invalid(
        operation: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(ErrorKind::InvalidSpec, operation, message).with_field(field)
    }

    /// [`ErrorKind::Unsupported`] because of `field`.
    pub fn unsupported(
        operation: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(ErrorKind::Unsupported, operation, message).with_field(field)
    }

    /// Names the request's field that caused this, as a path such as `resources.memory`.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn StdError + Send + Sync + 'static>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What to branch on.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation that failed, `crate.verb`.
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// What to say to a person, without the operation, the field or the cause.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The field of the request that caused this, where one did.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// This error and its causes in one line, for a log or a terminal. It may name things that are
    /// none of a tenant's business.
    pub fn report(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }

    /// What this error and its causes say to a person, each once, without operations and fields.
    pub fn explanation(&self) -> String {
        let mut parts = vec![self.message().to_owned()];
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = match error.downcast_ref::<Self>() {
                Some(ours) => ours.message().to_owned(),
                None => error.to_string(),
            };
            let repeats = text.is_empty() || parts.iter().any(|part| part.contains(&text));
            match parts.last_mut() {
                Some(_) if repeats => {}
                // Some errors say their cause themselves.
                Some(last) if text.contains(last.as_str()) => *last = text,
                Some(_) | None => parts.push(text),
            }
            cause = error.source();
        }
        parts.join(": ")
    }

    /// Whether the same call, unchanged, may succeed later:
    /// true for [`ErrorKind::Unavailable`] alone.
    pub fn is_retryable(&self) -> bool {
        match self.0.kind {
            ErrorKind::Unavailable => true,
            ErrorKind::InvalidSpec
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::Unsupported
            | ErrorKind::PermissionDenied
            | ErrorKind::LimitExceeded
            | ErrorKind::Timeout
            | ErrorKind::Internal => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            operation, message, ..
        } = &*self.0;
        match &self.0.field {
            Some(field) => write!(f, "{operation}: {field}: {message}"),
            None => write!(f, "{operation}: {message}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("operation", &self.0.operation)
            .field("field", &self.0.field)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_says_only_its_own_part() {
        let error = Error::invalid("spec.build", "resources.memory", "must be at least 4 MiB")
            .with_source(std::io::Error::other("cause"));
        assert_eq!(
            error.to_string(),
            "spec.build: resources.memory: must be at least 4 MiB"
        );
        assert_eq!(error.source().unwrap().to_string(), "cause");
        assert_eq!(error.report(), format!("{error}: cause"));
        assert_eq!(error.field(), Some("resources.memory"));
        assert!(!error.is_retryable());
    }

    #[test]
    fn an_explanation_says_every_cause_once_and_no_operation() {
        let daemon = Error::new(ErrorKind::Internal, "docker.pull", "no such host")
            .with_source(std::io::Error::other("status 500: no such host"));
        let error = Error::new(ErrorKind::Unavailable, "docker.pull", "not delivered")
            .with_field("image")
            .with_source(daemon);
        assert_eq!(
            error.explanation(),
            "not delivered: status 500: no such host"
        );
        let plain = Error::invalid("a.b", "c", "is wrong");
        assert_eq!(plain.explanation(), "is wrong");
    }
}
