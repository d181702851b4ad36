//! Writing files whole: into a temporary file beside the target, which takes its place at the end.

use std::ffi::{CString, OsStr};
use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use sandbox_core::{ErrorKind, SandboxPath, User, WriteOptions, check_mode};

use super::place::Attributes;
use super::{at, info, make_dir, place, refuse};
use crate::agent::Agent;
use crate::agent::channel::Channel;
use crate::agent::sys::fd;
use crate::protocol::flow::{Inflow, Outflow};
use crate::protocol::{Reply, Tag, WireError};

/// How many links in a row are followed, as the kernel has it.
const MAX_LINKS: usize = 40;

/// The name of a temporary file. It says whether it will replace one, so that a watch can tell.
const PREFIX: &str = ".sandbox-agent-";
const NEW: &str = ".new";
const REPLACING: &str = ".old";

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct FileWrite {
    path: SandboxPath,
    temporary: Temporary,
    mode: u32,
    owner: Option<(u32, u32)>,
    pub(crate) out: Outflow,
    pub(crate) inn: Inflow,
}

/// A temporary file; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Temporary {
    file: File,
    directory: OwnedFd,
    name: CString,
    target: CString,
    placed: bool,
}

impl Temporary {
    /// What a file named `name` is to a watch: a temporary one, and if so, whether it replaces one.
    pub(crate) fn recognise(name: &OsStr) -> Option<bool> {
        let rest = name.to_str()?.strip_prefix(PREFIX)?;
        if rest.len() != 16 + NEW.len() {
            return None;
        }
        match rest.get(16..) {
            Some(NEW) => Some(false),
            Some(REPLACING) => Some(true),
            Some(_) | None => None,
        }
    }

    fn create(directory: OwnedFd, target: CString, replaces: bool) -> io::Result<Self> {
        let suffix = if replaces { REPLACING } else { NEW };
        let name = format!("{PREFIX}{:016x}{suffix}", fd::random());
        let name = place::c_string(OsStr::new(&name))?;
        let file = File::from(place::create(&directory, &name)?);
        Ok(Self {
            file,
            directory,
            name,
            target,
            placed: false,
        })
    }

    fn place(&mut self) -> io::Result<()> {
        place::rename(&self.directory, &self.name, &self.target)?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.placed {
            // When it is gone already, all the better.
            let _ = place::unlink(&self.directory, &self.name, 0);
        }
    }
}

impl Agent {
    /// Opens a file for writing; what follows on the channel is its content.
    pub(crate) fn open_write(
        &mut self,
        channel: u32,
        path: SandboxPath,
        options: &WriteOptions,
    ) -> Result<Reply, WireError> {
        check_mode(options.mode)?;
        let owner = self.owner(options.user.as_ref())?;
        let target = follow(Path::new(path.as_str()))?;
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(refuse(ErrorKind::Conflict, "path", "is a directory"));
        };
        let directory = make_dir::open_parent(parent, options.create_parents, owner)?;
        let name = place::c_string(name).map_err(|error| at("path", &error))?;
        let existing = existing(&directory, &name)?;
        let temporary = Temporary::create(directory, name, existing.is_some())
            .map_err(|error| at("path", &error))?;
        let kept = existing.map(|old| (old.uid, old.gid));
        let old_mode = existing.map_or(0o644, |old| old.mode);
        let write = FileWrite {
            path,
            temporary,
            mode: options.mode.unwrap_or(old_mode),
            owner: owner.or(kept),
            out: Outflow::default(),
            inn: Inflow::default(),
        };
        self.channels
            .insert(channel, Channel::Write(Box::new(write)));
        Ok(Reply::Done)
    }

    /// The user and group that own what is made for `user`; none for this program's own.
    pub(crate) fn owner(&mut self, user: Option<&User>) -> Result<Option<(u32, u32)>, WireError> {
        let Some(user) = user else {
            return Ok(None);
        };
        let identity = self.accounts.resolve(user)?;
        Ok(Some((identity.uid, identity.gid)))
    }

    /// Takes in content that arrived.
    pub(crate) fn write_file(&mut self, channel: u32) {
        let Some(Channel::Write(write)) = self.channels.get_mut(&channel) else {
            return;
        };
        let outcome = write.take_in();
        if write.inn.is_ack_due()
            && let Some(offset) = write.inn.acknowledge()
        {
            self.acknowledge(channel, offset);
        }
        let outcome = match outcome {
            Ok(false) => return,
            Ok(true) => self.finish_write(channel),
            Err(error) => Err(error),
        };
        self.channels.remove(&channel);
        self.reply(channel, outcome);
    }

    fn finish_write(&mut self, channel: u32) -> Result<Reply, WireError> {
        let Some(Channel::Write(write)) = self.channels.get_mut(&channel) else {
            return Err(WireError::new(ErrorKind::Internal, "the channel is gone"));
        };
        let metadata = write.finish()?;
        let real = Path::new(write.path.as_str());
        let info = info::describe(write.path.clone(), real, &metadata, &mut self.accounts);
        Ok(Reply::File(Box::new(info)))
    }
}

impl FileWrite {
    /// Writes what has arrived; true once that was all.
    fn take_in(&mut self) -> Result<bool, WireError> {
        while let Some((tag, data)) = self.inn.pop() {
            match tag {
                Tag::Bytes => {
                    let written = self.temporary.file.write_all(&data);
                    written.map_err(|error| at("path", &error))?;
                }
                Tag::End if data.as_ref() == b"null" => return Ok(true),
                Tag::End | Tag::Exit | Tag::Output(_) => {
                    let message = "the content ended with something that is no end";
                    return Err(WireError::new(ErrorKind::InvalidSpec, message));
                }
            }
        }
        Ok(false)
    }

    fn finish(&mut self) -> Result<Metadata, WireError> {
        let file = &self.temporary.file;
        let made = file.metadata().map_err(|error| at("path", &error))?;
        if let Some((uid, gid)) = self.owner
            && (uid, gid) != (made.uid(), made.gid())
        {
            fchown(file, Some(uid), Some(gid)).map_err(|error| owner_failure(&error))?;
        }
        // After the owner, because changing that takes set-user-id bits away.
        file.set_permissions(fs::Permissions::from_mode(self.mode))
            .map_err(|error| at("path", &error))?;
        let metadata = file.metadata().map_err(|error| at("path", &error))?;
        self.temporary.place().map_err(|error| at("path", &error))?;
        Ok(metadata)
    }
}

/// The owner of a file cannot be what it has to be.
pub(super) fn owner_failure(error: &io::Error) -> WireError {
    let message = format!("this sandbox cannot give files to that user: {error}");
    refuse(ErrorKind::PermissionDenied, "user", message)
}

/// The path at the end of a chain of links; nothing has to be there.
fn follow(path: &Path) -> Result<PathBuf, WireError> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => {
                let text = fs::read_link(&path).map_err(|error| at("path", &error))?;
                path = match path.parent() {
                    Some(parent) => parent.join(text),
                    None => text,
                };
            }
            Ok(_) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path),
            Err(error) => return Err(at("path", &error)),
        }
    }
    Err(at("path", &io::Error::from_raw_os_error(libc::ELOOP)))
}

/// The regular file `name` in `directory`, if there is something.
fn existing(directory: &OwnedFd, name: &CString) -> Result<Option<Attributes>, WireError> {
    match place::attributes(directory, name) {
        Ok(attributes) if attributes.is_file() => Ok(Some(attributes)),
        Ok(attributes) if attributes.is_dir() => {
            Err(refuse(ErrorKind::Conflict, "path", "is a directory"))
        }
        Ok(_) => Err(refuse(ErrorKind::Conflict, "path", "is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at("path", &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn only_temporary_names_are_recognised() {
        let name = |suffix: &str| OsString::from(format!("{PREFIX}0123456789abcdef{suffix}"));
        assert_eq!(Temporary::recognise(&name(NEW)), Some(false));
        assert_eq!(Temporary::recognise(&name(REPLACING)), Some(true));
        for other in [
            "x",
            ".sandbox-agent-",
            ".sandbox-agent-é.new",
            ".sandbox-agent-1.new",
        ] {
            assert_eq!(Temporary::recognise(OsStr::new(other)), None, "{other}");
        }
    }
}
