//! What changed, for those who watch.

use sandbox_core::FileChange;

use super::{Ino, ROOT, Tree};

/// One change: what, and the directories it is in, from the innermost out, each with the path of
/// the changed thing seen from it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) change: FileChange,
    pub(crate) seen_from: Vec<(Ino, String)>,
}

/// Changes since somebody last looked; nothing is kept while nobody watches.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    watched: bool,
    pending: Vec<Change>,
}

impl Tree {
    pub(crate) fn set_watched(&mut self, watched: bool) {
        self.changes.watched = watched;
        self.changes.pending.clear();
    }

    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes.pending)
    }

    pub(super) fn changed(&mut self, change: FileChange, dir: Ino, name: &str) {
        if !self.changes.watched {
            return;
        }
        let mut seen_from = Vec::new();
        let mut path = name.to_owned();
        let mut at = dir;
        loop {
            seen_from.push((at, path.clone()));
            let Ok(node) = self.node(at) else { break };
            let parent = node.parent;
            if at == ROOT {
                break;
            }
            let Some(own) = self.name_in(parent, at) else {
                break;
            };
            path = format!("{own}/{path}");
            at = parent;
        }
        self.changes.pending.push(Change { change, seen_from });
    }

    pub(super) fn changed_node(&mut self, change: FileChange, ino: Ino) {
        if !self.changes.watched {
            return;
        }
        let Ok(parent) = self.node(ino).map(|node| node.parent) else {
            return;
        };
        if let Some(name) = self.name_in(parent, ino) {
            self.changed(change, parent, &name);
        }
    }

    fn name_in(&self, dir: Ino, child: Ino) -> Option<String> {
        let entries = self.entries(dir).ok()?;
        entries
            .iter()
            .find_map(|(name, ino)| (*ino == child).then(|| name.clone()))
    }
}
