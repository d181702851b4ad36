//! Watching directories.
#![expect(unsafe_code, reason = "inotify is a system call")]

use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sandbox_core::{ErrorKind, FileChange, FileEvent, SandboxPath, WatchOptions};

use super::channel::Channel;
use super::files::{Temporary, at, end, lossy_name, refuse};
use super::sys::fd::{self, check, own};
use super::sys::poller::{READ, Registered};
use super::watch_event::{EVENT_HEADER, Event, parse};
use super::watch_walk::{Step, Walk};
use super::worker::Completion;
use super::{Agent, Source};
use crate::protocol::flow::{Inflow, Outflow};
use crate::protocol::{Reply, Tag, WireError};

const EVENTS: u32 = libc::IN_CREATE
    | libc::IN_MODIFY
    | libc::IN_ATTRIB
    | libc::IN_MOVED_FROM
    | libc::IN_MOVED_TO
    | libc::IN_DELETE
    | libc::IN_DELETE_SELF
    | libc::IN_MOVE_SELF
    | libc::IN_ONLYDIR;

/// No event is read while there is less room: one read may bring many short ones.
const ROOM: usize = 128 * 1024;
/// The most bytes of events read at a time: at most 128 events, a path each.
const READ_BYTES: usize = 4096;
/// How many events and entries of directories are looked at before others have their turn.
const STEPS: usize = 1024;

/// A directory that is watched.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) real: PathBuf,
    pub(super) path: SandboxPath,
}

/// A directory and everything below it.
struct Below {
    path: String,
    prefix: String,
}

impl Below {
    fn new(path: &SandboxPath) -> Self {
        Self {
            path: path.to_string(),
            prefix: format!("{path}/"),
        }
    }

    fn holds(&self, path: &SandboxPath) -> bool {
        path.as_str() == self.path || path.as_str().starts_with(&self.prefix)
    }
}

/// Whether a watch is done for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It waits for events, or for room.
    Done,
    /// There is more to do, after others have had their turn.
    Over,
}

/// The watches of one request.
#[derive(Debug)]
pub(super) struct Prepared {
    inotify: OwnedFd,
    tree: Tree,
}

#[derive(Debug)]
pub(super) struct Tree {
    root: SandboxPath,
    pub(super) recursive: bool,
    pub(super) directories: HashMap<i32, Directory>,
}

/// A watch on a channel.
#[derive(Debug)]
pub(super) struct Watch {
    inotify: Registered,
    tree: Tree,
    /// Directories that appeared and were not looked into yet.
    walk: Walk,
    /// Whether the temporary file of a write was seen to leave, and whether it replaces a file.
    replacing: HashMap<u32, bool>,
    pub(super) out: Outflow,
    pub(super) inn: Inflow,
}

impl Agent {
    pub(super) fn watch(&mut self, channel: u32, path: SandboxPath, options: WatchOptions) {
        let job = self.new_job();
        self.channels.insert(channel, Channel::Job(job));
        let completions = self.workers.completions.clone();
        self.workers.submit(move || {
            let prepared = prepare(path, options).map(Box::new);
            completions.push(Completion::Watching(job, prepared));
        });
    }

    pub(super) fn start_watch(&mut self, channel: u32, result: Result<Box<Prepared>, WireError>) {
        let prepared = match result {
            Ok(prepared) => *prepared,
            Err(error) => {
                self.channels.remove(&channel);
                return self.reply(channel, Err(error));
            }
        };
        let source = Source::Watch(channel);
        let mut inotify = self.poller.add(prepared.inotify, source);
        self.want(&mut inotify, READ);
        let watch = Watch {
            inotify,
            tree: prepared.tree,
            walk: Walk::default(),
            replacing: HashMap::new(),
            out: Outflow::default(),
            inn: Inflow::default(),
        };
        self.channels
            .insert(channel, Channel::Watch(Box::new(watch)));
        self.reply(channel, Ok(Reply::Done));
    }

    /// Reads events as far as the window allows, and not for long.
    pub(super) fn read_watch(&mut self, channel: u32) {
        let Some(Channel::Watch(watch)) = self.channels.get_mut(&channel) else {
            return;
        };
        if watch.read() == Turn::Over {
            self.walking.insert(channel);
        }
        let wanted = watch.out.room() >= ROOM && watch.walk.is_done();
        let result = self
            .poller
            .set(&mut watch.inotify, if wanted { READ } else { 0 });
        let ready = watch.out.is_ready();
        self.note(result);
        if ready {
            self.ready_now(channel);
        }
    }

    /// Goes on with watches that had to give others their turn.
    pub(super) fn go_on_walking(&mut self) {
        for channel in std::mem::take(&mut self.walking) {
            self.read_watch(channel);
        }
    }

    pub(super) fn close_watch(&mut self, watch: Watch) {
        self.poller.remove(watch.inotify);
    }
}

fn prepare(path: SandboxPath, options: WatchOptions) -> Result<Prepared, WireError> {
    // SAFETY: no memory is involved.
    let inotify = own(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })
        .map_err(|error| too_many(&error))?;
    let mut tree = Tree {
        root: path.clone(),
        recursive: options.recursive,
        directories: HashMap::new(),
    };
    let real = PathBuf::from(path.as_str());
    tree.add(inotify.as_raw_fd(), real, path)?;
    Ok(Prepared { inotify, tree })
}

pub(super) fn too_many(error: &io::Error) -> WireError {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENOSPC) => {
            let message = format!("there may be no more watches: {error}");
            refuse(ErrorKind::LimitExceeded, "path", message)
        }
        Some(libc::ENOTDIR) => refuse(ErrorKind::Conflict, "path", "is not a directory"),
        _ => at("path", error),
    }
}

impl Tree {
    /// Watches a directory, a link to one included, and those below where that is asked for.
    fn add(&mut self, inotify: RawFd, real: PathBuf, path: SandboxPath) -> Result<(), WireError> {
        let number = add_watch(inotify, &real, true).map_err(|error| too_many(&error))?;
        let mut walk = Walk::default();
        walk.enter(self, number, real, path);
        while !matches!(walk.step(self, inotify)?, Step::Done) {}
        Ok(())
    }

    /// Ends the watches of a directory that was moved away, and of those below it.
    fn forget(&mut self, inotify: RawFd, gone: &Below) {
        self.directories.retain(|number, directory| {
            let moved = gone.holds(&directory.path);
            if moved {
                // SAFETY: no memory is involved. It may have ended by itself.
                unsafe { libc::inotify_rm_watch(inotify, *number) };
            }
            !moved
        });
    }
}

pub(super) fn add_watch(inotify: RawFd, real: &Path, follow: bool) -> io::Result<i32> {
    let name = CString::new(real.as_os_str().as_bytes())
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let mask = EVENTS | if follow { 0 } else { libc::IN_DONT_FOLLOW };
    // SAFETY: the name ends with a zero.
    check(unsafe { libc::inotify_add_watch(inotify, name.as_ptr(), mask) })
}

impl Watch {
    /// Reads events, and looks into the directories that they tell of before it reads more.
    fn read(&mut self) -> Turn {
        let mut buffer = [0; READ_BYTES];
        let mut steps = 0;
        while self.out.room() >= ROOM {
            if steps >= STEPS {
                return Turn::Over;
            }
            if !self.walk.is_done() {
                steps += 1;
                self.step();
                continue;
            }
            // As many steps as there may be events.
            steps += READ_BYTES / EVENT_HEADER;
            match fd::read(self.inotify.as_raw_fd(), &mut buffer) {
                Ok(got @ 1..) => {
                    let mut rest = &buffer[..got];
                    while let Some((event, after)) = parse(rest) {
                        self.take(&event);
                        rest = after;
                    }
                }
                Ok(_) | Err(_) => return Turn::Done,
            }
        }
        Turn::Done
    }

    fn step(&mut self) {
        match self.walk.step(&mut self.tree, self.inotify.as_raw_fd()) {
            Ok(Step::Found(path)) => self.emit(FileChange::Create, path),
            Ok(Step::Nothing | Step::Done) => {}
            Err(_) => {
                // More than can be told; what could be watched is watched.
                self.walk.clear();
                let root = self.tree.root.clone();
                self.emit(FileChange::Overflow, root);
            }
        }
    }

    fn emit(&mut self, change: FileChange, path: SandboxPath) {
        // A plain value: it always serialises.
        let mut line = serde_json::to_vec(&FileEvent { change, path }).unwrap_or_default();
        line.push(b'\n');
        self.out.push(Tag::Bytes, line);
    }

    fn take(&mut self, event: &Event<'_>) {
        if event.mask & libc::IN_Q_OVERFLOW != 0 {
            let root = self.tree.root.clone();
            return self.emit(FileChange::Overflow, root);
        }
        let Some(directory) = self.tree.directories.get(&event.watch) else {
            return;
        };
        if event.name.is_empty() {
            return self.take_own(event);
        }
        let real = directory.real.join(event.name);
        let Ok(path) = directory.path.join(lossy_name(event.name)) else {
            return;
        };
        if let Some(replaces) = Temporary::recognise(event.name) {
            if event.mask & libc::IN_MOVED_FROM != 0 {
                // The other half follows at once.
                self.replacing.clear();
                self.replacing.insert(event.cookie, replaces);
            }
            return;
        }
        self.take_named(event, real, path);
    }

    /// An event of a watched directory itself. Its parent's watch says the same, but for the root.
    fn take_own(&mut self, event: &Event<'_>) {
        let gone = event.mask & (libc::IN_DELETE_SELF | libc::IN_IGNORED) != 0;
        let moved = event.mask & libc::IN_MOVE_SELF != 0;
        let path = match self.tree.directories.get(&event.watch) {
            Some(directory) => directory.path.clone(),
            None => return,
        };
        if gone {
            self.tree.directories.remove(&event.watch);
        }
        if path != self.tree.root {
            return;
        }
        if event.mask & libc::IN_ATTRIB != 0 && !gone {
            self.emit(FileChange::Chmod, path);
        } else if gone || moved {
            let change = match moved {
                true => FileChange::Rename,
                false => FileChange::Remove,
            };
            self.emit(change, path);
            self.out.push(Tag::End, end(Ok(())));
        }
    }

    fn take_named(&mut self, event: &Event<'_>, real: PathBuf, path: SandboxPath) {
        let is_directory = event.mask & libc::IN_ISDIR != 0;
        if event.mask & (libc::IN_CREATE | libc::IN_MOVED_TO) != 0 {
            match self.replacing.remove(&event.cookie) {
                Some(true) if event.cookie != 0 => self.emit(FileChange::Write, path),
                Some(_) if event.cookie != 0 => {
                    self.emit(FileChange::Create, path.clone());
                    self.emit(FileChange::Write, path);
                }
                Some(_) | None => self.appeared(is_directory, real, path),
            }
        } else if event.mask & libc::IN_MODIFY != 0 {
            self.emit(FileChange::Write, path);
        } else if event.mask & libc::IN_ATTRIB != 0 {
            self.emit(FileChange::Chmod, path);
        } else if event.mask & libc::IN_MOVED_FROM != 0 {
            if is_directory {
                let gone = Below::new(&path);
                self.walk.forget(|path| gone.holds(path));
                self.tree.forget(self.inotify.as_raw_fd(), &gone);
            }
            self.emit(FileChange::Rename, path);
        } else if event.mask & libc::IN_DELETE != 0 {
            self.emit(FileChange::Remove, path);
        }
    }

    fn appeared(&mut self, is_directory: bool, real: PathBuf, path: SandboxPath) {
        self.emit(FileChange::Create, path.clone());
        if is_directory && self.tree.recursive {
            self.walk.push(real, path);
        }
    }
}
