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
        let path = if dir.is_empty() {
            self.shell.cwd.to_string()
        } else {
            self.shell.absolute(dir)
        };
        let Ok(entries) = std::fs::read_dir(path) else {
            return Vec::new();
        };
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            entry
                .ok()
                .map(|entry| entry.file_name().into_encoded_bytes())
        };
        // `std` leaves these two out, and `.*` matches them.
        let own = [b".".to_vec(), b"..".to_vec()];
        own.into_iter().chain(entries.filter_map(name)).collect()
    }

    fn exists(&self, path: &[u8]) -> bool {
        files::stat(&self.shell.cwd, &text::lossy(path), false).is_ok()
    }

    fn is_dir(&self, path: &[u8]) -> bool {
        files::stat(&self.shell.cwd, &text::lossy(path), true).is_ok_and(|stat| stat.is_dir())
    }
}
