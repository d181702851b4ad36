//! Errors: every answer that is no success.

use sandbox_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

/// Codes that say more than a kind of the core does.
pub mod codes {
    /// No key, a wrong one, or a revoked one (401).
    pub const UNAUTHORIZED: &str = "unauthorized";
    /// Too many requests in a minute (429).
    pub const RATE_LIMITED: &str = "rate_limited";
    /// The path exists, but not for this method (405).
    pub const METHOD_NOT_ALLOWED: &str = "method_not_allowed";
    /// The body is larger than this route takes.
    pub const PAYLOAD_TOO_LARGE: &str = "payload_too_large";
    /// The body has a type that this route does not take (415).
    pub const UNSUPPORTED_MEDIA_TYPE: &str = "unsupported_media_type";
}

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorDetail {
    /// What to branch on: `invalid_spec`, `not_found`, `conflict`, `unsupported`,
    /// `permission_denied`, `limit_exceeded`, `timeout`, `unavailable`, `internal`, or one of
    /// `unauthorized`, `rate_limited`, `method_not_allowed`, `payload_too_large`,
    /// `unsupported_media_type`.
    #[cfg_attr(feature = "openapi", schema(example = "invalid_spec"))]
    pub code: String,
    /// What to say to a person.
    pub message: String,
    /// The field of the request that is to blame, as a path such as `egress.deny_cidrs[2]`, where
    /// one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(example = "timeout"))]
    pub field: Option<String>,
}

impl ErrorDetail {
    /// An error without a field.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            field: None,
        }
    }

    /// Names the field of the request that is to blame.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// The kind that the code stands for. A code that is not known (of a newer server) is
    /// [`ErrorKind::Internal`].
    pub fn kind(&self) -> ErrorKind {
        kind_of(&self.code).unwrap_or(ErrorKind::Internal)
    }

    /// The error as callers of the core know it, in `operation`.
    pub fn into_error(self, operation: &'static str) -> Error {
        let error = Error::new(self.kind(), operation, self.message);
        match self.field {
            Some(field) => error.with_field(field),
            None => error,
        }
    }
}

impl From<ErrorDetail> for ErrorBody {
    fn from(error: ErrorDetail) -> Self {
        Self { error }
    }
}

/// The kind, the field and the message; never the operation or the cause. Whether an
/// [`Internal`](ErrorKind::Internal) error's message may go out is for the server to decide.
impl From<&Error> for ErrorDetail {
    fn from(error: &Error) -> Self {
        Self {
            code: error.kind().as_str().to_owned(),
            message: error.message().to_owned(),
            field: error.field().map(str::to_owned),
        }
    }
}

impl From<&Error> for ErrorBody {
    fn from(error: &Error) -> Self {
        ErrorDetail::from(error).into()
    }
}

/// Every kind of the core, to be looked up by its code.
const KINDS: [ErrorKind; 9] = [
    ErrorKind::InvalidSpec,
    ErrorKind::NotFound,
    ErrorKind::Conflict,
    ErrorKind::Unsupported,
    ErrorKind::PermissionDenied,
    ErrorKind::LimitExceeded,
    ErrorKind::Timeout,
    ErrorKind::Unavailable,
    ErrorKind::Internal,
];

fn kind_of(code: &str) -> Option<ErrorKind> {
    let own = KINDS.into_iter().find(|kind| kind.as_str() == code);
    own.or(match code {
        codes::UNAUTHORIZED => Some(ErrorKind::PermissionDenied),
        codes::RATE_LIMITED | codes::PAYLOAD_TOO_LARGE => Some(ErrorKind::LimitExceeded),
        codes::METHOD_NOT_ALLOWED | codes::UNSUPPORTED_MEDIA_TYPE => Some(ErrorKind::Unsupported),
        _ => None,
    })
}
