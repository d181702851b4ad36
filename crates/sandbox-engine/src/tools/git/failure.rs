//! What git's messages mean.

use sandbox_core::{Error, ErrorKind, ExecOutput};

use super::Credentials;
use super::credentials::redact;

pub(super) fn no_git(operation: &'static str) -> Error {
    let message = "git is not installed in the sandbox; install it (apt-get install git, \
                   apk add git) or use an image that has it";
    Error::unsupported(operation, "git", message)
}

/// Kinds and fields by what git, its transports or a host print, most telling first.
const REMOTE_FAILURES: [(&[&str], ErrorKind, &str); 5] = [
    (
        &[
            "authentication failed",
            "could not read username",
            "could not read password",
            "returned error: 401",
            "returned error: 403",
            "permission denied",
            "permission to ",
            "access denied",
            "host key verification failed",
        ],
        ErrorKind::PermissionDenied,
        "token",
    ),
    (
        &[
            "remote branch ",
            "couldn't find remote ref",
            "could not find remote branch",
        ],
        ErrorKind::NotFound,
        "branch",
    ),
    (
        &[
            "repository not found",
            "returned error: 404",
            "does not appear to be a git repository",
            "not found",
            "does not exist",
        ],
        ErrorKind::NotFound,
        "url",
    ),
    (
        &["not allowed", "not supported"],
        ErrorKind::InvalidSpec,
        "url",
    ),
    (
        &[
            "could not resolve host",
            "failed to connect",
            "couldn't connect",
            "connection refused",
            "connection timed out",
            "connection reset",
            "network is unreachable",
            "no route to host",
            "operation timed out",
            "unable to access",
            "unable to look up",
            "hung up",
            "returned error: 5",
        ],
        ErrorKind::Unavailable,
        "url",
    ),
];

/// The error of a command that talked to a remote and failed.
pub(super) fn remote_failure(
    operation: &'static str,
    output: &ExecOutput,
    credentials: Option<&Credentials>,
) -> Error {
    let said = output.stderr_lossy();
    let lower = said.to_lowercase();
    let message = format!("git failed: {}", redact(&said, credentials));
    let known = REMOTE_FAILURES
        .iter()
        .find(|(signs, _, _)| signs.iter().any(|sign| lower.contains(sign)));
    match known {
        Some((_, kind, field)) => Error::new(*kind, operation, message).with_field(*field),
        None => Error::new(ErrorKind::Conflict, operation, message),
    }
}

/// The error of a command in a repository that failed because of its state.
pub(super) fn local_failure(operation: &'static str, output: &ExecOutput) -> Error {
    let said = if output.stderr.is_empty() {
        output.stdout_lossy()
    } else {
        output.stderr_lossy()
    };
    let message = format!("git failed: {}", redact(&said, None));
    Error::new(ErrorKind::Conflict, operation, message)
}
