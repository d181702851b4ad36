//! Writing, whole or not at all.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use sandbox_core::{
    ByteStream, Error, ErrorKind, FileInfo, Result, SandboxPath, WriteOptions, check_mode,
};

use super::open_file::OpenFile;
use super::{STEP_BYTES, Volume, refuse_user, refused};
use crate::fs::{Errno, FileSystem, Placing};

const OPERATION: &str = "wasm.write";

/// As [`Sandbox::write`](sandbox_core::Sandbox::write). The bytes go into a file without a name,
/// which takes the place of the old one when all are there; a future that is dropped drops that.
pub(crate) async fn write<V: Volume>(
    volume: &Arc<V>,
    path: &SandboxPath,
    mut body: ByteStream,
    options: WriteOptions,
) -> Result<FileInfo> {
    check_mode(options.mode)?;
    refuse_user(OPERATION, options.user.as_ref())?;
    let refused = |errno| refused(OPERATION, "path", path, errno);
    let staged = {
        let mut files = volume.enter(OPERATION)?;
        check_place(&files, path, options.create_parents).map_err(refused)?;
        let handle = files.open_unnamed(volume.caller()).map_err(refused)?;
        drop(files);
        OpenFile::new(volume, handle)
    };
    let mut at = 0;
    while let Some(chunk) = body.next().await {
        let mut chunk: Bytes = chunk?;
        while !chunk.is_empty() {
            let step = chunk.split_to(chunk.len().min(STEP_BYTES));
            at = write_step(&staged, at, &step).map_err(|errno| lost_or(errno, refused))?;
        }
    }
    let mut files = volume.enter(OPERATION)?;
    let placing = Placing {
        mode: options.mode,
        owner: None,
        create_parents: options.create_parents,
    };
    files
        .place(staged.handle, path, placing, volume.caller())
        .and_then(|()| files.info(path, true, &files.owners()))
        .map_err(|errno| lost_or(errno, refused))
}

fn write_step<V: Volume>(file: &OpenFile<V>, at: u64, bytes: &[u8]) -> Result<u64, Errno> {
    let by = file.volume().caller();
    file.with(|files, handle| files.write_at(handle, at, bytes, by))
}

/// The handle is the runtime's own: it is unknown only where the files are gone.
fn lost_or(errno: Errno, refused: impl FnOnce(Errno) -> Error) -> Error {
    match errno {
        Errno::BadHandle => {
            let message = "the sandbox was destroyed while the file was written";
            Error::new(ErrorKind::NotFound, OPERATION, message)
        }
        other => refused(other),
    }
}

/// Refuses, before any byte is taken, what could not be placed as things are now.
fn check_place(files: &FileSystem, path: &SandboxPath, create_parents: bool) -> Result<(), Errno> {
    let missing = match files.metadata(path, true) {
        Ok(found) if found.kind == sandbox_core::FileKind::Directory => {
            return Err(Errno::IsDirectory);
        }
        Ok(_) => return Ok(()),
        Err(Errno::NotFound) => path.parent(),
        Err(errno) => return Err(errno),
    };
    match missing {
        // A link that leads nowhere yet may be what is written through.
        Some(parent) if !create_parents && files.metadata(path, false).is_err() => {
            files.metadata(&parent, true).map(drop)
        }
        Some(_) | None => Ok(()),
    }
}
