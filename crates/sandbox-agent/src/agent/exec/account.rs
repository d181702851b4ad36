//! Users and groups, from the image's own files.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use sandbox_core::{ErrorKind, MAX_PATH_BYTES, User};

use crate::protocol::WireError;

/// The most bytes of `/etc/passwd` or `/etc/group` that are read; a guest may have filled them.
const MAX_FILE: u64 = 1 << 20;
/// The longest name of an account in bytes, as the C library has it. A longer one would be in the
/// description of every file that it owns.
const MAX_NAME: usize = 256;

/// Who runs a command or owns a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) name: Option<String>,
    pub(crate) home: Option<String>,
}

#[derive(Debug, Clone)]
struct Passwd {
    name: String,
    uid: u32,
    gid: u32,
    home: String,
}

#[derive(Debug, Clone)]
struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Version {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// A file parsed once per change.
#[derive(Debug)]
struct Cached<T> {
    path: &'static str,
    version: Option<Version>,
    entries: Vec<T>,
}

impl<T> Cached<T> {
    fn new(path: &'static str) -> Self {
        Self {
            path,
            version: None,
            entries: Vec::new(),
        }
    }

    /// The entries now; none when the file is missing.
    fn entries(&mut self, parse: fn(&str) -> Option<T>) -> &[T] {
        let version = fs::metadata(self.path)
            .ok()
            .filter(|meta| meta.is_file())
            .map(|meta| Version {
                inode: meta.ino(),
                size: meta.size(),
                changed: (meta.ctime(), meta.ctime_nsec()),
            });
        if version != self.version || version.is_none() {
            self.version = version;
            self.entries = match version {
                Some(_) => read(self.path).lines().filter_map(parse).collect(),
                None => Vec::new(),
            };
        }
        &self.entries
    }
}

fn read(path: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = fs::File::open(path) {
        // What cannot be read is as good as not there.
        let _ = file.take(MAX_FILE).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn parse_passwd(line: &str) -> Option<Passwd> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    let home = fields.nth(1)?.to_owned();
    if name.len() > MAX_NAME || home.len() > MAX_PATH_BYTES {
        return None;
    }
    Some(Passwd {
        name,
        uid,
        gid,
        home,
    })
}

fn parse_group(line: &str) -> Option<Group> {
    let mut fields = line.split(':');
    let name = fields.next()?.to_owned();
    let gid = fields.nth(1)?.parse().ok()?;
    let members = fields.next().unwrap_or_default();
    if name.len() > MAX_NAME {
        return None;
    }
    Some(Group {
        name,
        gid,
        members: members
            .split(',')
            .filter(|member| !member.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// The users and groups of the image.
#[derive(Debug)]
pub(crate) struct Accounts {
    users: Cached<Passwd>,
    groups: Cached<Group>,
}

impl Accounts {
    pub(crate) fn new() -> Self {
        Self {
            users: Cached::new("/etc/passwd"),
            groups: Cached::new("/etc/group"),
        }
    }

    /// Who `user` is: a name or a number, either with `:group`. A number that no file knows is
    /// taken as it is, with group 0, as container runtimes do.
    pub(crate) fn resolve(&mut self, user: &User) -> Result<Identity, WireError> {
        let (user, group) = match user.as_str().split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (user.as_str(), None),
        };
        let mut identity = self.resolve_user(user)?;
        match group {
            Some(group) => {
                identity.gid = self.resolve_group(group)?;
                identity.groups.clear();
            }
            None => identity.groups = self.groups_of(identity.name.as_deref()),
        }
        Ok(identity)
    }

    fn resolve_user(&mut self, user: &str) -> Result<Identity, WireError> {
        let number = user.parse().ok();
        let users = self.users.entries(parse_passwd);
        let known = users
            .iter()
            .find(|one| one.name == user)
            .or_else(|| users.iter().find(|one| Some(one.uid) == number));
        match (known, number) {
            (Some(known), _) => Ok(Identity {
                uid: known.uid,
                gid: known.gid,
                groups: Vec::new(),
                name: Some(known.name.clone()),
                home: Some(known.home.clone()).filter(|home| home.starts_with('/')),
            }),
            // The highest number means "leave it" to the kernel.
            (None, Some(uid)) if uid != u32::MAX => Ok(Identity {
                uid,
                gid: 0,
                groups: Vec::new(),
                name: None,
                home: None,
            }),
            (None, _) => Err(unknown("user", user)),
        }
    }

    fn resolve_group(&mut self, group: &str) -> Result<u32, WireError> {
        let number = group.parse().ok();
        let groups = self.groups.entries(parse_group);
        groups
            .iter()
            .find(|one| one.name == group)
            .map(|one| one.gid)
            .or(number.filter(|gid| *gid != u32::MAX))
            .ok_or_else(|| unknown("group", group))
    }

    fn groups_of(&mut self, name: Option<&str>) -> Vec<u32> {
        let Some(name) = name else {
            return Vec::new();
        };
        let groups = self.groups.entries(parse_group).iter();
        groups
            .filter(|group| group.members.iter().any(|member| member == name))
            .map(|group| group.gid)
            .collect()
    }

    /// The user numbered `uid`, as it stands in the file.
    pub(crate) fn by_uid(&mut self, uid: u32) -> Option<(String, String)> {
        let users = self.users.entries(parse_passwd).iter();
        users
            .filter(|one| one.uid == uid)
            .map(|one| (one.name.clone(), one.home.clone()))
            .next()
    }

    /// The name of the group numbered `gid`.
    pub(crate) fn group_name(&mut self, gid: u32) -> Option<String> {
        let mut groups = self.groups.entries(parse_group).iter();
        groups
            .find(|one| one.gid == gid)
            .map(|one| one.name.clone())
    }
}

fn unknown(what: &str, name: &str) -> WireError {
    WireError::of(
        ErrorKind::NotFound,
        "user",
        format!("there is no {what} {name:?} in the sandbox"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_lines_are_no_accounts() {
        for bad in [
            "",
            "root",
            "root:x:zero:0::/root:/bin/sh",
            "root:x:0",
            ":::::::",
            "a:x:-1:0::/:",
            &format!("{}:x:0:0::/:", "a".repeat(MAX_NAME + 1)),
            &format!("a:x:0:0::/{}:", "a".repeat(MAX_PATH_BYTES)),
        ] {
            assert!(parse_passwd(bad).is_none(), "{bad:?}");
        }
        let root = parse_passwd("root:x:0:0:root:/root:/bin/bash").unwrap();
        assert_eq!((root.uid, root.gid, root.home.as_str()), (0, 0, "/root"));
        assert!(parse_group("wheel:x:ten:root").is_none());
        assert!(parse_group(&format!("{}:x:10:", "a".repeat(MAX_NAME + 1))).is_none());
        let group = parse_group("wheel:x:10:root,,alice").unwrap();
        assert_eq!(group.members, ["root", "alice"]);
    }
}
