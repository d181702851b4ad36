//! `id`, `whoami`, `logname`, `groups`, `users`, `who`.

use sandbox_applet::{Args, Failure, Long, Out, Outcome, Short, Value, text};
use sandbox_guest::system;

use crate::accounts::{Accounts, Kind};

struct Person {
    uid: u32,
    groups: Vec<u32>,
}

fn person(name: Option<&str>, users: &Accounts, groups: &Accounts) -> Result<Person, Failure> {
    let (uid, gid) = match name {
        None => system::user(),
        Some(name) => {
            let known = users
                .by_name(name)
                .or_else(|| users.by_id(name.parse().ok()?));
            let user = known.ok_or_else(|| Failure::new(format!("'{name}': no such user")))?;
            (user.id, user.group.unwrap_or(user.id))
        }
    };
    let mut all = vec![gid];
    if let Some(user) = users.by_id(uid) {
        all.extend(groups.groups_of(&user.name).filter(|&group| group != gid));
    }
    Ok(Person { uid, groups: all })
}

/// `id`
pub fn id(mut args: Args) -> Outcome {
    let (mut what, mut names, mut end) = (None, false, "\n");
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('u') | Long("user") => what = Some('u'),
            Short('g') | Long("group") => what = Some('g'),
            Short('G') | Long("groups") => what = Some('G'),
            Short('n') | Long("name") => names = true,
            Short('z') | Long("zero") => end = "\0",
            Short('r' | 'a') | Long("real") => {}
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let name = operands.first().map(|operand| text(operand)).transpose()?;
    let (users, groups) = (Accounts::read(Kind::User), Accounts::read(Kind::Group));
    let person = person(name, &users, &groups)?;
    let show = |accounts: &Accounts, id: u32| {
        if names {
            accounts.name(id)
        } else {
            id.to_string()
        }
    };
    let both = |accounts: &Accounts, id: u32| match accounts.by_id(id) {
        Some(account) => format!("{id}({})", account.name),
        None => id.to_string(),
    };
    let line = match what {
        Some('u') => show(&users, person.uid),
        Some('g') => show(&groups, person.groups[0]),
        Some(_) => {
            let shown: Vec<String> = person
                .groups
                .iter()
                .map(|&group| show(&groups, group))
                .collect();
            shown.join(" ")
        }
        None if names => return Err(Failure::new("cannot print only names in default format")),
        None => {
            let shown: Vec<String> = person
                .groups
                .iter()
                .map(|&group| both(&groups, group))
                .collect();
            format!(
                "uid={} gid={} groups={}",
                both(&users, person.uid),
                both(&groups, person.groups[0]),
                shown.join(",")
            )
        }
    };
    let mut out = Out::new();
    out.put(line + end)?;
    out.finish()?;
    Ok(0)
}

/// `whoami` and `logname`
pub fn whoami(mut args: Args) -> Outcome {
    if let Some(extra) = args.operands()?.first() {
        return Err(Failure::new(format!("extra operand '{}'", extra.display())));
    }
    let mut out = Out::new();
    out.line(Accounts::read(Kind::User).name(system::user().0))?;
    out.finish()?;
    Ok(0)
}

/// `groups`
pub fn groups(mut args: Args) -> Outcome {
    let operands = args.operands()?;
    let name = operands.first().map(|operand| text(operand)).transpose()?;
    let (users, groups) = (Accounts::read(Kind::User), Accounts::read(Kind::Group));
    let person = person(name, &users, &groups)?;
    let shown: Vec<String> = person
        .groups
        .iter()
        .map(|&group| groups.name(group))
        .collect();
    let mut out = Out::new();
    out.line(match name {
        Some(name) => format!("{name} : {}", shown.join(" ")),
        None => shown.join(" "),
    })?;
    out.finish()?;
    Ok(0)
}

/// `users` and `who`: nobody logs in to a sandbox.
pub fn nobody(mut args: Args) -> Outcome {
    args.operands().map(|_| 0)
}
