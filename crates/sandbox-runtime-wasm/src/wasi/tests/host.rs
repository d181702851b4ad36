//! Calls on the machine's own file system, in a temporary directory.

use std::collections::BTreeMap;
use std::io::{IoSlice, IoSliceMut};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom, Timespec, Timestamps};
use rustix::io::Errno as HostErrno;

use super::against_host::Call;
use crate::kernel::Errno;

/// Deep enough that no path made here climbs out of it.
pub(super) const BASE: &str = "r1/r2/r3/r4";

/// What a call answered, as far as both sides can say the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Descriptor(u32),
    Number(u64),
    Bytes(Vec<u8>),
    /// Kind; size and links of what is no directory.
    Attributes(u8, u64, u64),
    Entries(BTreeMap<String, u8>),
}

/// What a tree holds by path: the kind, and a file's bytes or a link's text.
pub(super) type Tree = BTreeMap<String, (u8, Vec<u8>)>;

pub(super) struct Host {
    root: tempfile::TempDir,
    /// By the number of the guest's descriptor.
    pub(super) open: BTreeMap<u32, OwnedFd>,
}

impl Host {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let base = root.path().join(BASE);
        std::fs::create_dir_all(&base).unwrap();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(&base, flags, Mode::empty()).unwrap();
        // The guest has the root as 3, and opens the base after it as the lowest free number.
        let open = BTreeMap::from([(0, dir)]);
        Self { root, open }
    }

    fn get(&self, fd: u32) -> Result<&OwnedFd, HostErrno> {
        self.open.get(&fd).ok_or(HostErrno::BADF)
    }

    pub(super) fn is_directory(&self, fd: u32) -> bool {
        self.get(fd).is_ok_and(|file| is_dir(file) == Ok(true))
    }

    pub(super) fn run(&mut self, call: &Call, fd: &dyn Fn(usize) -> u32) -> Result<Answer, Errno> {
        self.call(call, fd).map_err(errno)
    }

    fn call(&mut self, call: &Call, fd: &dyn Fn(usize) -> u32) -> Result<Answer, HostErrno> {
        match call {
            Call::Open { .. } => return self.open_file(call, fd),
            Call::Close(slot) => {
                let closed = self.open.remove(&fd(*slot)).ok_or(HostErrno::BADF)?;
                drop(closed);
            }
            Call::Renumber(from, to) => {
                self.get(fd(*from))?;
                if fd(*from) != fd(*to) {
                    let moved = self.open.remove(&fd(*from)).ok_or(HostErrno::BADF)?;
                    self.open.insert(fd(*to), moved);
                }
            }
            Call::Read(..) | Call::Write(..) | Call::ReadAt(..) | Call::WriteAt(..) => {
                return self.transfer(call, fd);
            }
            Call::Seek(slot, offset, whence) => {
                let file = self.get(fd(*slot))?;
                // A directory's position is no offset in preview 1.
                if is_dir(file)? {
                    return Err(HostErrno::BADF);
                }
                let to = match whence {
                    0 if *offset < 0 => return Err(HostErrno::INVAL),
                    0 => SeekFrom::Start(*offset as u64),
                    1 => SeekFrom::Current(*offset),
                    _ => SeekFrom::End(*offset),
                };
                return rustix::fs::seek(file, to).map(Answer::Number);
            }
            Call::SetSize(slot, size) => rustix::fs::ftruncate(self.get(fd(*slot))?, *size)?,
            Call::Allocate(slot, offset, len) => {
                let file = self.get(fd(*slot))?;
                allocate(file, *offset, *len)?;
            }
            Call::Append(slot, on) => {
                let file = self.get(fd(*slot))?;
                let mut flags = rustix::fs::fcntl_getfl(file)?;
                flags.set(OFlags::APPEND, *on);
                rustix::fs::fcntl_setfl(file, flags)?;
            }
            Call::Stat(slot) => {
                return Ok(attributes(&rustix::fs::fstat(self.get(fd(*slot))?)?));
            }
            Call::List(slot, _) => return list(self.get(fd(*slot))?).map(Answer::Entries),
            Call::Hostile(..) => return Err(HostErrno::FAULT),
            _ => return self.by_path(call, fd),
        }
        Ok(Answer::Done)
    }

    fn open_file(&mut self, call: &Call, fd: &dyn Fn(usize) -> u32) -> Result<Answer, HostErrno> {
        let Call::Open {
            dir,
            path,
            flags,
            read,
            write,
            follow,
            append,
        } = call
        else {
            return Err(HostErrno::INVAL);
        };
        let bit = |bit: u32| flags & bit != 0;
        // A newer kernel refuses what an older one did halfway.
        if bit(1) && bit(2) {
            let is_dir = is_dir(self.get(fd(*dir))?)?;
            return Err(if is_dir {
                HostErrno::INVAL
            } else {
                HostErrno::NOTDIR
            });
        }
        let write = *write && !bit(2);
        let mut host = match (*read, write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            _ => OFlags::RDONLY,
        } | OFlags::CLOEXEC;
        host.set(OFlags::CREATE, bit(1));
        host.set(OFlags::DIRECTORY, bit(2));
        host.set(OFlags::EXCL, bit(4) && bit(1));
        host.set(OFlags::TRUNC, bit(8));
        host.set(OFlags::NOFOLLOW, !follow);
        host.set(OFlags::APPEND, *append);
        let mode = Mode::from_raw_mode(0o644);
        let opened = rustix::fs::openat(self.get(fd(*dir))?, path.as_str(), host, mode)?;
        let number = (0..).find(|number| *number != 3 && !self.open.contains_key(number));
        let number = number.ok_or(HostErrno::MFILE)?;
        self.open.insert(number, opened);
        Ok(Answer::Descriptor(number))
    }

    fn transfer(&self, call: &Call, fd: &dyn Fn(usize) -> u32) -> Result<Answer, HostErrno> {
        match call {
            Call::Read(slot, lens) => {
                let mut buffers: Vec<Vec<u8>> = lens.iter().map(|len| vec![0; *len]).collect();
                let mut slices: Vec<_> = buffers.iter_mut().map(|b| IoSliceMut::new(b)).collect();
                let count = rustix::io::readv(self.get(fd(*slot))?, &mut slices)?;
                let mut bytes = buffers.concat();
                bytes.truncate(count);
                Ok(Answer::Bytes(bytes))
            }
            Call::Write(slot, lens, byte) => {
                let buffers: Vec<Vec<u8>> = lens.iter().map(|len| vec![*byte; *len]).collect();
                let slices: Vec<_> = buffers.iter().map(|b| IoSlice::new(b)).collect();
                let count = rustix::io::writev(self.get(fd(*slot))?, &slices)?;
                Ok(Answer::Number(count as u64))
            }
            Call::ReadAt(slot, offset, len) => {
                let mut bytes = vec![0; *len];
                let count = rustix::io::pread(self.get(fd(*slot))?, &mut bytes[..], *offset)?;
                bytes.truncate(count);
                Ok(Answer::Bytes(bytes))
            }
            Call::WriteAt(slot, offset, len, byte) => {
                let bytes = vec![*byte; *len];
                let count = rustix::io::pwrite(self.get(fd(*slot))?, &bytes, *offset)?;
                Ok(Answer::Number(count as u64))
            }
            other => panic!("{other:?} moves no bytes"),
        }
    }

    fn by_path(&self, call: &Call, fd: &dyn Fn(usize) -> u32) -> Result<Answer, HostErrno> {
        let nofollow = |follow: bool| {
            if follow {
                AtFlags::empty()
            } else {
                AtFlags::SYMLINK_NOFOLLOW
            }
        };
        match call {
            Call::StatPath(dir, path, follow) => {
                let dir = self.get(fd(*dir))?;
                let stat = rustix::fs::statat(dir, path.as_str(), nofollow(*follow))?;
                return Ok(attributes(&stat));
            }
            Call::MakeDir(dir, path) => {
                let mode = Mode::from_raw_mode(0o755);
                rustix::fs::mkdirat(self.get(fd(*dir))?, path.as_str(), mode)?;
            }
            Call::RemoveDir(dir, path) => {
                rustix::fs::unlinkat(self.get(fd(*dir))?, path.as_str(), AtFlags::REMOVEDIR)?;
            }
            Call::Unlink(dir, path) => {
                rustix::fs::unlinkat(self.get(fd(*dir))?, path.as_str(), AtFlags::empty())?;
            }
            Call::Rename(dir, from, to_dir, to) => {
                let (dir, to_dir) = (self.get(fd(*dir))?, self.get(fd(*to_dir))?);
                rustix::fs::renameat(dir, from.as_str(), to_dir, to.as_str())?;
            }
            Call::Link(dir, from, follow, to_dir, to) => {
                let (dir, to_dir) = (self.get(fd(*dir))?, self.get(fd(*to_dir))?);
                let mut flags = AtFlags::empty();
                flags.set(AtFlags::SYMLINK_FOLLOW, *follow);
                rustix::fs::linkat(dir, from.as_str(), to_dir, to.as_str(), flags)?;
            }
            Call::Symlink(text, dir, path) => {
                rustix::fs::symlinkat(text.as_str(), self.get(fd(*dir))?, path.as_str())?;
            }
            Call::ReadLink(dir, path, len) => {
                let text = rustix::fs::readlinkat(self.get(fd(*dir))?, path.as_str(), Vec::new())?;
                let mut text = text.into_bytes();
                text.truncate(*len as usize);
                return Ok(Answer::Bytes(text));
            }
            Call::SetTimes(dir, path, follow, nanos) => {
                let dir = self.get(fd(*dir))?;
                let time = Timespec {
                    tv_sec: (*nanos / 1_000_000_000) as i64,
                    tv_nsec: (*nanos % 1_000_000_000) as i64,
                };
                let times = Timestamps {
                    last_access: time,
                    last_modification: time,
                };
                rustix::fs::utimensat(dir, path.as_str(), &times, nofollow(*follow))?;
                let stat = rustix::fs::statat(dir, path.as_str(), nofollow(*follow))?;
                let seconds = stat.st_mtime as u64 * 1_000_000_000;
                return Ok(Answer::Number(seconds + stat.st_mtime_nsec as u64));
            }
            other => panic!("{other:?} is not about a path"),
        }
        Ok(Answer::Done)
    }

    pub(super) fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        walk(&self.root.path().join(BASE), "", &mut tree);
        tree
    }
}

fn walk(dir: &Path, prefix: &str, tree: &mut Tree) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            tree.insert(name.clone(), (3, Vec::new()));
            walk(&entry.path(), &format!("{name}/"), tree);
        } else if kind.is_symlink() {
            let text = std::fs::read_link(entry.path()).unwrap();
            tree.insert(name, (7, text.into_os_string().into_encoded_bytes()));
        } else {
            tree.insert(name, (4, std::fs::read(entry.path()).unwrap()));
        }
    }
}

fn kind(kind: FileType) -> u8 {
    match kind {
        FileType::Directory => 3,
        FileType::RegularFile => 4,
        FileType::Symlink => 7,
        _ => 0,
    }
}

fn attributes(stat: &rustix::fs::Stat) -> Answer {
    match kind(FileType::from_raw_mode(stat.st_mode)) {
        3 => Answer::Attributes(3, 0, 0),
        kind => Answer::Attributes(kind, stat.st_size as u64, stat.st_nlink),
    }
}

fn is_dir(file: &OwnedFd) -> Result<bool, HostErrno> {
    let stat = rustix::fs::fstat(file)?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// `posix_fallocate`, which not every file system has.
fn allocate(file: &OwnedFd, offset: u64, len: u64) -> Result<(), HostErrno> {
    let writable = rustix::fs::fcntl_getfl(file)?.intersects(OFlags::WRONLY | OFlags::RDWR);
    if !writable {
        return Err(HostErrno::BADF);
    }
    if len == 0 {
        return Err(HostErrno::INVAL);
    }
    if (rustix::fs::fstat(file)?.st_size as u64) < offset + len {
        rustix::fs::ftruncate(file, offset + len)?;
    }
    Ok(())
}

fn list(dir: &OwnedFd) -> Result<BTreeMap<String, u8>, HostErrno> {
    if !is_dir(dir)? {
        return Err(HostErrno::NOTDIR);
    }
    // Another description, so that it starts at the beginning.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let again = match rustix::fs::openat(dir, ".", flags, Mode::empty()) {
        // It was removed: nothing is in it.
        Err(HostErrno::NOENT) => return Ok(BTreeMap::new()),
        again => again?,
    };
    let mut buffer = Vec::with_capacity(4096);
    let mut entries = RawDir::new(&again, buffer.spare_capacity_mut());
    let mut names = BTreeMap::new();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            // Libraries take it for the end: the directory was removed.
            Err(HostErrno::NOENT) => break,
            entry => entry?,
        };
        let name = entry.file_name().to_str().unwrap().to_owned();
        names.insert(name, kind(entry.file_type()));
    }
    Ok(names)
}

fn errno(errno: HostErrno) -> Errno {
    match errno {
        HostErrno::BADF => Errno::BADF,
        HostErrno::BUSY => Errno::BUSY,
        HostErrno::EXIST => Errno::EXIST,
        HostErrno::FAULT => Errno::FAULT,
        HostErrno::FBIG => Errno::FBIG,
        HostErrno::INVAL => Errno::INVAL,
        HostErrno::ISDIR => Errno::ISDIR,
        HostErrno::LOOP => Errno::LOOP,
        HostErrno::NAMETOOLONG => Errno::NAMETOOLONG,
        HostErrno::NOENT => Errno::NOENT,
        HostErrno::NOTDIR => Errno::NOTDIR,
        HostErrno::NOTEMPTY => Errno::NOTEMPTY,
        HostErrno::PERM => Errno::PERM,
        other => panic!("{other:?} is not expected here"),
    }
}
