//! Names in an archive, and what is said about entries that are refused.

use std::io::{self, Read};

use sandbox_core::{Error, ErrorKind, MAX_NAME_BYTES};

use super::errno::Errno;
use super::walk::check_path;

pub(super) const OPERATION: &str = "fs.import";
/// The most parts of a name in an archive.
const MAX_DEPTH: usize = 1024;

pub(super) fn utf8(bytes: &[u8]) -> Result<String, Error> {
    String::from_utf8(bytes.to_vec())
        .map_err(|e| refused(&String::from_utf8_lossy(e.as_bytes()), "is not UTF-8"))
}

/// The parts of a name in an archive.
pub(super) fn split(path: &str) -> Result<Vec<&str>, Error> {
    if path.starts_with('/') {
        return Err(refused(path, "is absolute"));
    }
    check_path(path).map_err(at(path))?;
    let names: Vec<&str> = path
        .split('/')
        .filter(|name| !name.is_empty() && *name != ".")
        .collect();
    if names.contains(&"..") {
        return Err(refused(path, "climbs"));
    }
    if names.len() > MAX_DEPTH || names.iter().any(|n| n.len() > MAX_NAME_BYTES) {
        return Err(at(path)(Errno::NameTooLong));
    }
    Ok(names)
}

pub(super) fn link_text<R: Read>(entry: &tar::Entry<'_, R>, path: &str) -> Result<String, Error> {
    let bytes = entry
        .link_name_bytes()
        .ok_or_else(|| refused(path, "is a link to nothing"))?;
    utf8(&bytes)
}

fn shown(path: &str) -> String {
    format!("{:?}", path.chars().take(80).collect::<String>())
}

pub(super) fn refused(path: &str, problem: &str) -> Error {
    Error::invalid(OPERATION, "archive", format!("{} {problem}", shown(path)))
}

pub(super) fn broken(error: io::Error) -> Error {
    Error::invalid(OPERATION, "archive", "is broken or cut off").with_source(error)
}

/// An [`Errno`] at an entry. In an archive, what is missing is the archive's fault.
pub(super) fn at(path: &str) -> impl Fn(Errno) -> Error {
    let path = shown(path);
    move |errno| {
        let cause = errno.into_error(OPERATION, "archive");
        let kind = match cause.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied => ErrorKind::InvalidSpec,
            kind => kind,
        };
        Error::new(kind, OPERATION, format!("{path}: {}", cause.message()))
            .with_field("archive")
            .with_source(errno)
    }
}
