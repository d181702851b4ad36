//! Attributes.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

use sandbox_core::{FileInfo, FileKind, Link, LinkTarget, MAX_NAME_BYTES, SandboxPath, Timestamp};

use super::at;
use crate::agent::exec::Accounts;
use crate::protocol::WireError;

/// Attributes of the file at `path`; a link's own.
pub(crate) fn stat(path: &SandboxPath, accounts: &mut Accounts) -> Result<FileInfo, WireError> {
    let real = Path::new(path.as_str());
    let metadata = fs::symlink_metadata(real).map_err(|error| match error.raw_os_error() {
        // Nothing can be below something that is no directory.
        Some(libc::ENOTDIR) => at("path", &std::io::Error::from_raw_os_error(libc::ENOENT)),
        _ => at("path", &error),
    })?;
    Ok(describe(path.clone(), real, &metadata, accounts))
}

/// The attributes in `metadata` as clients see them. `real` is where the file is.
pub(super) fn describe(
    path: SandboxPath,
    real: &Path,
    metadata: &Metadata,
    accounts: &mut Accounts,
) -> FileInfo {
    let mut info = FileInfo::new(path, kind(metadata), metadata.len());
    info.mode = metadata.mode() & 0o7777;
    info.uid = metadata.uid();
    info.gid = metadata.gid();
    info.owner = accounts.by_uid(info.uid).map(|(name, _)| name);
    info.group = accounts.group_name(info.gid);
    info.modified = modified(metadata);
    if info.kind == FileKind::Symlink {
        info.link = Some(link(real));
    }
    info
}

fn modified(metadata: &Metadata) -> Timestamp {
    let seconds = u64::try_from(metadata.mtime()).unwrap_or(0);
    let millis = u64::try_from(metadata.mtime_nsec()).unwrap_or(0) / 1_000_000;
    Timestamp::from(UNIX_EPOCH).plus(std::time::Duration::from_millis(
        seconds.saturating_mul(1000).saturating_add(millis),
    ))
}

pub(super) fn kind(metadata: &Metadata) -> FileKind {
    let kind = metadata.file_type();
    if kind.is_file() {
        FileKind::File
    } else if kind.is_dir() {
        FileKind::Directory
    } else if kind.is_symlink() {
        FileKind::Symlink
    } else {
        debug_assert!(
            kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device()
        );
        FileKind::Other
    }
}

fn link(real: &Path) -> Link {
    let text = fs::read_link(real).unwrap_or_default();
    Link {
        text: text.to_string_lossy().into_owned(),
        target: target(real),
    }
}

fn target(real: &Path) -> Option<LinkTarget> {
    let resolved = fs::canonicalize(real).ok()?;
    let metadata = fs::symlink_metadata(&resolved).ok()?;
    let mut path = SandboxPath::root();
    for name in resolved.iter().skip(1) {
        path = path.join(lossy_name(name)).ok()?;
    }
    Some(LinkTarget {
        path,
        kind: kind(&metadata),
    })
}

/// A name as text: what is not UTF-8 is replaced, in a way that keeps it a name.
pub(crate) fn lossy_name(name: &OsStr) -> String {
    let text = name.to_string_lossy();
    if text.len() <= MAX_NAME_BYTES {
        return text.into_owned();
    }
    // The replacement character is three bytes long.
    let ascii = |byte: &u8| {
        if byte.is_ascii() {
            char::from(*byte)
        } else {
            '?'
        }
    };
    name.as_bytes().iter().map(ascii).collect()
}
