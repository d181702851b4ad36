//! Reading files.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use sandbox_core::{ErrorKind, FileKind, ReadOptions, SandboxPath};

use super::{at, info, refuse};
use crate::agent::Agent;
use crate::agent::channel::Channel;
use crate::protocol::flow::{Inflow, Outflow};
use crate::protocol::{DATA_CHUNK, Reply, Tag, WireError};

/// A file that is being read.
#[derive(Debug)]
pub(crate) struct FileRead {
    file: File,
    offset: u64,
    end: u64,
    pub(crate) out: Outflow,
    pub(crate) inn: Inflow,
}

impl Agent {
    pub(crate) fn open_read(&mut self, channel: u32, path: &SandboxPath, options: ReadOptions) {
        let opened = open(path).and_then(|file| {
            let metadata = file.metadata().map_err(|error| at("path", &error))?;
            if info::kind(&metadata) != FileKind::File {
                let message = "is not a regular file";
                return Err(refuse(ErrorKind::Conflict, "path", message));
            }
            Ok((file, metadata))
        });
        let (file, metadata) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.reply(channel, Err(error)),
        };
        let real = Path::new(path.as_str());
        let about = info::describe(path.clone(), real, &metadata, &mut self.accounts);
        let length = options.length.unwrap_or(u64::MAX);
        let end = metadata.len().min(options.offset.saturating_add(length));
        self.reply(channel, Ok(Reply::File(Box::new(about))));
        let read = FileRead {
            file,
            offset: options.offset,
            end,
            out: Outflow::default(),
            inn: Inflow::default(),
        };
        self.channels.insert(channel, Channel::Read(Box::new(read)));
        self.ready_now(channel);
    }
}

fn open(path: &SandboxPath) -> Result<File, WireError> {
    // Opening a named pipe would otherwise wait for somebody who writes.
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path.as_str())
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ENOTDIR) => at("path", &std::io::Error::from_raw_os_error(libc::ENOENT)),
            _ => at("path", &error),
        })
}

impl FileRead {
    /// Reads the next piece, when the last one is on its way and there is room.
    pub(crate) fn produce(&mut self, buffer: &mut [u8]) {
        if self.out.is_ready() || self.out.is_ended() {
            return;
        }
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return self.out.push(Tag::End, end(Ok(())));
        }
        let room = self.out.room().min(DATA_CHUNK).min(buffer.len());
        if room == 0 {
            return;
        }
        let room = room.min(usize::try_from(left).unwrap_or(usize::MAX));
        match self.file.read_at(&mut buffer[..room], self.offset) {
            Ok(got) => {
                self.offset += got as u64;
                self.out.push(Tag::Bytes, buffer[..got].to_vec());
                if got == 0 || self.offset >= self.end {
                    self.out.push(Tag::End, end(Ok(())));
                }
            }
            Err(error) => self.out.push(Tag::End, end(Err(at("path", &error)))),
        }
    }
}

/// The last record of a stream.
pub(crate) fn end(result: Result<(), WireError>) -> Vec<u8> {
    match result {
        Ok(()) => b"null".to_vec(),
        // A plain value: it always serialises.
        Err(error) => serde_json::to_vec(&error).unwrap_or_else(|_| b"null".to_vec()),
    }
}
