//! What the files `/etc/passwd` and `/etc/group` call users and groups.

use std::collections::HashMap;

use super::FileSystem;
use super::inode::Node;

/// Of these files so many bytes are read: they are the tenant's own, and may be any size.
const MAX_BYTES: u64 = 64 << 10;

/// Names by number, as they were when they were read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Owners {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
}

impl Owners {
    /// The name of the user numbered `uid`.
    pub fn user(&self, uid: u32) -> Option<&str> {
        self.users.get(&uid).map(String::as_str)
    }

    /// The name of the group numbered `gid`.
    pub fn group(&self, gid: u32) -> Option<&str> {
        self.groups.get(&gid).map(String::as_str)
    }
}

impl FileSystem {
    /// The names that `/etc/passwd` and `/etc/group` give now; of each the first 64 KiB count, and
    /// what is not there or makes no sense gives no names.
    pub fn owners(&self) -> Owners {
        Owners {
            users: self.names("/etc/passwd"),
            groups: self.names("/etc/group"),
        }
    }

    fn names(&self, path: &str) -> HashMap<u32, String> {
        let mut names = HashMap::new();
        let text = self.beginning(path).unwrap_or_default();
        for line in String::from_utf8_lossy(&text).lines() {
            let mut fields = line.split(':');
            if let (Some(name), Some(_), Some(number)) =
                (fields.next(), fields.next(), fields.next())
                && let Ok(number) = number.parse()
                && !name.is_empty()
            {
                // The first name of a number is the one that counts.
                names.entry(number).or_insert_with(|| name.to_owned());
            }
        }
        names
    }

    fn beginning(&self, path: &str) -> Option<Vec<u8>> {
        let ino = self.lookup(path.into(), true).ok()?;
        let Node::File(content) = &self.tree.get(ino).ok()?.node else {
            return None;
        };
        let mut bytes = vec![0; content.size().min(MAX_BYTES) as usize];
        let read = content.read(0, &mut bytes);
        bytes.truncate(read);
        Some(bytes)
    }
}
