//! Names of users and groups, from `/etc/passwd` and `/etc/group`.

use std::fs;

/// One kind of account.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    User,
    Group,
}

/// The accounts of one kind, read once.
#[derive(Debug)]
pub struct Accounts(Vec<Account>);

/// One line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    pub name: String,
    pub id: u32,
    /// A user's group.
    pub group: Option<u32>,
    /// A group's members.
    pub members: Vec<String>,
}

impl Accounts {
    /// Reads them; none when there is no such file.
    pub fn read(kind: Kind) -> Self {
        let path = match kind {
            Kind::User => "/etc/passwd",
            Kind::Group => "/etc/group",
        };
        Self::parse(kind, &fs::read_to_string(path).unwrap_or_default())
    }

    fn parse(kind: Kind, lines: &str) -> Self {
        Self(
            lines
                .lines()
                .filter_map(|line| {
                    let columns: Vec<&str> = line.split(':').collect();
                    let last = columns.get(3).copied().unwrap_or_default();
                    Some(Account {
                        name: (*columns.first()?).to_owned(),
                        id: columns.get(2)?.parse().ok()?,
                        group: (kind == Kind::User).then(|| last.parse().ok()).flatten(),
                        members: match kind {
                            Kind::User => Vec::new(),
                            Kind::Group => last.split(',').map(str::to_owned).collect(),
                        },
                    })
                })
                .collect(),
        )
    }

    /// The name of `id`, or its digits.
    pub fn name(&self, id: u32) -> String {
        self.by_id(id)
            .map_or_else(|| id.to_string(), |account| account.name.clone())
    }

    pub fn by_id(&self, id: u32) -> Option<&Account> {
        self.0.iter().find(|account| account.id == id)
    }

    pub fn by_name(&self, name: &str) -> Option<&Account> {
        self.0.iter().find(|account| account.name == name)
    }

    /// The number that `text` means: a name, or digits.
    pub fn id(&self, text: &str) -> Option<u32> {
        match self.by_name(text) {
            Some(account) => Some(account.id),
            None => text.parse().ok(),
        }
    }

    /// The groups that have `user` as a member.
    pub fn groups_of(&self, user: &str) -> impl Iterator<Item = u32> {
        self.0
            .iter()
            .filter(move |group| group.members.iter().any(|member| member == user))
            .map(|group| group.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found_both_ways() {
        let users = Accounts::parse(
            Kind::User,
            "root:x:0:0:root:/root:/bin/sh\nbroken\nuser:x:1000:100::/home/user:/bin/sh\n",
        );
        assert_eq!(users.name(1000), "user");
        assert_eq!(users.name(7), "7");
        assert_eq!(users.id("root"), Some(0));
        assert_eq!(users.id("12"), Some(12));
        assert_eq!(users.id("nobody"), None);
        assert_eq!(users.by_name("user").and_then(|user| user.group), Some(100));
        let groups = Accounts::parse(Kind::Group, "root:x:0:\nwork:x:50:user,other\n");
        assert_eq!(groups.groups_of("user").collect::<Vec<_>>(), [50]);
    }
}
