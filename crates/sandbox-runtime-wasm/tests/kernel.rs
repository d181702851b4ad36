//! The same calls on this file system and on the one of the machine: same answers, same trees.
//!
//! As root it compares owners too; without, those calls are left out, and modes keep
//! `0o700` and have no set-id bits.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Uid};
use rustix::io::Errno as Host;
use sandbox_core::FileKind;
use sandbox_runtime_wasm::fs::{Caller, Errno, FileSystem, Handle, Limits, OpenOptions};

/// Deep enough that no path made here climbs out of it.
const BASE: &str = "/r1/r2/r3/r4";

#[derive(Debug, Clone)]
enum Call {
    Open(usize, String, u8, u32),
    Close(usize),
    Write(usize, u64, usize, u8),
    Read(usize, u64, usize),
    SetLen(usize, u64),
    MakeDir(String, u32),
    Symlink(String, String),
    Link(String, bool, String),
    Unlink(String),
    RemoveDir(String),
    Rename(String, String),
    Truncate(String, u64),
    SetMode(String, u32),
    SetOwner(String, bool, u32),
    ReadLink(String),
    Stat(String, bool),
}

struct Both {
    root: tempfile::TempDir,
    fs: FileSystem,
    by: Caller,
    is_root: bool,
    open: Vec<Option<(Handle, OwnedFd)>>,
}

/// What a call answered, as far as both sides can say the same.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Bytes(Vec<u8>),
    Text(String),
    Attributes(FileKind, u32, u64, u64, u32, u32),
}

fn host_errno(errno: Errno) -> Host {
    match errno {
        Errno::BadHandle => Host::BADF,
        Errno::Busy => Host::BUSY,
        Errno::Exists => Host::EXIST,
        Errno::FileTooBig => Host::FBIG,
        Errno::Invalid => Host::INVAL,
        Errno::IsDirectory => Host::ISDIR,
        Errno::Loop => Host::LOOP,
        Errno::NameTooLong => Host::NAMETOOLONG,
        Errno::NotFound => Host::NOENT,
        Errno::NoSpace => Host::NOSPC,
        Errno::NotDirectory => Host::NOTDIR,
        Errno::NotEmpty => Host::NOTEMPTY,
        Errno::NotPermitted => Host::PERM,
        other => panic!("{other} is not expected here"),
    }
}

impl Both {
    fn new() -> Self {
        let is_root = rustix::process::geteuid().is_root();
        if !is_root {
            eprintln!("not root: changes of owners are not compared");
        }
        rustix::process::umask(Mode::empty());
        let by = Caller {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            ..Caller::default()
        };
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join(&BASE[1..])).unwrap();
        let mut fs = FileSystem::new(Limits::default(), by);
        for end in [3, 6, 9, 12] {
            fs.make_dir(&BASE[..end], 0o777, by).unwrap();
        }
        let open = (0..3).map(|_| None).collect();
        Self {
            root,
            fs,
            by,
            is_root,
            open,
        }
    }

    fn host(&self, path: &str) -> PathBuf {
        // Put together as text: a `Path` would drop what is compared, such as slashes at the end.
        format!("{}{BASE}/{path}", self.root.path().display()).into()
    }

    fn run(&mut self, call: &Call) -> (Result<Answer, Host>, Result<Answer, Host>) {
        match call {
            Call::Open(slot, path, flags, mode) => self.open(*slot, path, *flags, *mode),
            Call::Close(slot) => {
                if let Some((handle, _)) = self.open[*slot].take() {
                    self.fs.close(handle).unwrap();
                }
                (Ok(Answer::Done), Ok(Answer::Done))
            }
            Call::Write(slot, ..) | Call::Read(slot, ..) | Call::SetLen(slot, _) => {
                match self.open[*slot].take() {
                    None => (Ok(Answer::Done), Ok(Answer::Done)),
                    Some((handle, fd)) => {
                        let answers = self.on_open(call, handle, &fd);
                        self.open[*slot] = Some((handle, fd));
                        answers
                    }
                }
            }
            _ => (self.ours(call).map_err(host_errno), self.theirs(call)),
        }
    }

    fn open(
        &mut self,
        slot: usize,
        path: &str,
        flags: u8,
        mode: u32,
    ) -> (Result<Answer, Host>, Result<Answer, Host>) {
        let mode = self.mode(mode);
        let bit = |n: u8| flags & (1 << n) != 0;
        let write = bit(0);
        let options = OpenOptions {
            read: !write || bit(1),
            write,
            append: write && bit(2),
            create: bit(3),
            exclusive: bit(3) && bit(4),
            truncate: write && bit(5),
            directory: !bit(3) && bit(6),
            no_follow: bit(7),
            mode,
        };
        let mut theirs = match (options.read, write) {
            (true, true) => OFlags::RDWR,
            (false, true) => OFlags::WRONLY,
            _ => OFlags::RDONLY,
        } | OFlags::CLOEXEC;
        theirs.set(OFlags::APPEND, options.append);
        theirs.set(OFlags::CREATE, options.create);
        theirs.set(OFlags::EXCL, options.exclusive);
        theirs.set(OFlags::TRUNC, options.truncate);
        theirs.set(OFlags::DIRECTORY, options.directory);
        theirs.set(OFlags::NOFOLLOW, options.no_follow);
        let fd = rustix::fs::open(self.host(path), theirs, Mode::from_raw_mode(mode));
        let handle = self.fs.open(&*inside(path), options, self.by);
        let answers = (
            handle.map(|_| Answer::Done).map_err(host_errno),
            fd.as_ref().map(|_| Answer::Done).map_err(|e| *e),
        );
        if let (Ok(handle), Ok(fd)) = (handle, fd)
            && let Some((old, _)) = self.open[slot].replace((handle, fd))
        {
            self.fs.close(old).unwrap();
        }
        answers
    }

    fn on_open(
        &mut self,
        call: &Call,
        handle: Handle,
        fd: &OwnedFd,
    ) -> (Result<Answer, Host>, Result<Answer, Host>) {
        match call {
            Call::Write(_, offset, len, byte) => {
                let bytes = vec![*byte; *len];
                let ours = self.fs.write_at(handle, *offset, &bytes, self.by);
                let theirs = rustix::io::pwrite(fd, &bytes, *offset);
                (
                    ours.map(|_| Answer::Done).map_err(host_errno),
                    theirs.map(|_| Answer::Done),
                )
            }
            Call::Read(_, offset, len) => {
                let mut ours = vec![0; *len];
                let mut theirs = vec![0; *len];
                let read = self.fs.read_at(handle, *offset, &mut ours);
                let host_read = rustix::io::pread(fd, &mut theirs[..], *offset);
                let cut = |mut bytes: Vec<u8>, n| {
                    bytes.truncate(n);
                    Answer::Bytes(bytes)
                };
                (
                    read.map(|n| cut(ours, n)).map_err(host_errno),
                    host_read.map(|n| cut(theirs, n)),
                )
            }
            Call::SetLen(_, size) => (
                self.fs
                    .set_len(handle, *size, self.by)
                    .map(|()| Answer::Done)
                    .map_err(host_errno),
                rustix::fs::ftruncate(fd, *size).map(|()| Answer::Done),
            ),
            other => panic!("{other:?} is not about an open file"),
        }
    }

    fn mode(&self, mode: u32) -> u32 {
        if self.is_root {
            mode
        } else {
            // Others than root are held to the bits, and lose set-id bits when they write.
            (mode | 0o700) & 0o1777
        }
    }

    fn ours(&mut self, call: &Call) -> Result<Answer, Errno> {
        let by = self.by;
        match call {
            Call::MakeDir(path, mode) => {
                let mode = self.mode(*mode) & 0o1777;
                self.fs.make_dir(&*inside(path), mode, by)?;
            }
            Call::Symlink(text, path) => {
                self.fs.symlink(text, &*inside(path), by)?;
            }
            Call::Link(from, follow, to) => {
                self.fs.link(&*inside(from), *follow, &*inside(to), by)?;
            }
            Call::Unlink(path) => self.fs.unlink(&*inside(path), by)?,
            Call::RemoveDir(path) => self.fs.remove_dir(&*inside(path), by)?,
            Call::Rename(from, to) => self.fs.rename(&*inside(from), &*inside(to), by)?,
            Call::Truncate(path, size) => self.fs.truncate(&*inside(path), *size, by)?,
            Call::SetMode(path, mode) => {
                let mode = self.mode(*mode);
                self.fs.set_mode(&*inside(path), mode, by)?;
            }
            Call::SetOwner(path, follow, id) if self.is_root => {
                self.fs.set_owner(&*inside(path), *follow, (*id, *id), by)?;
            }
            Call::ReadLink(path) => {
                return Ok(Answer::Text(self.fs.read_link(&*inside(path))?.to_string()));
            }
            Call::Stat(path, follow) => return our_stat(&self.fs, &inside(path), *follow),
            _ => {}
        }
        Ok(Answer::Done)
    }

    fn theirs(&self, call: &Call) -> Result<Answer, Host> {
        match call {
            Call::MakeDir(path, mode) => {
                let mode = Mode::from_raw_mode(self.mode(*mode) & 0o1777);
                rustix::fs::mkdir(self.host(path), mode)?;
            }
            Call::Symlink(text, path) => rustix::fs::symlink(text.as_str(), self.host(path))?,
            Call::Link(from, follow, to) => {
                let mut flags = AtFlags::empty();
                flags.set(AtFlags::SYMLINK_FOLLOW, *follow);
                rustix::fs::linkat(CWD, self.host(from), CWD, self.host(to), flags)?;
            }
            Call::Unlink(path) => rustix::fs::unlink(self.host(path))?,
            Call::RemoveDir(path) => rustix::fs::rmdir(self.host(path))?,
            Call::Rename(from, to) => rustix::fs::rename(self.host(from), self.host(to))?,
            Call::Truncate(path, size) => {
                let path =
                    std::ffi::CString::new(self.host(path).into_os_string().into_encoded_bytes());
                truncate(&path.unwrap(), *size)?;
            }
            Call::SetMode(path, mode) => {
                let mode = Mode::from_raw_mode(self.mode(*mode));
                rustix::fs::chmod(self.host(path), mode)?;
            }
            Call::SetOwner(path, follow, id) if self.is_root => {
                let mut flags = AtFlags::empty();
                flags.set(AtFlags::SYMLINK_NOFOLLOW, !*follow);
                let (uid, gid) = (Uid::from_raw(*id), Gid::from_raw(*id));
                rustix::fs::chownat(CWD, self.host(path), Some(uid), Some(gid), flags)?;
            }
            Call::ReadLink(path) => {
                let text = rustix::fs::readlink(self.host(path), Vec::new())?;
                return Ok(Answer::Text(text.into_string().unwrap()));
            }
            Call::Stat(path, follow) => return host_stat(&self.host(path), *follow),
            _ => {}
        }
        Ok(Answer::Done)
    }

    /// Both trees, every path with its attributes and content.
    fn compare(&mut self, dir: &str) -> Result<(), TestCaseError> {
        let options = OpenOptions {
            read: true,
            ..OpenOptions::default()
        };
        let inside_dir = format!("{BASE}/{dir}");
        let handle = self.fs.open(&*inside_dir, options, self.by).unwrap();
        let entries = self.fs.read_dir(handle, 2, usize::MAX).unwrap();
        self.fs.close(handle).unwrap();
        let mut ours: Vec<String> = entries.iter().map(|e| e.name.to_string()).collect();
        ours.sort();
        let mut theirs: Vec<String> = std::fs::read_dir(self.host(dir))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        theirs.sort();
        prop_assert_eq!(&ours, &theirs, "entries of {:?}", dir);
        for name in ours {
            let path = format!("{dir}{name}");
            let stat = our_stat(&self.fs, &format!("{BASE}/{path}"), false).unwrap();
            prop_assert_eq!(
                &stat,
                &host_stat(&self.host(&path), false).unwrap(),
                "{}",
                path
            );
            match stat {
                Answer::Attributes(FileKind::Directory, ..) => {
                    self.compare(&format!("{path}/"))?;
                }
                Answer::Attributes(FileKind::File, _, size, ..) => {
                    let at = format!("{BASE}/{path}");
                    let handle = self.fs.open(&*at, options, self.by).unwrap();
                    let mut content = vec![0; size as usize + 1];
                    let read = self.fs.read_at(handle, 0, &mut content).unwrap();
                    self.fs.close(handle).unwrap();
                    let theirs = std::fs::read(self.host(&path)).unwrap();
                    prop_assert!(content[..read] == theirs, "content of {}", path);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn inside(path: &str) -> String {
    format!("{BASE}/{path}")
}

/// `truncate(2)`, which the crate in use has on open files alone.
fn truncate(path: &std::ffi::CStr, size: u64) -> Result<(), Host> {
    let fd = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::fs::ftruncate(fd, size)
}

fn our_stat(fs: &FileSystem, path: &str, follow: bool) -> Result<Answer, Errno> {
    let m = fs.metadata(path, follow)?;
    // What these mean for directories is every file system's own.
    let (size, links) = match m.kind {
        FileKind::Directory => (0, 0),
        _ => (m.size, m.links),
    };
    Ok(Answer::Attributes(
        m.kind, m.mode, size, links, m.uid, m.gid,
    ))
}

fn host_stat(path: &Path, follow: bool) -> Result<Answer, Host> {
    let stat = if follow {
        rustix::fs::stat(path)?
    } else {
        rustix::fs::lstat(path)?
    };
    let (kind, size, links) = match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
        rustix::fs::FileType::Directory => (FileKind::Directory, 0, 0),
        rustix::fs::FileType::Symlink => (FileKind::Symlink, stat.st_size as u64, stat.st_nlink),
        _ => (FileKind::File, stat.st_size as u64, stat.st_nlink),
    };
    let mode = stat.st_mode & 0o7777;
    Ok(Answer::Attributes(
        kind,
        mode,
        size,
        links,
        stat.st_uid,
        stat.st_gid,
    ))
}

fn path() -> impl Strategy<Value = String> {
    let name = prop_oneof![9 => "[abc]", 1 => "[d]"];
    let names = prop::collection::vec(name, 1..4).prop_map(|names| names.join("/"));
    let end = prop_oneof![12 => Just(""), 2 => Just("/"), 1 => Just("/."), 1 => Just("/..")];
    (names, end).prop_map(|(names, end)| names + end)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => path(),
        1 => Just("../b".to_owned()),
        1 => Just("./a//b/".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just(String::new()),
        1 => Just("n".repeat(256)),
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let mode = || 0..=0o7777_u32;
    let offset = || prop_oneof![0..200_u64, 65_500..65_600_u64, 130_000..200_000_u64];
    let len = || prop_oneof![0..50_usize, 65_000..70_000_usize];
    prop_oneof![
        6 => (0..3_usize, path(), any::<u8>(), 0..=0o777_u32).prop_map(|(s, p, f, m)| Call::Open(s, p, f, m)),
        1 => (0..3_usize).prop_map(Call::Close),
        4 => (0..3_usize, offset(), len(), 1..255_u8).prop_map(|(s, o, l, b)| Call::Write(s, o, l, b)),
        3 => (0..3_usize, offset(), len()).prop_map(|(s, o, l)| Call::Read(s, o, l)),
        2 => (0..3_usize, offset()).prop_map(|(s, o)| Call::SetLen(s, o)),
        6 => (path(), mode()).prop_map(|(p, m)| Call::MakeDir(p, m)),
        4 => (text(), path()).prop_map(|(t, p)| Call::Symlink(t, p)),
        4 => (path(), any::<bool>(), path()).prop_map(|(a, f, b)| Call::Link(a, f, b)),
        2 => path().prop_map(Call::Unlink),
        2 => path().prop_map(Call::RemoveDir),
        6 => (path(), path()).prop_map(|(a, b)| Call::Rename(a, b)),
        1 => (path(), offset()).prop_map(|(p, o)| Call::Truncate(p, o)),
        2 => (path(), mode()).prop_map(|(p, m)| Call::SetMode(p, m)),
        2 => (path(), any::<bool>(), 0..3_u32).prop_map(|(p, f, i)| Call::SetOwner(p, f, i)),
        1 => path().prop_map(Call::ReadLink),
        3 => (path(), any::<bool>()).prop_map(|(p, f)| Call::Stat(p, f)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_answers_as_the_kernel_does(calls in prop::collection::vec(call(), 1..60)) {
        let mut both = Both::new();
        for call in &calls {
            let (ours, theirs) = both.run(call);
            prop_assert_eq!(ours, theirs, "{:?}", call);
        }
        both.compare("")?;
    }
}
