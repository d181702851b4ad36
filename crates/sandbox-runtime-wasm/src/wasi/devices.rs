//! Devices, by where they are: the file system has none.
//!
//! A device is the regular file of its name in `/dev`, which [`install`] puts there: it has an
//! owner and times, is listed, linked to and removed as any file is, and what opens it gets the
//! device. `/dev/fd/N` is descriptor N of whoever asks, and `/dev/stdin` and its like are links
//! there.

use std::sync::Arc;

use super::layout::{FILES_DEVICE, FileStat, FileType};
use crate::fs::{At, Caller, Errno as FsErrno, FileSystem, FileTime, Ino, OpenOptions};
use crate::kernel::{Entropy, Errno, Fd, Object, Result};

/// A device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    /// `/dev/null`
    Null,
    /// `/dev/zero`
    Zero,
    /// `/dev/full`
    Full,
    /// `/dev/random` and `/dev/urandom`
    Random,
    /// `/dev/tty`: no process has one.
    Terminal,
}

const NAMES: [(&str, Device); 6] = [
    ("null", Device::Null),
    ("zero", Device::Zero),
    ("full", Device::Full),
    ("random", Device::Random),
    ("urandom", Device::Random),
    ("tty", Device::Terminal),
];

const LINKS: [(&str, &str); 3] = [
    ("/dev/stdin", "fd/0"),
    ("/dev/stdout", "fd/1"),
    ("/dev/stderr", "fd/2"),
];

/// Puts the devices' files into `/dev` where they are missing, and leaves alone what is there.
///
/// # Errors
/// [`FsErrno::NoSpace`], [`FsErrno::NotDirectory`] when `/dev` is something else.
pub(crate) fn install(files: &mut FileSystem, by: Caller) -> Result<(), FsErrno> {
    for dir in ["/dev", "/dev/fd"] {
        unless_there(files.make_dir(dir, 0o755, by).map(drop))?;
    }
    let options = OpenOptions {
        write: true,
        create: true,
        exclusive: true,
        mode: 0o666,
        ..OpenOptions::default()
    };
    for (name, _) in NAMES {
        let opened = files.open(&*format!("/dev/{name}"), options, by);
        unless_there(opened.and_then(|handle| files.close(handle)))?;
    }
    for (path, text) in LINKS {
        unless_there(files.symlink(text, path, by).map(drop))?;
    }
    Ok(())
}

/// As [`install`], for files that are about to be used, as far as there is room: a tree from
/// elsewhere may have no `/dev`, and programs take it for granted. Quick where it is there.
pub(crate) fn ensure(files: &mut FileSystem, now: FileTime) {
    if files.metadata("/dev/null", false).is_err() {
        let by = Caller {
            now,
            ..Caller::default()
        };
        if let Err(errno) = install(files, by) {
            tracing::debug!(%errno, "a sandbox has not all of its devices");
        }
    }
}

fn unless_there(made: Result<(), FsErrno>) -> Result<(), FsErrno> {
    match made {
        Err(FsErrno::Exists) => Ok(()),
        made => made,
    }
}

/// The device that the inode is.
pub(crate) fn device(files: &FileSystem, ino: Ino) -> Option<Device> {
    let dev = files.child(Ino::ROOT, "dev")?;
    named(files.file_name_in(ino, dev)?)
}

/// Whether the inode is `/dev`, so that its entries are devices by [`named`].
pub(crate) fn is_dev(files: &FileSystem, ino: Ino) -> bool {
    files.child(Ino::ROOT, "dev") == Some(ino)
}

/// The device of this name.
pub(super) fn named(name: &str) -> Option<Device> {
    let found = NAMES.iter().find(|(device, _)| *device == name);
    found.map(|(_, device)| *device)
}

/// The descriptor that a path under `/dev/fd` names.
pub(crate) fn descriptor_at(files: &FileSystem, at: At<'_>, follow: bool) -> Option<Fd> {
    let (dir, name) = files.missing(at, follow)?;
    let dev = files.child(Ino::ROOT, "dev")?;
    if files.child(dev, "fd") != Some(dir) || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    name.parse().ok()
}

impl Device {
    /// Opens it.
    ///
    /// # Errors
    /// `NXIO` for the terminal that is not there.
    pub(super) fn open(self, entropy: &Arc<dyn Entropy>) -> Result<Object> {
        match self {
            Self::Null => Ok(Object::Null),
            Self::Zero => Ok(Object::Zero),
            Self::Full => Ok(Object::Full),
            Self::Random => Ok(Object::Random(entropy.clone())),
            Self::Terminal => Err(Errno::NXIO),
        }
    }
}

/// The attributes of an open device, which does not know its file any more.
pub(super) fn stat_of(object: &Object) -> Option<FileStat> {
    // Every device has its own number, so that two descriptors can be told to be the same.
    let inode = match object {
        Object::Null => 1,
        Object::Zero => 2,
        Object::Full => 3,
        Object::Random(_) => 4,
        _ => return None,
    };
    Some(FileStat {
        device: FILES_DEVICE + 2,
        inode,
        ..FileStat::of_stream(FileType::CharacterDevice)
    })
}
