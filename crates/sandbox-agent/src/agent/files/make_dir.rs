//! Making directories.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Component, Path};

use sandbox_core::{ErrorKind, MakeDirOptions, SandboxPath, check_mode};

use super::write::owner_failure;
use super::{at, place, refuse, tree};
use crate::agent::Agent;
use crate::protocol::{Reply, WireError};

const DEFAULT_MODE: u32 = 0o755;
/// The mode of a directory until it is finished: nobody else gets in before it has its owner.
const UNFINISHED: u32 = 0o700;

/// Who owns what is made; none for this program's own user.
pub(super) type Owner = Option<(u32, u32)>;

impl Agent {
    pub(crate) fn make_dir(
        &mut self,
        path: &SandboxPath,
        options: &MakeDirOptions,
    ) -> Result<Reply, WireError> {
        check_mode(options.mode)?;
        let owner = self.owner(options.user.as_ref())?;
        let path = Path::new(path.as_str());
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            // The root is there.
            return Ok(Reply::Made(false));
        };
        let parent = open_parent(parent, options.create_parents, owner)?;
        let made = make(&parent, name, options.mode.unwrap_or(DEFAULT_MODE), owner)?;
        Ok(Reply::Made(made.is_some()))
    }
}

/// Opens the directory at `path`, and makes those that are missing on the way where that is wanted.
pub(super) fn open_parent(path: &Path, create: bool, owner: Owner) -> Result<OwnedFd, WireError> {
    match place::open(path) {
        Err(error) if create && error.raw_os_error() == Some(libc::ENOENT) => {}
        opened => return opened.map_err(|error| at("path", &error)),
    }
    let mut directory = place::open(Path::new("/")).map_err(|error| at("path", &error))?;
    for component in path.components() {
        let name = match component {
            Component::Normal(name) => name,
            Component::ParentDir => OsStr::new(".."),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => continue,
        };
        directory = match place::enter(&directory, name) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                match make(&directory, name, DEFAULT_MODE, owner)? {
                    Some(made) => made,
                    // Somebody else was faster.
                    None => place::enter(&directory, name).map_err(|error| at("path", &error))?,
                }
            }
            entered => entered.map_err(|error| at("path", &error))?,
        };
    }
    Ok(directory)
}

/// Makes one directory; none when it was there.
fn make(
    parent: &OwnedFd,
    name: &OsStr,
    mode: u32,
    owner: Owner,
) -> Result<Option<OwnedFd>, WireError> {
    match place::make_directory(parent, name) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if place::enter(parent, name).is_ok() {
                return Ok(None);
            }
            let message = "something that is not a directory is in the way";
            return Err(refuse(ErrorKind::Conflict, "path", message));
        }
        Err(error) => return Err(at("path", &error)),
    }
    let finished = finish(parent, name, mode, owner);
    if finished.is_err()
        && let Ok(name) = place::c_string(name)
    {
        // It was made by this call and is still empty.
        let _ = place::unlink(parent, &name, libc::AT_REMOVEDIR);
    }
    finished.map(Some)
}

/// Gives the directory that was just made its owner and mode.
fn finish(parent: &OwnedFd, name: &OsStr, mode: u32, owner: Owner) -> Result<OwnedFd, WireError> {
    let opened = place::open_itself(parent, name).map_err(|_| replaced())?;
    let directory = File::from(opened);
    let made = directory.metadata().map_err(|error| at("path", &error))?;
    let empty = tree::is_empty(&directory).map_err(|error| at("path", &error))?;
    // Whoever may write in the parent may have put another directory in its place. One that holds
    // something, or that others may enter, is not what was made.
    if !empty || made.mode() & 0o777 & !UNFINISHED != 0 {
        return Err(replaced());
    }
    if let Some((uid, gid)) = owner
        && (uid, gid) != (made.uid(), made.gid())
    {
        fchown(&directory, Some(uid), Some(gid)).map_err(|error| owner_failure(&error))?;
    }
    let permissions = fs::Permissions::from_mode(mode);
    directory
        .set_permissions(permissions)
        .map_err(|error| at("path", &error))?;
    Ok(directory.into())
}

fn replaced() -> WireError {
    let message = "something else was put in the place of the directory that was made";
    refuse(ErrorKind::Conflict, "path", message)
}
