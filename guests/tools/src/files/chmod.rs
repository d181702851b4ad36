//! `chmod`, `chown`, `chgrp`.

use std::io;

use sandbox_applet::{
    Args, Context, Failure, Long, Out, Outcome, Short, Value, cwd, entries, reason, text, warn,
};
use sandbox_guest::files::{self, Stat, kind};

use crate::accounts::{Accounts, Kind};
use crate::mode;

/// Keeps an owner as it is.
const KEEP: u32 = u32::MAX;

#[derive(Default)]
struct Walk {
    name: &'static str,
    recursive: bool,
    quiet: bool,
    verbose: bool,
    changes: bool,
    no_follow: bool,
    failed: u8,
}

/// Changes one file; the line that `-v` prints and whether anything was different.
type Change<'a> = dyn Fn(&str, &Stat) -> io::Result<(String, bool)> + 'a;

impl Walk {
    /// Takes an option that all three have.
    fn option(&mut self, arg: &sandbox_applet::Arg<'_>) -> bool {
        match arg {
            Short('R') | Long("recursive") => self.recursive = true,
            Short('f') | Long("quiet" | "silent") => self.quiet = true,
            Short('v') | Long("verbose") => self.verbose = true,
            Short('c') | Long("changes") => self.changes = true,
            Short('h') | Long("no-dereference") => self.no_follow = true,
            Short('H' | 'L' | 'P') | Long("dereference" | "preserve-root" | "no-preserve-root") => {
            }
            _ => return false,
        }
        true
    }

    fn visit(
        &mut self,
        path: &str,
        top: bool,
        out: &mut Out,
        change: &Change<'_>,
    ) -> Result<(), Failure> {
        let found = files::stat(&cwd(), path, top && !self.no_follow);
        let stat = match found {
            Ok(stat) => stat,
            Err(error) => {
                self.report(format!("cannot access '{path}': {}", reason(&error)));
                return Ok(());
            }
        };
        if stat.kind() == kind::SYMLINK && !self.no_follow {
            return Ok(());
        }
        match change(path, &stat) {
            Ok((line, different)) if self.verbose || self.changes && different => out.line(line)?,
            Ok(_) => {}
            Err(error) => self.report(format!("changing '{path}': {}", reason(&error))),
        }
        if self.recursive && stat.is_dir() {
            match entries(path) {
                Ok(found) => {
                    for entry in found {
                        self.visit(&entry.path, false, out, change)?;
                    }
                }
                Err(error) => self.report(format!(
                    "cannot read directory '{path}': {}",
                    reason(&error)
                )),
            }
        }
        Ok(())
    }

    fn report(&mut self, message: String) {
        self.failed = 1;
        if !self.quiet {
            warn(self.name, message);
        }
    }

    fn all(mut self, operands: &[std::ffi::OsString], change: &Change<'_>) -> Outcome {
        if operands.is_empty() {
            return Err(Failure::new("missing operand"));
        }
        let mut out = Out::new();
        for operand in operands {
            self.visit(text(operand)?, true, &mut out, change)?;
        }
        out.finish()?;
        Ok(self.failed)
    }
}

/// Whether `text` is a mode that begins like an option, as `-w` or `-x,g-w`.
fn is_minus_mode(text: &str) -> bool {
    text.len() > 1
        && text.starts_with('-')
        && text[1..].starts_with(['r', 'w', 'x', 'X', 's', 't', 'u', 'g', 'o'])
}

/// `chmod`
pub fn chmod(mut args: Args) -> Outcome {
    let name = args.name();
    let mut walk = Walk {
        name,
        ..Walk::default()
    };
    let mut wanted = None;
    // A mode may look like an option: it is taken out before options are.
    let mut words = args.rest(None)?;
    if let Some(at) = words
        .iter()
        .position(|word| word.to_str().is_some_and(is_minus_mode))
    {
        wanted = Some(text(&words.remove(at))?.to_owned());
    }
    let mut args = Args::new(name, words);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Value(value) => operands.push(value),
            Long("reference") => {
                let path = args.string()?;
                let stat = files::stat(&cwd(), &path, true)
                    .context(format_args!("failed to get attributes of '{path}'"))?;
                wanted = Some(format!("{:o}", stat.mode & 0o7777));
            }
            other if walk.option(&other) => {}
            other => return Err(other.unexpected().into()),
        }
    }
    let wanted = match wanted {
        Some(wanted) => wanted,
        None if operands.is_empty() => return Err(Failure::new("missing operand")),
        None => text(&operands.remove(0))?.to_owned(),
    };
    let umask = files::umask().unwrap_or(0o022);
    if mode::apply(&wanted, 0, false, umask).is_none() {
        return Err(Failure::new(format!("invalid mode: '{wanted}'")));
    }
    walk.all(&operands, &|path, stat| {
        let old = stat.mode & 0o7777;
        let new = mode::apply(&wanted, old, stat.is_dir(), umask).unwrap_or(old);
        files::chmod(&cwd(), path, true, new)?;
        let (was, is) = (mode::show(stat.mode), mode::show(stat.mode & !0o7777 | new));
        let line = if old == new {
            format!("mode of '{path}' retained as {old:04o} ({})", &was[1..])
        } else {
            format!(
                "mode of '{path}' changed from {old:04o} ({}) to {new:04o} ({})",
                &was[1..],
                &is[1..]
            )
        };
        Ok((line, old != new))
    })
}

/// `chown` and `chgrp`
pub fn chown(mut args: Args) -> Outcome {
    let group_only = args.name() == "chgrp";
    let mut walk = Walk {
        name: args.name(),
        ..Walk::default()
    };
    let mut wanted = None;
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Value(value) => operands.push(value),
            Long("reference") => {
                let path = args.string()?;
                let stat = files::stat(&cwd(), &path, true)
                    .context(format_args!("failed to get attributes of '{path}'"))?;
                wanted = Some((if group_only { KEEP } else { stat.uid }, stat.gid));
            }
            other if walk.option(&other) => {}
            other => return Err(other.unexpected().into()),
        }
    }
    let (uid, gid) = match wanted {
        Some(wanted) => wanted,
        None if operands.is_empty() => return Err(Failure::new("missing operand")),
        None => {
            let owner = operands.remove(0);
            parse(text(&owner)?, group_only)?
        }
    };
    let no_follow = walk.no_follow;
    walk.all(&operands, &|path, stat| {
        files::chown(&cwd(), path, !no_follow, uid, gid)?;
        let different = uid != KEEP && uid != stat.uid || gid != KEEP && gid != stat.gid;
        let verb = if different {
            "changed ownership"
        } else {
            "ownership retained"
        };
        Ok((format!("{verb} of '{path}'"), different))
    })
}

/// `OWNER[:[GROUP]]`, `:GROUP`, or a group alone; names or numbers.
fn parse(text: &str, group_only: bool) -> Result<(u32, u32), Failure> {
    let groups = Accounts::read(Kind::Group);
    let group = |name: &str| {
        groups
            .id(name)
            .ok_or_else(|| Failure::new(format!("invalid group: '{text}'")))
    };
    if group_only {
        return Ok((KEEP, group(text)?));
    }
    let users = Accounts::read(Kind::User);
    let (owner, rest) = match text.split_once([':', '.']) {
        Some((owner, rest)) if users.by_name(text).is_none() => (owner, Some(rest)),
        _ => (text, None),
    };
    let uid = match owner {
        "" => KEEP,
        owner => users
            .id(owner)
            .ok_or_else(|| Failure::new(format!("invalid user: '{text}'")))?,
    };
    let gid = match rest {
        None => KEEP,
        // `owner:` means the owner's own group.
        Some("") => users.by_id(uid).and_then(|user| user.group).unwrap_or(KEEP),
        Some(name) => group(name)?,
    };
    Ok((uid, gid))
}
