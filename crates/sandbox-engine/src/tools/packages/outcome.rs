//! What a package manager's failure means.

use sandbox_core::egress::EgressMode;
use sandbox_core::{Error, ErrorKind, ExecOutput, Sandbox};

use super::{Manager, OPERATION};
use crate::tools::program::quote;

/// What managers print when the network is not there. Looked for before
/// [`UNKNOWN_PACKAGE`]: pip says that it found nothing also when it could not look.
const NO_NETWORK: [&str; 23] = [
    "ProxyError",
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EHOSTUNREACH",
    "ENETUNREACH",
    "ERR_SOCKET_TIMEOUT",
    "NewConnectionError",
    "ConnectTimeoutError",
    "ConnectTimeout",
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "Temporary failure resolving",
    "Could not resolve",
    "Couldn't resolve",
    "Could not connect",
    "Couldn't connect",
    "Failed to connect",
    "Connection refused",
    "Connection timed out",
    "Network is unreachable",
];

/// What managers print when there is no such package or version.
const UNKNOWN_PACKAGE: [&str; 12] = [
    "code E404",
    "code ETARGET",
    "No matching distribution found",
    "could not be found in registry index",
    "could not find `",
    "no matching package",
    "cannot find package",
    "does not match any version",
    "Unable to locate package",
    "has no installation candidate",
    "was not found",
    "Couldn't find any package",
];

/// What says that the manager itself is not there, although the program that should run it is.
const NO_MANAGER: [&str; 1] = ["No module named pip"];

/// The error of a manager that failed; `None` when it is not there.
pub(super) fn failure(
    sandbox: &dyn Sandbox,
    manager: Manager,
    output: &ExecOutput,
) -> Option<Error> {
    let said = format!("{}\n{}", output.stdout_lossy(), output.stderr_lossy());
    let contains = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    if contains(&NO_MANAGER) {
        return None;
    }
    let (kind, field, problem) = if contains(&NO_NETWORK) {
        // What the sandbox was made with; the policy may have been replaced since.
        match sandbox.spec().egress().mode() {
            EgressMode::DenyAll => (
                ErrorKind::PermissionDenied,
                "egress",
                "cannot reach its registry: the sandbox's egress policy denies what it does not allow",
            ),
            EgressMode::AllowAll => (
                ErrorKind::Unavailable,
                "registry",
                "cannot reach its registry",
            ),
        }
    } else if contains(&UNKNOWN_PACKAGE) {
        (
            ErrorKind::NotFound,
            "packages",
            "does not know a package or version",
        )
    } else {
        (ErrorKind::Conflict, "packages", "failed")
    };
    let message = format!("{manager} {problem}: {}", quote(&said));
    Some(Error::new(kind, OPERATION, message).with_field(field))
}

/// Whether an error says that there is no such package.
pub(super) fn is_unknown_package(error: &Error) -> bool {
    error.kind() == ErrorKind::NotFound && error.field() == Some("packages")
}
