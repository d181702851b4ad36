//! Fields by the names that the traits have for them, where the API has others.

use sandbox_core::{Error, ErrorKind, SandboxPath};

/// The same error once more: errors are not `Clone`, because causes are not.
pub(super) fn again(error: &Error) -> Error {
    let copy = Error::new(error.kind(), error.operation(), error.message());
    match error.field() {
        Some(field) => copy.with_field(field),
        None => copy,
    }
}

/// With another name for a field.
pub(super) fn renamed(error: Error, from: &str, to: &'static str) -> Error {
    match error.field() == Some(from) {
        true => error.with_field(to),
        false => error,
    }
}

/// Of making something from a source: `snapshot` in the API is `source.snapshot` in a spec.
pub(super) fn of_source(error: Error) -> Error {
    let error = renamed(error, "snapshot", "source.snapshot");
    renamed(error, "source.image", "image")
}

/// Of a snapshot itself.
pub(super) fn of_snapshot(error: Error) -> Error {
    let error = renamed(error, "snapshot_id", "snapshot");
    renamed(error, "source.snapshot", "snapshot")
}

/// Of reading the root: the API takes its path for none of a file, where the traits see a directory.
pub(super) fn of_root(error: Error, path: &SandboxPath) -> Error {
    match error.kind() {
        ErrorKind::InvalidSpec if path.is_root() => {
            let message = "is a directory";
            Error::new(ErrorKind::Conflict, error.operation(), message).with_field("path")
        }
        _ => error,
    }
}

/// Of a process: the API looks it up by an id of its own.
pub(super) fn of_process(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => renamed(error, "process", "pid"),
        _ => error,
    }
}
