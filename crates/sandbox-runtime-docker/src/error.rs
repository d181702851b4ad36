//! Translation of the daemon's errors at the edge: no client type goes further.

use bollard::errors::Error as Engine;
use sandbox_core::{Error, ErrorKind};

/// Turns an error of the Engine API in `operation` into ours.
pub(crate) fn translate(operation: &'static str, error: Engine) -> Error {
    let (kind, message) = match &error {
        Engine::DockerResponseServerError {
            status_code,
            message,
        } => (kind_of_status(*status_code), message.clone()),
        Engine::DockerStreamError { error } => (ErrorKind::Internal, error.clone()),
        Engine::RequestTimeoutError => (
            ErrorKind::Unavailable,
            "the Docker daemon did not answer in time".to_owned(),
        ),
        _ if is_connection(&error) => (
            ErrorKind::Unavailable,
            "the Docker daemon does not answer".to_owned(),
        ),
        _ => (
            ErrorKind::Internal,
            "the Docker daemon gave an answer that makes no sense".to_owned(),
        ),
    };
    let translated = Error::new(kind, operation, message.trim().to_owned());
    match error {
        // The message is all that these say.
        Engine::DockerResponseServerError { .. } | Engine::DockerStreamError { .. } => translated,
        _ => translated.with_source(error),
    }
}

/// A function that translates errors of `operation`, for `map_err`.
pub(crate) fn docker(operation: &'static str) -> impl Fn(Engine) -> Error {
    move |error| translate(operation, error)
}

/// Whether the daemon answered with `status`.
pub(crate) fn has_status(error: &Engine, status: u16) -> bool {
    matches!(error, Engine::DockerResponseServerError { status_code, .. } if *status_code == status)
}

/// An answer that this crate's own assumptions about the daemon exclude.
pub(crate) fn nonsense(operation: &'static str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Internal, operation, message)
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        400 => ErrorKind::InvalidSpec,
        401 | 403 => ErrorKind::PermissionDenied,
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        501 => ErrorKind::Unsupported,
        502..=504 => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    }
}

/// Whether there is no answer from the daemon at all.
pub(crate) fn is_away(error: &Engine) -> bool {
    matches!(error, Engine::RequestTimeoutError) || is_connection(error)
}

fn is_connection(error: &Engine) -> bool {
    matches!(
        error,
        Engine::IOError { .. }
            | Engine::HyperResponseError { .. }
            | Engine::HyperLegacyError { .. }
            | Engine::SocketNotFoundError(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status_code: u16) -> Engine {
        Engine::DockerResponseServerError {
            status_code,
            message: "No such container: x\n".into(),
        }
    }

    #[test]
    fn the_status_decides_the_kind_and_the_message_is_the_daemons() {
        let error = translate("docker.test", answered(404));
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.message(), "No such container: x");
        assert_eq!(
            translate("docker.test", answered(409)).kind(),
            ErrorKind::Conflict
        );
        assert_eq!(
            translate("docker.test", answered(500)).kind(),
            ErrorKind::Internal
        );
        assert!(has_status(&answered(304), 304));
    }

    #[test]
    fn a_daemon_that_is_away_is_retryable() {
        let gone = Engine::IOError {
            err: std::io::ErrorKind::ConnectionRefused.into(),
        };
        assert!(translate("docker.test", gone).is_retryable());
        assert!(translate("docker.test", Engine::RequestTimeoutError).is_retryable());
    }
}
