//! Calls as a guest makes them, without a guest.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::against_host::{Call, Hostile};
use super::guest::machine_without_program;
use super::host::{Answer, BASE, Tree};
use crate::fs::Limits;
use crate::kernel::{Errno, Process};
use crate::wasi::call;
use crate::wasi::cwd::Paths;
use crate::wasi::memory::Guest;
use crate::wasi::transfer::Begun;

/// Bytes of memory.
const MEMORY: usize = 1 << 20;
/// Where answers go, a path and another are put, lists of buffers, and buffers.
const OUT: u32 = 1024;
const PATH: u32 = 4096;
const OTHER_PATH: u32 = 12 << 10;
const LIST: u32 = 20 << 10;
const BUFFERS: u32 = 64 << 10;

const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;

pub(super) struct Ours {
    memory: Vec<u8>,
    process: Arc<Process>,
}

impl Ours {
    pub(super) fn new() -> Self {
        let machine = machine_without_program(Limits::default());
        let by = crate::fs::Caller::default();
        let mut files = machine.files.lock();
        let mut dir = String::new();
        for name in BASE.split('/') {
            dir = format!("{dir}/{name}");
            files.make_dir(&*dir, 0o755, by).unwrap();
        }
        drop(files);
        let process = machine.idle_process().unwrap();
        let mut ours = Self {
            memory: vec![0; MEMORY],
            process,
        };
        assert_eq!(ours.open(3, BASE, 2, READ), Ok(0));
        ours
    }

    fn guest(&mut self) -> call::Call<'_> {
        call::Call {
            memory: Guest::new(&mut self.memory),
            process: &self.process,
            paths: Paths::Absolute,
        }
    }

    fn put(&mut self, at: u32, bytes: &[u8]) -> u32 {
        self.memory[at as usize..][..bytes.len()].copy_from_slice(bytes);
        bytes.len() as u32
    }

    fn u32(&self, at: u32) -> u32 {
        u32::from_le_bytes(self.memory[at as usize..][..4].try_into().unwrap())
    }

    fn u64(&self, at: u32) -> u64 {
        u64::from_le_bytes(self.memory[at as usize..][..8].try_into().unwrap())
    }

    fn open(&mut self, dir: u32, path: &str, flags: u32, rights: u64) -> Result<u32, Errno> {
        let len = self.put(PATH, path.as_bytes());
        let mut guest = self.guest();
        guest.path_open(dir, 1, PATH, len, flags, rights, 0, 0, OUT)?;
        Ok(self.u32(OUT))
    }

    /// Puts the list of buffers with these lengths, all holding `byte`; answers how many.
    fn buffers(&mut self, lens: &[usize], byte: u8) -> u32 {
        let mut at = BUFFERS;
        for (index, len) in lens.iter().enumerate() {
            let pair = LIST + index as u32 * 8;
            self.put(pair, &at.to_le_bytes());
            self.put(pair + 4, &(*len as u32).to_le_bytes());
            self.memory[at as usize..][..*len].fill(byte);
            at += *len as u32;
        }
        lens.len() as u32
    }

    fn read_bytes(&self) -> Answer {
        let count = self.u32(OUT) as usize;
        Answer::Bytes(self.memory[BUFFERS as usize..][..count].to_vec())
    }

    pub(super) fn run(&mut self, call: &Call, fd: &dyn Fn(usize) -> u32) -> Result<Answer, Errno> {
        match call {
            Call::Open {
                dir,
                path,
                flags,
                read,
                write,
                follow,
                append,
            } => {
                let len = self.put(PATH, path.as_bytes());
                let right = |on: bool, right| if on { right } else { 0 };
                let rights = right(*read, READ) | right(*write, WRITE);
                let (follow, append) = (u32::from(*follow), u32::from(*append));
                let mut guest = self.guest();
                guest.path_open(fd(*dir), follow, PATH, len, *flags, rights, 0, append, OUT)?;
                return Ok(Answer::Descriptor(self.u32(OUT)));
            }
            Call::Close(slot) => self.guest().fd_close(fd(*slot))?,
            Call::Renumber(from, to) => self.guest().fd_renumber(fd(*from), fd(*to))?,
            Call::Read(slot, lens) => {
                let count = self.buffers(lens, 0);
                match self.guest().begin_read(fd(*slot), LIST, count, OUT)? {
                    Begun::Done => return Ok(self.read_bytes()),
                    Begun::Stream(stream) => panic!("{stream:?} is no file"),
                }
            }
            Call::Write(slot, lens, byte) => {
                let count = self.buffers(lens, *byte);
                match self.guest().begin_write(fd(*slot), LIST, count, OUT)? {
                    Begun::Done => return Ok(Answer::Number(self.u32(OUT).into())),
                    Begun::Stream(stream) => panic!("{stream:?} is no file"),
                }
            }
            Call::ReadAt(slot, offset, len) => {
                self.buffers(&[*len], 0);
                self.guest().fd_pread(fd(*slot), LIST, 1, *offset, OUT)?;
                return Ok(self.read_bytes());
            }
            Call::WriteAt(slot, offset, len, byte) => {
                self.buffers(&[*len], *byte);
                self.guest().fd_pwrite(fd(*slot), LIST, 1, *offset, OUT)?;
                return Ok(Answer::Number(self.u32(OUT).into()));
            }
            Call::Seek(slot, offset, whence) => {
                self.guest().fd_seek(fd(*slot), *offset, *whence, OUT)?;
                let sought = self.u64(OUT);
                self.guest().fd_tell(fd(*slot), OUT)?;
                assert_eq!(self.u64(OUT), sought);
                return Ok(Answer::Number(sought));
            }
            Call::SetSize(slot, size) => self.guest().fd_filestat_set_size(fd(*slot), *size)?,
            Call::Allocate(slot, offset, len) => {
                self.guest().fd_allocate(fd(*slot), *offset, *len)?;
            }
            Call::Append(slot, on) => {
                self.guest()
                    .fd_fdstat_set_flags(fd(*slot), u32::from(*on))?;
            }
            Call::Stat(slot) => {
                self.guest().fd_filestat_get(fd(*slot), OUT)?;
                return Ok(self.attributes());
            }
            Call::List(slot, len) => return self.list(fd(*slot), *len).map(Answer::Entries),
            Call::Hostile(slot, hostile) => return self.hostile(fd(*slot), *hostile),
            _ => return self.by_path(call, fd),
        }
        Ok(Answer::Done)
    }

    fn by_path(&mut self, call: &Call, fd: &dyn Fn(usize) -> u32) -> Result<Answer, Errno> {
        match call {
            Call::StatPath(dir, path, follow) => {
                let len = self.put(PATH, path.as_bytes());
                let follow = u32::from(*follow);
                self.guest()
                    .path_filestat_get(fd(*dir), follow, PATH, len, OUT)?;
                return Ok(self.attributes());
            }
            Call::MakeDir(dir, path) => {
                let len = self.put(PATH, path.as_bytes());
                self.guest().path_create_directory(fd(*dir), PATH, len)?;
            }
            Call::RemoveDir(dir, path) => {
                let len = self.put(PATH, path.as_bytes());
                self.guest().path_remove_directory(fd(*dir), PATH, len)?;
            }
            Call::Unlink(dir, path) => {
                let len = self.put(PATH, path.as_bytes());
                self.guest().path_unlink_file(fd(*dir), PATH, len)?;
            }
            Call::Rename(dir, from, to_dir, to) => {
                let len = self.put(PATH, from.as_bytes());
                let to_len = self.put(OTHER_PATH, to.as_bytes());
                let (dir, to_dir) = (fd(*dir), fd(*to_dir));
                self.guest()
                    .path_rename(dir, PATH, len, to_dir, OTHER_PATH, to_len)?;
            }
            Call::Link(dir, from, follow, to_dir, to) => {
                let len = self.put(PATH, from.as_bytes());
                let to_len = self.put(OTHER_PATH, to.as_bytes());
                let (dir, to_dir, follow) = (fd(*dir), fd(*to_dir), u32::from(*follow));
                self.guest()
                    .path_link(dir, follow, PATH, len, to_dir, OTHER_PATH, to_len)?;
            }
            Call::Symlink(text, dir, path) => {
                let text_len = self.put(OTHER_PATH, text.as_bytes());
                let len = self.put(PATH, path.as_bytes());
                self.guest()
                    .path_symlink(OTHER_PATH, text_len, fd(*dir), PATH, len)?;
            }
            Call::ReadLink(dir, path, room) => {
                let len = self.put(PATH, path.as_bytes());
                self.guest()
                    .path_readlink(fd(*dir), PATH, len, BUFFERS, *room, OUT)?;
                return Ok(self.read_bytes());
            }
            Call::SetTimes(dir, path, follow, nanos) => {
                let len = self.put(PATH, path.as_bytes());
                let (dir, follow) = (fd(*dir), u32::from(*follow));
                let mut guest = self.guest();
                guest.path_filestat_set_times(dir, follow, PATH, len, *nanos, *nanos, 5)?;
                guest.path_filestat_get(dir, follow, PATH, len, OUT)?;
                assert_eq!(self.u64(OUT + 40), *nanos, "the time it was read");
                return Ok(Answer::Number(self.u64(OUT + 48)));
            }
            other => panic!("{other:?} is not about a path"),
        }
        Ok(Answer::Done)
    }

    fn attributes(&self) -> Answer {
        match self.memory[OUT as usize + 16] {
            3 => Answer::Attributes(3, 0, 0),
            kind => Answer::Attributes(kind, self.u64(OUT + 32), self.u64(OUT + 24)),
        }
    }

    /// All entries through a buffer of `len` bytes, as libraries read them.
    fn list(&mut self, fd: u32, len: u32) -> Result<BTreeMap<String, u8>, Errno> {
        let (mut names, mut cookie) = (BTreeMap::new(), 0);
        loop {
            self.guest().fd_readdir(fd, BUFFERS, len, cookie, OUT)?;
            let used = self.u32(OUT);
            let mut at = 0;
            while at + 24 <= used {
                let head = BUFFERS + at;
                let name_len = self.u32(head + 16);
                if at + 24 + name_len > used {
                    break;
                }
                let name = &self.memory[head as usize + 24..][..name_len as usize];
                let name = String::from_utf8(name.to_vec()).unwrap();
                let kind = self.memory[head as usize + 20];
                assert_eq!(names.insert(name, kind), None, "an entry came twice");
                cookie = self.u64(head);
                at += 24 + name_len;
            }
            if used < len {
                return Ok(names);
            }
        }
    }

    /// A call that must fail; the host says `FAULT` for each.
    fn hostile(&mut self, fd: u32, hostile: Hostile) -> Result<Answer, Errno> {
        let before = self.memory.clone();
        let mut guest = self.guest();
        let (result, expected) = match hostile {
            Hostile::Address(which, at) => {
                let result = match which % 12 {
                    0 => guest.path_open(0, 0, at, 4, 1, WRITE, 0, 0, OUT),
                    1 => guest.path_open(0, 0, PATH, 1, 1, WRITE, 0, 0, at),
                    2 => guest.path_create_directory(0, at, 1),
                    3 => guest.path_rename(0, PATH, 1, 0, at, 1),
                    4 => guest.path_link(0, 0, at, 1, 0, PATH, 1),
                    5 => guest.path_symlink(PATH, 1, 0, at, 1),
                    6 => guest.path_unlink_file(0, at, 1),
                    7 => guest.fd_filestat_get(0, at),
                    8 => guest.fd_readdir(0, at, 64, 0, OUT).or(Err(Errno::FAULT)),
                    9 => guest.begin_poll(at, OUT, 1, OUT).map(drop),
                    10 => guest.random_get(at, 8).map(drop),
                    _ => guest.args_sizes_get(OUT, at),
                };
                (result, &[Errno::FAULT, Errno::BADF, Errno::NOTDIR][..])
            }
            Hostile::Flags(which, flags) => {
                let result = match which % 5 {
                    0 => guest.path_open(0, 0, PATH, 1, flags, WRITE, 0, 0, OUT),
                    1 => guest.path_open(0, 0, PATH, 1, 1, WRITE, 0, flags, OUT),
                    2 => guest.path_filestat_set_times(0, 0, PATH, 1, 0, 0, flags),
                    3 => guest.path_link(0, flags, PATH, 1, 0, PATH, 1),
                    _ => guest.fd_fdstat_set_flags(0, flags),
                };
                (result, &[Errno::INVAL, Errno::BADF][..])
            }
            Hostile::Count(which, many) => {
                let result = match which % 4 {
                    0 => guest.begin_read(fd, LIST, many, OUT).map(drop),
                    1 => guest.begin_write(fd, LIST, many, OUT).map(drop),
                    2 => guest.fd_pread(fd, LIST, many, 0, OUT),
                    _ => guest.fd_pwrite(fd, LIST, many, 0, OUT),
                };
                (result, &[Errno::INVAL, Errno::BADF, Errno::ISDIR][..])
            }
        };
        let errno = result.expect_err("a call that nobody would make");
        assert!(expected.contains(&errno), "{hostile:?}: {errno:?}");
        assert!(before == self.memory, "{hostile:?} wrote something");
        Err(Errno::FAULT)
    }

    pub(super) fn tree(&mut self) -> Tree {
        let mut tree = Tree::new();
        self.walk("", &mut tree);
        tree
    }

    fn walk(&mut self, prefix: &str, tree: &mut Tree) {
        let dir = self.open(3, &format!("{BASE}/{prefix}"), 2, READ).unwrap();
        let entries = self.list(dir, 512).unwrap();
        self.guest().fd_close(dir).unwrap();
        for (name, kind) in entries {
            if name == "." || name == ".." {
                continue;
            }
            let path = format!("{prefix}{name}");
            let full = format!("{BASE}/{path}");
            let content = match kind {
                4 => self.content(&full),
                7 => {
                    let len = self.put(PATH, full.as_bytes());
                    self.guest()
                        .path_readlink(3, PATH, len, BUFFERS, 4096, OUT)
                        .unwrap();
                    let count = self.u32(OUT) as usize;
                    self.memory[BUFFERS as usize..][..count].to_vec()
                }
                _ => Vec::new(),
            };
            tree.insert(path.clone(), (kind, content));
            if kind == 3 {
                self.walk(&format!("{path}/"), tree);
            }
        }
    }

    fn content(&mut self, path: &str) -> Vec<u8> {
        let file = self.open(3, path, 0, READ).unwrap();
        let mut content = Vec::new();
        loop {
            self.buffers(&[256 << 10], 0);
            self.guest().begin_read(file, LIST, 1, OUT).unwrap();
            let count = self.u32(OUT) as usize;
            if count == 0 {
                break;
            }
            content.extend_from_slice(&self.memory[BUFFERS as usize..][..count]);
        }
        self.guest().fd_close(file).unwrap();
        content
    }
}
