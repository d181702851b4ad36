//! Removing files and trees.

use std::fs;
use std::io;
use std::path::Path;

use sandbox_core::{ErrorKind, SandboxPath};

use super::{at, refuse, tree};
use crate::agent::Agent;
use crate::protocol::{Reply, WireError};

impl Agent {
    pub(crate) fn remove(&mut self, channel: u32, path: SandboxPath, recursive: bool) {
        if path.is_root() {
            let message = "the root cannot be removed";
            let error = refuse(ErrorKind::InvalidSpec, "path", message);
            return self.reply(channel, Err(error));
        }
        let is_dir = fs::symlink_metadata(path.as_str()).is_ok_and(|metadata| metadata.is_dir());
        if is_dir && recursive {
            return self.submit(channel, move || {
                let removed = tree::remove(Path::new(path.as_str()));
                removed
                    .map(|()| Reply::Done)
                    .map_err(|error| failure(&error))
            });
        }
        let path = Path::new(path.as_str());
        let removed = match is_dir {
            true => fs::remove_dir(path),
            false => fs::remove_file(path),
        };
        let removed = removed.map_err(|error| failure(&error));
        self.reply(channel, removed.map(|()| Reply::Done));
    }
}

fn failure(error: &io::Error) -> WireError {
    match error.raw_os_error() {
        Some(libc::ENOTDIR) => at("path", &io::Error::from_raw_os_error(libc::ENOENT)),
        _ => at("path", error),
    }
}
