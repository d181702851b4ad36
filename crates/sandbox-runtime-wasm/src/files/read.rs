//! Reading.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use sandbox_core::{
    ByteStream, Error, ErrorKind, FileContent, FileKind, ReadOptions, Result, SandboxPath,
};

use super::open_file::OpenFile;
use super::{STEP_BYTES, Volume, not_seen, refused};
use crate::fs::{Errno, OpenOptions};

const OPERATION: &str = "wasm.read";

/// As [`Sandbox::read`](sandbox_core::Sandbox::read).
pub(crate) fn read<V: Volume>(
    volume: &Arc<V>,
    path: &SandboxPath,
    options: ReadOptions,
) -> Result<FileContent> {
    let mut files = volume.enter(OPERATION)?;
    let owners = files.owners();
    let mut open = || {
        let info = files.info(path, true, &owners)?;
        let for_reading = OpenOptions {
            read: true,
            ..OpenOptions::default()
        };
        let handle = match info.kind {
            FileKind::File => files.open(path, for_reading, volume.caller())?,
            FileKind::Directory | FileKind::Symlink | FileKind::Other => {
                return Err(Errno::IsDirectory);
            }
        };
        Ok((info, handle))
    };
    let opened = open();
    drop(files);
    let (info, handle) = opened.map_err(|errno| not_seen(OPERATION, "path", path, errno))?;
    let start = options.offset.min(info.size);
    let end = options
        .length
        .map_or(info.size, |length| start.saturating_add(length))
        .min(info.size);
    let body = body(OpenFile::new(volume, handle), path.clone(), start, end);
    Ok(FileContent { info, body })
}

fn body<V: Volume>(file: OpenFile<V>, path: SandboxPath, start: u64, end: u64) -> ByteStream {
    Box::pin(stream::unfold((Some(file), start), move |(file, at)| {
        let path = path.clone();
        async move {
            let file = file?;
            match step(&file, &path, at, end) {
                Ok(chunk) if chunk.is_empty() => None,
                Ok(chunk) => {
                    let next = at + chunk.len() as u64;
                    Some((Ok(chunk), (Some(file), next)))
                }
                Err(error) => Some((Err(error), (None, at))),
            }
        }
    }))
}

/// The bytes from `at` on, at most to `end`; none at the end.
fn step<V: Volume>(file: &OpenFile<V>, path: &SandboxPath, at: u64, end: u64) -> Result<Bytes> {
    let wanted = end.saturating_sub(at).min(STEP_BYTES as u64) as usize;
    if wanted == 0 {
        return Ok(Bytes::new());
    }
    let mut bytes = vec![0; wanted];
    let read = file.with(|files, handle| files.read_at(handle, at, &mut bytes));
    match read {
        Ok(read) => {
            bytes.truncate(read);
            Ok(bytes.into())
        }
        Err(Errno::BadHandle) => {
            let message = "the sandbox was destroyed while the file was read";
            Err(Error::new(ErrorKind::NotFound, OPERATION, message))
        }
        Err(errno) => Err(refused(OPERATION, "path", path, errno)),
    }
}
