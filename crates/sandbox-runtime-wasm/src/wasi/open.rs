//! `path_open`.

use std::sync::Arc;

use sandbox_core::FileKind;

use super::call::{Call, Place, description};
use super::descriptors::set_flags;
use super::devices;
use super::layout::{fdflags, oflags};
use super::paths::follows;
use super::rights;
use crate::fs::{self, OpenOptions};
use crate::kernel::{Description, Descriptor, Errno, Fd, Object, OpenHandle, Process, Result};

/// What a guest asks to open, checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OpenRequest {
    pub(crate) options: OpenOptions,
    /// Whether the descriptor may be written. A file can be emptied on the way without.
    pub(crate) write: bool,
    /// `fdflags`.
    pub(crate) flags: u16,
}

impl OpenRequest {
    /// # Errors
    /// `INVAL` for flags that there are not, and for making a directory by opening it.
    fn new(follow: bool, open: u32, rights: u64, flags: u32, mode: u32) -> Result<Self> {
        let flags = u16::try_from(flags).map_err(|_| Errno::INVAL)?;
        if open & !oflags::ALL != 0 || flags & !fdflags::ALL != 0 {
            return Err(Errno::INVAL);
        }
        let has = |flag| open & flag != 0;
        // Libraries ask for every right on a directory: that means no writing.
        let write = rights & rights::FD_WRITE != 0 && !has(oflags::DIRECTORY);
        let read = rights & rights::READING != 0 || !write;
        let options = OpenOptions {
            read,
            write: write || has(oflags::TRUNC),
            // Appending is the description's, which can change.
            append: false,
            create: has(oflags::CREAT),
            exclusive: has(oflags::EXCL),
            truncate: has(oflags::TRUNC),
            directory: has(oflags::DIRECTORY),
            no_follow: !follow,
            mode,
        };
        Ok(Self {
            options,
            write,
            flags,
        })
    }
}

impl Call<'_> {
    #[expect(clippy::too_many_arguments, reason = "preview 1 has it so")]
    pub(super) fn path_open(
        &mut self,
        fd: Fd,
        dir_flags: u32,
        path: u32,
        len: u32,
        open: u32,
        rights: u64,
        _inherited: u64,
        flags: u32,
        out: u32,
    ) -> Result<()> {
        let mode = self.mode(0o666);
        let request = OpenRequest::new(follows(dir_flags)?, open, rights, flags, mode)?;
        self.memory.check(out, 4)?;
        if self.process.descriptors.lock().is_full() {
            return Err(Errno::MFILE);
        }
        let description = open_at(self.process, &self.place(fd, path, len)?, request)?;
        let descriptor = Descriptor::new(description);
        let opened = self.process.descriptors.lock().insert(descriptor, 0)?;
        self.memory.write_u32(out, opened)
    }
}

/// Opens what is at `place`: a file, a directory, a device, or again one of the descriptors that
/// the process has.
///
/// # Errors
/// Those of `open(2)`.
pub(crate) fn open_at(
    process: &Process,
    place: &Place<'_>,
    request: OpenRequest,
) -> Result<Arc<Description>> {
    let machine = &process.machine;
    let (at, follow) = (place.at()?, !request.options.no_follow);
    let mut files = machine.files.lock();
    // Asked first where a file would be made in its place.
    if request.options.create
        && let Some(number) = devices::descriptor_at(&files, at, follow)
    {
        drop(files);
        return description(process, number);
    }
    let handle = match files.open(at, request.options, machine.caller(process.user)) {
        Ok(handle) => handle,
        Err(fs::Errno::NotFound) => {
            let number = devices::descriptor_at(&files, at, follow);
            drop(files);
            return description(process, number.ok_or(Errno::NOENT)?);
        }
        Err(errno) => return Err(errno.into()),
    };
    let metadata = files.metadata_of(handle)?;
    let device = devices::device(&files, metadata.ino);
    drop(files);
    let handle = OpenHandle::new(machine.files.clone(), handle);
    let object = match (device, metadata.kind) {
        (Some(device), _) => device.open(&machine.entropy)?,
        (None, FileKind::Directory) => Object::Directory(handle),
        (None, _) => Object::File(handle),
    };
    let description = Description::new(object, request.options.read, request.write);
    set_flags(&description, request.flags);
    Ok(description)
}
