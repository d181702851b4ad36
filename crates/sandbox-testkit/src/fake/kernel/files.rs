//! The sandbox's file tree, and those who watch it.

use std::sync::{Arc, Mutex};

use futures_util::stream;
use sandbox_core::{BoxStream, FileChange, FileEvent, Result, SandboxPath};
use tokio::sync::mpsc;

use super::Kernel;
use crate::fake::tree::{Change, Ino, Tree};
use crate::fake::users::{self, Identity};
use crate::lock::Locked;

/// How many events wait for a watcher before some are lost.
const WATCH_CAPACITY: usize = 4096;

#[derive(Debug)]
struct Watcher {
    dir: Ino,
    path: SandboxPath,
    recursive: bool,
    events: mpsc::Sender<Result<FileEvent>>,
    /// Whether events were lost, which the next one with room says first.
    overflow: bool,
}

#[derive(Debug)]
pub(super) struct Files {
    tree: Mutex<Arc<Tree>>,
    watchers: Mutex<Vec<Watcher>>,
}

impl Files {
    pub(super) fn new(tree: Arc<Tree>) -> Self {
        Self {
            tree: Mutex::new(tree),
            watchers: Mutex::default(),
        }
    }

    pub(super) fn close(&self) {
        self.watchers.locked().clear();
    }
}

impl Kernel {
    /// Looks at the tree.
    pub(crate) fn files<T>(&self, look: impl FnOnce(&Tree) -> T) -> T {
        look(&self.files.tree.locked())
    }

    /// Changes the tree and tells those who watch.
    pub(crate) fn edit_files<T>(&self, edit: impl FnOnce(&mut Tree) -> T) -> T {
        let now = self.world.time.now();
        let mut shared = self.files.tree.locked();
        let tree = Arc::make_mut(&mut shared);
        tree.set_now(now);
        let result = edit(tree);
        let changes = tree.take_changes();
        // Under the tree's lock, so that watchers hear of changes in their order.
        if !changes.is_empty() {
            self.tell(&changes);
        }
        result
    }

    /// The tree as it is now.
    pub(crate) fn snapshot_files(&self) -> Arc<Tree> {
        let mut tree = Tree::clone(&self.files.tree.locked());
        tree.set_watched(false);
        tree.set_limit(None);
        Arc::new(tree)
    }

    /// Sets limits and makes the working directory.
    pub(super) fn prepare_files(&self) {
        let disk = self.spec.resources().disk;
        let needs = disk.is_some() || self.spec.workdir().is_some();
        if !needs {
            return;
        }
        let owner = self.default_identity().owner;
        self.edit_files(|tree| {
            if let Some(workdir) = self.spec.workdir() {
                // Something that is no directory there makes commands fail, which name it.
                let _ = tree.make_dirs(workdir.as_str(), 0o755, owner);
            }
            tree.set_limit(disk);
        });
    }

    /// Who runs commands unless they say otherwise; root when the sandbox's user is not known.
    pub(crate) fn default_identity(&self) -> Identity {
        self.spec
            .user()
            .and_then(|user| self.files(|tree| users::find(tree, user)))
            .unwrap_or_else(Identity::root)
    }

    pub(crate) fn watch(
        &self,
        dir: Ino,
        path: SandboxPath,
        recursive: bool,
    ) -> BoxStream<Result<FileEvent>> {
        let (events, receiver) = mpsc::channel(WATCH_CAPACITY);
        self.files.watchers.locked().push(Watcher {
            dir,
            path,
            recursive,
            events,
            overflow: false,
        });
        self.edit_files(|tree| tree.set_watched(true));
        Box::pin(stream::unfold(receiver, |mut receiver| async move {
            Some((receiver.recv().await?, receiver))
        }))
    }

    fn tell(&self, changes: &[Change]) {
        let mut watchers = self.files.watchers.locked();
        watchers.retain(|watcher| !watcher.events.is_closed());
        for change in changes {
            for watcher in watchers.iter_mut() {
                watcher.tell(change);
            }
        }
    }
}

impl Watcher {
    fn tell(&mut self, change: &Change) {
        let reach = if self.recursive { usize::MAX } else { 1 };
        let seen = change.seen_from.iter().take(reach);
        let Some((_, below)) = seen.clone().find(|(dir, _)| *dir == self.dir) else {
            return;
        };
        let Ok(path) = self.path.join(below) else {
            return;
        };
        if self.overflow {
            let lost = FileEvent {
                change: FileChange::Overflow,
                path: self.path.clone(),
            };
            self.overflow = self.events.try_send(Ok(lost)).is_err();
        }
        let event = FileEvent {
            change: change.change,
            path,
        };
        self.overflow |= self.events.try_send(Ok(event)).is_err();
    }
}
