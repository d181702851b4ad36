//! Users and groups as `/etc/passwd` and `/etc/group` have them.

use std::sync::Arc;

use sandbox_core::User;

use super::tree::{Owner, ROOT, Tree};

/// Who runs something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) owner: Owner,
    pub(crate) name: Option<String>,
    pub(crate) home: String,
}

impl Identity {
    pub(crate) fn root() -> Self {
        Self {
            owner: Owner::default(),
            name: Some("root".to_owned()),
            home: "/root".to_owned(),
        }
    }
}

/// The user called `user`, by name or by number, with or without a group.
pub(crate) fn find(tree: &Tree, user: &User) -> Option<Identity> {
    let (name, group) = match user.as_str().split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (user.as_str(), None),
    };
    let known = lines(tree, "/etc/passwd")
        .into_iter()
        .find(|fields| field(fields, 0) == name || field(fields, 2) == name);
    let mut identity = match known {
        Some(fields) => Identity {
            owner: Owner {
                uid: field(&fields, 2).parse().ok()?,
                gid: field(&fields, 3).parse().ok()?,
            },
            name: Some(field(&fields, 0).to_owned()),
            home: field(&fields, 5).to_owned(),
        },
        // A number needs no entry.
        None => Identity {
            owner: Owner {
                uid: name.parse().ok()?,
                gid: 0,
            },
            name: None,
            home: "/".to_owned(),
        },
    };
    if let Some(group) = group {
        identity.owner.gid = match group.parse() {
            Ok(number) => number,
            Err(_) => group_number(tree, group)?,
        };
    }
    Some(identity)
}

/// The name of user `uid`.
pub(crate) fn user_name(tree: &Tree, uid: u32) -> Option<String> {
    name_of(tree, "/etc/passwd", uid)
}

/// The name of group `gid`.
pub(crate) fn group_name(tree: &Tree, gid: u32) -> Option<String> {
    name_of(tree, "/etc/group", gid)
}

fn group_number(tree: &Tree, name: &str) -> Option<u32> {
    let groups = lines(tree, "/etc/group");
    let fields = groups.iter().find(|fields| field(fields, 0) == name)?;
    field(fields, 2).parse().ok()
}

fn name_of(tree: &Tree, file: &str, number: u32) -> Option<String> {
    let number = number.to_string();
    let lines = lines(tree, file);
    let fields = lines.iter().find(|fields| field(fields, 2) == number)?;
    Some(field(fields, 0).to_owned())
}

fn field(fields: &[String], at: usize) -> &str {
    fields.get(at).map_or("", String::as_str)
}

fn lines(tree: &Tree, file: &str) -> Vec<Vec<String>> {
    let data = tree
        .find(ROOT, file, true)
        .and_then(|ino| tree.data(ino))
        .unwrap_or_else(|_| Arc::default());
    let text = String::from_utf8_lossy(&data);
    text.lines()
        .map(|line| line.split(':').map(str::to_owned).collect())
        .collect()
}
