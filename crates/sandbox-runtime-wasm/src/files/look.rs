//! Looking: attributes, listings, watches.

use futures_util::StreamExt;
use sandbox_core::{
    BoxStream, Error, ErrorKind, FileEvent, FileInfo, ListOptions, Result, SandboxPath,
    WatchOptions,
};

use super::{Volume, not_seen, refused};
use crate::fs::Listing;

/// As [`Sandbox::stat`](sandbox_core::Sandbox::stat).
pub(crate) fn stat<V: Volume>(volume: &V, path: &SandboxPath) -> Result<FileInfo> {
    const OPERATION: &str = "wasm.stat";
    let files = volume.enter(OPERATION)?;
    files
        .info(path, false, &files.owners())
        .map_err(|errno| not_seen(OPERATION, "path", path, errno))
}

/// As [`Sandbox::list`](sandbox_core::Sandbox::list).
pub(crate) fn list<V: Volume>(
    volume: &V,
    path: &SandboxPath,
    options: ListOptions,
) -> Result<Vec<FileInfo>> {
    const OPERATION: &str = "wasm.list";
    if options.depth == 0 {
        return Err(Error::invalid(OPERATION, "depth", "must be at least 1"));
    }
    // As it is at this moment, whatever changes while it is gathered.
    let files = volume.enter(OPERATION)?.fork();
    match files.list(path, options) {
        Ok(Listing::Whole(entries)) => Ok(entries),
        Ok(Listing::TooMany) => {
            let message = format!("{path} has more than {} entries", options.limit);
            Err(Error::new(ErrorKind::LimitExceeded, OPERATION, message).with_field("limit"))
        }
        Err(errno) => Err(refused(OPERATION, "path", path, errno)),
    }
}

/// As [`Sandbox::watch`](sandbox_core::Sandbox::watch).
pub(crate) fn watch<V: Volume>(
    volume: &V,
    path: &SandboxPath,
    options: WatchOptions,
) -> Result<BoxStream<Result<FileEvent>>> {
    const OPERATION: &str = "wasm.watch";
    let events = volume
        .enter(OPERATION)?
        .watch(path, options)
        .map_err(|errno| refused(OPERATION, "path", path, errno))?;
    Ok(Box::pin(events.map(Ok)))
}
