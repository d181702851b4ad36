//! Reading and writing what never waits: files and devices.

use super::call::Call;
use super::iovec::Buffers;
use super::memory::Guest;
use crate::fs;
use crate::kernel::{Description, Entropy, Errno, Fd, Object, OpenHandle, Result};

/// What a call about a descriptor came to.
#[derive(Debug)]
pub(super) enum Begun {
    /// It is done, and its answer written.
    Done,
    /// It may have to wait.
    Stream(Stream),
}

/// A call that may wait: what for, and with which buffers.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) description: std::sync::Arc<Description>,
    pub(super) buffers: Buffers,
}

/// Where in a file: where it stands, or a given offset that leaves its position alone.
#[derive(Debug, Clone, Copy)]
enum Where {
    Position,
    At(u64),
}

impl Call<'_> {
    /// `fd_read` up to where it may wait.
    pub(super) fn begin_read(&mut self, fd: Fd, list: u32, count: u32, out: u32) -> Result<Begun> {
        let description = self.readable(fd)?;
        let buffers = Buffers::read(&self.memory, list, count)?;
        self.memory.check(out, 4)?;
        if description.is_stream() {
            return Ok(Begun::Stream(Stream {
                description,
                buffers,
            }));
        }
        let moved = self.read(&description, &buffers, Where::Position)?;
        self.memory.write_u32(out, moved)?;
        Ok(Begun::Done)
    }

    /// `fd_write` up to where it may wait.
    pub(super) fn begin_write(&mut self, fd: Fd, list: u32, count: u32, out: u32) -> Result<Begun> {
        let description = self.writable(fd)?;
        let buffers = Buffers::read(&self.memory, list, count)?;
        self.memory.check(out, 4)?;
        if description.is_stream() {
            return Ok(Begun::Stream(Stream {
                description,
                buffers,
            }));
        }
        let moved = self.write(&description, &buffers, Where::Position)?;
        self.memory.write_u32(out, moved)?;
        Ok(Begun::Done)
    }

    pub(super) fn fd_pread(
        &mut self,
        fd: Fd,
        list: u32,
        count: u32,
        offset: u64,
        out: u32,
    ) -> Result<()> {
        let description = self.readable(fd)?;
        let offset = seekable(&description, offset)?;
        let buffers = Buffers::read(&self.memory, list, count)?;
        self.memory.check(out, 4)?;
        let moved = self.read(&description, &buffers, offset)?;
        self.memory.write_u32(out, moved)
    }

    pub(super) fn fd_pwrite(
        &mut self,
        fd: Fd,
        list: u32,
        count: u32,
        offset: u64,
        out: u32,
    ) -> Result<()> {
        let description = self.writable(fd)?;
        let offset = seekable(&description, offset)?;
        let buffers = Buffers::read(&self.memory, list, count)?;
        self.memory.check(out, 4)?;
        let moved = self.write(&description, &buffers, offset)?;
        self.memory.write_u32(out, moved)
    }

    fn readable(&self, fd: Fd) -> Result<std::sync::Arc<Description>> {
        let description = self.description(fd)?;
        match description.object {
            Object::Directory(_) => Err(Errno::ISDIR),
            _ if !description.read => Err(Errno::BADF),
            _ => Ok(description),
        }
    }

    fn writable(&self, fd: Fd) -> Result<std::sync::Arc<Description>> {
        let description = self.description(fd)?;
        if description.write {
            Ok(description)
        } else {
            Err(Errno::BADF)
        }
    }

    fn read(&mut self, from: &Description, buffers: &Buffers, at: Where) -> Result<u32> {
        match &from.object {
            Object::File(handle) => read_file(&mut self.memory, from, handle, buffers, at),
            Object::Zero | Object::Full => {
                for (start, len) in buffers.iter() {
                    self.memory.bytes_mut(start, len)?.fill(0);
                }
                Ok(buffers.total())
            }
            Object::Random(entropy) => read_random(&mut self.memory, &**entropy, buffers),
            _ => Ok(0),
        }
    }

    fn write(&mut self, to: &Description, buffers: &Buffers, at: Where) -> Result<u32> {
        match &to.object {
            Object::File(handle) => {
                let by = self.caller();
                write_file(&self.memory, to, handle, buffers, at, by)
            }
            Object::Full if buffers.total() > 0 => Err(Errno::NOSPC),
            _ => Ok(buffers.total()),
        }
    }
}

fn seekable(description: &Description, offset: u64) -> Result<Where> {
    if description.is_stream() {
        return Err(Errno::SPIPE);
    }
    if offset > i64::MAX as u64 {
        return Err(Errno::INVAL);
    }
    Ok(Where::At(offset))
}

fn read_file(
    memory: &mut Guest<'_>,
    from: &Description,
    handle: &OpenHandle,
    buffers: &Buffers,
    at: Where,
) -> Result<u32> {
    let mut position = from.position.lock();
    let start = match at {
        Where::Position => *position,
        Where::At(offset) => offset,
    };
    let files = handle.files().lock();
    let mut moved = 0;
    for (address, len) in buffers.iter() {
        let into = memory.bytes_mut(address, len)?;
        let read = files.read_at(handle.get(), start + u64::from(moved), into)? as u32;
        moved += read;
        if read < len {
            break;
        }
    }
    if let Where::Position = at {
        *position = start + u64::from(moved);
    }
    Ok(moved)
}

fn write_file(
    memory: &Guest<'_>,
    to: &Description,
    handle: &OpenHandle,
    buffers: &Buffers,
    at: Where,
    by: fs::Caller,
) -> Result<u32> {
    let mut position = to.position.lock();
    let mut files = handle.files().lock();
    let appends = to.append.load(std::sync::atomic::Ordering::Relaxed);
    let start = match at {
        // As on Linux, appending comes before any offset.
        _ if appends => files.metadata_of(handle.get())?.size,
        Where::Position => *position,
        Where::At(offset) => offset,
    };
    let mut moved = 0;
    for (address, len) in buffers.iter() {
        let bytes = memory.bytes(address, len)?;
        let offset = start + u64::from(moved);
        match write_some(&mut files, handle, offset, bytes, by) {
            Ok(written) => {
                moved += written;
                if written < len {
                    break;
                }
            }
            Err(_) if moved > 0 => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    if let Where::Position = at {
        *position = start + u64::from(moved);
    }
    Ok(moved)
}

/// Writes what fits. The file system writes all or nothing; Linux fills the disk to the last byte.
pub(crate) fn write_some(
    files: &mut fs::FileSystem,
    handle: &OpenHandle,
    offset: u64,
    bytes: &[u8],
    by: fs::Caller,
) -> fs::Result<u32> {
    let mut len = bytes.len();
    loop {
        match files.write_at(handle.get(), offset, &bytes[..len], by) {
            Ok(_) => return Ok(len as u32),
            Err(fs::Errno::NoSpace | fs::Errno::FileTooBig) if len > 1 => len /= 2,
            Err(errno) => return Err(errno),
        }
    }
}

fn read_random(memory: &mut Guest<'_>, entropy: &dyn Entropy, buffers: &Buffers) -> Result<u32> {
    let mut moved = 0;
    for (start, len) in buffers.iter() {
        let now = len.min(super::environment::RANDOM_BYTES);
        if !entropy.fill(memory.bytes_mut(start, now)?) {
            return Err(Errno::IO);
        }
        moved += now;
        if now < len {
            break;
        }
    }
    Ok(moved)
}
