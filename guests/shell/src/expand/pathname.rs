//! The sandbox's file system for pathname expansion.

use sandbox_guest::files;

use super::glob::Directories;
use crate::ast::Bytes;
use crate::shell::Shell;
use crate::text;

pub(super) struct Tree<'a> {
    pub(super) shell: &'a Shell,
}

impl Directories for Tree<'_> {
    fn names(&self, dir: &[u8]) -> Vec<Bytes> {
        let dir = if dir.is_empty() {
            "."
        } else {
            &text::lossy(dir)
        };
        let mut names = files::names(&self.shell.cwd, dir).unwrap_or_default();
        // Some kernels leave these two out, and `.*` matches them.
        for own in [&b"."[..], b".."] {
            if !names.iter().any(|name| name == own) {
                names.push(own.to_vec());
            }
        }
        names
    }

    fn exists(&self, path: &[u8]) -> bool {
        files::stat(&self.shell.cwd, &text::lossy(path), false).is_ok()
    }

    fn is_dir(&self, path: &[u8]) -> bool {
        files::stat(&self.shell.cwd, &text::lossy(path), true).is_ok_and(|stat| stat.is_dir())
    }
}
