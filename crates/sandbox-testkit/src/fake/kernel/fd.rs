//! Open descriptors.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};

use super::Kernel;
use super::outbox::OutWriter;
use super::pipe::{PipeReader, PipeWriter};
use super::pty::Pty;
use crate::fake::tree::{Device, FsError, Ino};
use crate::lock::Locked;

/// How much is read or written at once.
pub(crate) const CHUNK: usize = 64 << 10;

/// Why a descriptor cannot do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IoError {
    /// Nobody reads: the writer gets SIGPIPE.
    Broken,
    BadDescriptor,
    Fs(FsError),
}

impl std::fmt::Display for IoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken => f.write_str("Broken pipe"),
            Self::BadDescriptor => f.write_str("Bad file descriptor"),
            Self::Fs(error) => error.fmt(f),
        }
    }
}

/// A file and where in it the next byte is read or written.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) ino: Ino,
    pub(crate) offset: Mutex<u64>,
    pub(crate) append: bool,
}

/// One connection, shared by whoever inherited it.
#[derive(Debug)]
pub(crate) struct Socket {
    reader: tokio::sync::Mutex<ReadHalf<DuplexStream>>,
    writer: tokio::sync::Mutex<WriteHalf<DuplexStream>>,
}

impl Socket {
    pub(crate) fn new(stream: DuplexStream) -> Arc<Self> {
        let (reader, writer) = tokio::io::split(stream);
        Arc::new(Self {
            reader: tokio::sync::Mutex::new(reader),
            writer: tokio::sync::Mutex::new(writer),
        })
    }

    /// Ends this direction.
    pub(crate) async fn shutdown(&self) {
        // The other side may be gone already, which is an end as well.
        let _ = self.writer.lock().await.shutdown().await;
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Fd {
    Device(Device),
    PipeIn(Arc<PipeReader>),
    PipeOut(Arc<PipeWriter>),
    Out(Arc<OutWriter>),
    File(Arc<OpenFile>),
    Tty(Arc<Pty>),
    Socket(Arc<Socket>),
}

impl Fd {
    pub(crate) const NULL: Self = Self::Device(Device::Null);

    /// The next bytes, at most `max`; empty at the end.
    pub(crate) async fn read(&self, kernel: &Kernel, max: usize) -> Result<Bytes, IoError> {
        match self {
            Self::Device(Device::Null) => Ok(Bytes::new()),
            Self::Device(Device::Zero | Device::Full) => {
                tokio::task::consume_budget().await;
                Ok(vec![0; max.min(CHUNK)].into())
            }
            Self::PipeIn(pipe) => Ok(pipe.read(max).await),
            Self::PipeOut(_) | Self::Out(_) => Err(IoError::BadDescriptor),
            Self::File(file) => file.read(kernel, max),
            Self::Tty(pty) => Ok(pty.read(max).await),
            Self::Socket(socket) => {
                let mut buffer = vec![0; max.min(CHUNK)];
                let read = socket.reader.lock().await.read(&mut buffer).await;
                buffer.truncate(read.unwrap_or(0));
                Ok(buffer.into())
            }
        }
    }

    /// Writes everything.
    pub(crate) async fn write(&self, kernel: &Kernel, data: Bytes) -> Result<(), IoError> {
        match self {
            Self::Device(Device::Null | Device::Zero) => Ok(()),
            Self::Device(Device::Full) => Err(IoError::Fs(FsError::NoSpace)),
            Self::PipeIn(_) => Err(IoError::BadDescriptor),
            Self::PipeOut(pipe) => pipe.write(data).await.map_err(|_| IoError::Broken),
            Self::Out(out) => {
                out.write(data).await;
                Ok(())
            }
            Self::File(file) => file.write(kernel, &data),
            Self::Tty(pty) => {
                pty.write(&data).await;
                Ok(())
            }
            Self::Socket(socket) => {
                let mut writer = socket.writer.lock().await;
                writer.write_all(&data).await.map_err(|_| IoError::Broken)
            }
        }
    }
}

impl OpenFile {
    fn read(&self, kernel: &Kernel, max: usize) -> Result<Bytes, IoError> {
        let data = kernel
            .files(|tree| tree.data(self.ino))
            .map_err(IoError::Fs)?;
        let mut offset = self.offset.locked();
        let start = usize::try_from(*offset)
            .unwrap_or(usize::MAX)
            .min(data.len());
        let end = data.len().min(start + max.min(CHUNK));
        *offset = end as u64;
        Ok(Bytes::copy_from_slice(&data[start..end]))
    }

    fn write(&self, kernel: &Kernel, data: &[u8]) -> Result<(), IoError> {
        let mut offset = self.offset.locked();
        let written = kernel.edit_files(|tree| {
            if self.append {
                *offset = tree.data(self.ino)?.len() as u64;
            }
            tree.write_at(self.ino, *offset, data)
        });
        match written {
            Ok(()) => *offset += data.len() as u64,
            // The file was removed under its writer, who notices nothing.
            Err(FsError::NotFound) => {}
            Err(error) => return Err(IoError::Fs(error)),
        }
        Ok(())
    }
}
