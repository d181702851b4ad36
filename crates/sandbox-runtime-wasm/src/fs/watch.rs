//! Telling of changes.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
pub(super) use sandbox_core::FileChange as Change;
use sandbox_core::{FileEvent, SandboxPath, WatchOptions};

use super::FileSystem;
use super::errno::Result;
use super::inode::Ino;
use super::tree::Tree;

/// The most events of a watch that wait to be read; then comes one that says that some were lost.
pub const MAX_QUEUED_EVENTS: usize = 4096;
/// Of so many names of one file a change of its content is told; a file with more makes every
/// watch say that events were lost.
const MAX_TOLD_NAMES: usize = 32;

/// Changes below a directory, in their order. It ends with the file system; dropping it ends the
/// watch.
#[derive(Debug)]
pub struct WatchStream(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<FileEvent>,
    closed: bool,
    waker: Option<Waker>,
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    // No code of others runs under the lock, so that what is in it is whole.
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stream for WatchStream {
    type Item = FileEvent;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<FileEvent>> {
        let mut queue = lock(&self.0);
        match queue.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.closed => Poll::Ready(None),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[derive(Debug)]
struct Watch {
    dir: Ino,
    path: SandboxPath,
    recursive: bool,
    queue: Weak<Mutex<Queue>>,
}

impl Watch {
    fn push(&self, change: Change, path: SandboxPath) {
        let Some(queue) = self.queue.upgrade() else {
            return;
        };
        let mut queue = lock(&queue);
        let full = queue.events.len() >= MAX_QUEUED_EVENTS;
        let event = if full {
            FileEvent {
                change: Change::Overflow,
                path: self.path.clone(),
            }
        } else {
            FileEvent { change, path }
        };
        // The same thing again, unread, says nothing new.
        if queue.events.back() != Some(&event) {
            queue.events.push_back(event);
        }
        let waker = queue.waker.take();
        drop(queue);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn overflow(&self) {
        self.push(Change::Overflow, self.path.clone());
    }

    /// The path under the watched directory of `name` in `dir`; `None` when it is not below it.
    fn locate(&self, tree: &Tree, dir: Ino, name: &str) -> Option<Result<SandboxPath, TooDeep>> {
        let mut names = vec![Arc::from(name)];
        let mut at = dir;
        let mut length = 0;
        while at != self.dir {
            if !self.recursive || at == Ino::ROOT {
                return None;
            }
            let (parent, name) = tree.get(at).ok()?.places.first()?;
            length += name.len() + 1;
            if length > sandbox_core::MAX_PATH_BYTES {
                return Some(Err(TooDeep));
            }
            names.push(name.clone());
            at = *parent;
        }
        names.reverse();
        Some(self.path.join(names.join("/")).map_err(|_| TooDeep))
    }
}

/// The path of a change is longer than paths are.
struct TooDeep;

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.upgrade() {
            let mut queue = lock(&queue);
            queue.closed = true;
            let waker = queue.waker.take();
            drop(queue);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

/// Every watch of a file system, and what they are not told yet.
#[derive(Debug, Default)]
pub(super) struct Watches {
    list: Vec<Watch>,
    /// While something happens as a whole or not at all: what to tell once it has.
    held: Option<Held>,
}

#[derive(Debug, Default)]
struct Held {
    changes: Vec<(Change, Ino, Arc<str>)>,
    lost: bool,
}

impl Watches {
    pub(super) fn hold(&mut self) {
        self.held = Some(Held::default());
    }

    /// Tells what was held back, or forgets it.
    pub(super) fn let_go(&mut self, tree: &Tree, happened: bool) {
        let held = self.held.take().unwrap_or_default();
        if !happened {
            return;
        }
        for (change, dir, name) in held.changes {
            self.tell(tree, change, dir, &name);
        }
        if held.lost {
            self.overflow_all();
        }
    }

    pub(super) fn overflow_all(&mut self) {
        self.list.iter().for_each(Watch::overflow);
    }

    fn tell(&mut self, tree: &Tree, change: Change, dir: Ino, name: &str) {
        if self.list.is_empty() {
            return;
        }
        if let Some(held) = &mut self.held {
            if held.changes.len() < MAX_QUEUED_EVENTS {
                held.changes.push((change, dir, name.into()));
            } else {
                held.lost = true;
            }
            return;
        }
        self.list.retain(|watch| watch.queue.strong_count() > 0);
        for watch in &self.list {
            match watch.locate(tree, dir, name) {
                Some(Ok(path)) => watch.push(change, path),
                Some(Err(TooDeep)) => watch.overflow(),
                None => {}
            }
        }
    }
}

impl FileSystem {
    /// Watches a directory from now on; links are followed. Events name paths below `path` as it
    /// was given, whatever is renamed above it. A change of a file is told for every name it has.
    ///
    /// # Errors
    /// [`Errno::NotDirectory`](super::Errno::NotDirectory); those of `stat(2)`.
    pub fn watch(&mut self, path: &SandboxPath, options: WatchOptions) -> Result<WatchStream> {
        let dir = self.lookup(path.into(), true)?;
        self.tree.directory(dir)?;
        let queue = Arc::default();
        self.watches
            .list
            .retain(|watch| watch.queue.strong_count() > 0);
        self.watches.list.push(Watch {
            dir,
            path: path.clone(),
            recursive: options.recursive,
            queue: Arc::downgrade(&queue),
        });
        Ok(WatchStream(queue))
    }

    /// Something happened to `name` in `dir`.
    pub(super) fn note(&mut self, change: Change, dir: Ino, name: &str) {
        self.watches.tell(&self.tree, change, dir, name);
    }

    /// Something happened to a file, whatever its names.
    pub(super) fn note_inode(&mut self, change: Change, ino: Ino) {
        if self.watches.list.is_empty() {
            return;
        }
        let Ok(inode) = self.tree.get(ino) else {
            return;
        };
        if inode.places.size() > MAX_TOLD_NAMES {
            self.watches.overflow_all();
            return;
        }
        for (dir, name) in inode.places.iter() {
            self.watches.tell(&self.tree, change, *dir, name);
        }
    }
}
