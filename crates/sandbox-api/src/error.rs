//! What a request can be answered instead of what it asked for.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use sandbox_core::{Error, ErrorKind};

/// Why a request got no answer. Each dialect has one table from here to status, code and shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The engine, or a check of the request, says so.
    Failed(ErrorKind),
    /// No key, or none that is known.
    Unauthorized,
    /// Too many requests.
    RateLimited,
    /// The body is larger than bodies of this kind may be.
    PayloadTooLarge,
    /// The body is not of the kind that is wanted.
    UnsupportedMediaType,
    /// There is nothing at this path.
    NoSuchPath,
    /// There is something at this path, but not for this method.
    MethodNotAllowed,
    /// More is going on than the server takes on.
    Overloaded,
}

/// An error on its way to whoever asked. `?` makes one of a [`sandbox_core::Error`].
///
/// As a response it has no body yet: the layer around the routes writes it in the dialect's shape,
/// with the request's id.
#[derive(Debug, Clone)]
pub struct ApiError(std::sync::Arc<Inner>);

#[derive(Debug)]
struct Inner {
    reason: Reason,
    message: String,
    field: Option<String>,
    retry_after: Option<Duration>,
    cause: Option<Error>,
}

impl ApiError {
    /// An error for `reason` that tells the caller `message`.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self(std::sync::Arc::new(Inner {
            reason,
            message: message.into(),
            field: None,
            retry_after: None,
            cause: None,
        }))
    }

    /// A value of the request, named by its path, is not acceptable.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Error::invalid("api.request", field, message).into()
    }

    /// Names what is to blame, as a path such as `resources.memory`.
    #[must_use]
    pub fn with_field(self, field: impl Into<String>) -> Self {
        self.change(|inner| inner.field = Some(field.into()))
    }

    /// Says when to try again.
    #[must_use]
    pub fn with_retry_after(self, after: Duration) -> Self {
        self.change(|inner| inner.retry_after = Some(after))
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = match std::sync::Arc::try_unwrap(self.0) {
            Ok(inner) => inner,
            Err(shared) => Inner {
                reason: shared.reason,
                message: shared.message.clone(),
                field: shared.field.clone(),
                retry_after: shared.retry_after,
                cause: None,
            },
        };
        change(&mut inner);
        Self(std::sync::Arc::new(inner))
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// What to tell the caller, without causes.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What is to blame, where something is.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// When to try again, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// This error as the engine knows errors, for those who only look at the kind.
    pub(crate) fn to_error(&self) -> Error {
        let kind = match self.reason() {
            Reason::Failed(kind) => kind,
            Reason::Unauthorized => ErrorKind::PermissionDenied,
            Reason::RateLimited | Reason::PayloadTooLarge => ErrorKind::LimitExceeded,
            Reason::UnsupportedMediaType | Reason::MethodNotAllowed => ErrorKind::Unsupported,
            Reason::NoSuchPath => ErrorKind::NotFound,
            Reason::Overloaded => ErrorKind::Unavailable,
        };
        Error::new(kind, "api.request", self.message())
    }

    /// The error with its causes, for the log alone.
    pub(crate) fn cause(&self) -> Option<&Error> {
        self.0.cause.as_ref()
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(std::sync::Arc::new(Inner {
            reason: Reason::Failed(error.kind()),
            message: error.message().to_owned(),
            field: error.field().map(str::to_owned),
            retry_after: None,
            cause: Some(error),
        }))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
