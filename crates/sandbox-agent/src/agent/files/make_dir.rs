//! Making directories.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, lchown};
use std::path::Path;

use sandbox_core::{ErrorKind, MakeDirOptions, SandboxPath, check_mode};

use super::write::owner_failure;
use super::{at, refuse};
use crate::agent::Agent;
use crate::protocol::{Reply, WireError};

const DEFAULT_MODE: u32 = 0o755;

impl Agent {
    pub(crate) fn make_dir(
        &mut self,
        path: &SandboxPath,
        options: &MakeDirOptions,
    ) -> Result<Reply, WireError> {
        check_mode(options.mode)?;
        let owner = self.owner(options.user.as_ref())?;
        let path = Path::new(path.as_str());
        if let Some(parent) = path.parent()
            && options.create_parents
        {
            make_parents(parent, owner)?;
        }
        make(path, options.mode.unwrap_or(DEFAULT_MODE), owner).map(Reply::Made)
    }
}

/// Makes every directory of `path` that is missing.
pub(super) fn make_parents(path: &Path, owner: Option<(u32, u32)>) -> Result<(), WireError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_parents(parent, owner)?;
    }
    make(path, DEFAULT_MODE, owner)?;
    Ok(())
}

/// Makes one directory; false when it was there.
fn make(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> Result<bool, WireError> {
    // Nobody else gets in before it has its owner and mode.
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.is_dir() {
                return Ok(false);
            }
            let message = "something that is not a directory is in the way";
            return Err(refuse(ErrorKind::Conflict, "path", message));
        }
        Err(error) => return Err(at("path", &error)),
    }
    let finished = finish(path, mode, owner);
    if finished.is_err() {
        // It was made by this call and is still empty.
        let _ = fs::remove_dir(path);
    }
    finished.map(|()| true)
}

fn finish(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> Result<(), WireError> {
    if let Some((uid, gid)) = owner {
        let made = fs::symlink_metadata(path).map_err(|error| at("path", &error))?;
        use std::os::unix::fs::MetadataExt;
        if (uid, gid) != (made.uid(), made.gid()) {
            lchown(path, Some(uid), Some(gid)).map_err(|error| owner_failure(&error))?;
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(|error| at("path", &error))
}
