//! What an expression says of a file.

use sandbox_applet::{Failure, cwd, glob};
use sandbox_guest::files::{self, kind};

use super::parse::{Bits, Expression, Time};
use super::{State, Subject, actions, printf};
use crate::accounts::{Accounts, Kind};
use crate::size::blocks;

/// Evaluates `expression`, with all it does on the way.
pub fn evaluate(
    expression: &Expression,
    subject: &Subject<'_>,
    state: &mut State,
) -> Result<bool, Failure> {
    let entry = subject.entry;
    let stat = &entry.stat;
    Ok(match expression {
        Expression::And(all) => {
            for inner in all {
                if !evaluate(inner, subject, state)? || state.quit {
                    return Ok(false);
                }
            }
            true
        }
        Expression::Or(all) => {
            for inner in all {
                if evaluate(inner, subject, state)? {
                    return Ok(true);
                }
            }
            false
        }
        Expression::List(all) => {
            let mut last = true;
            for inner in all {
                last = evaluate(inner, subject, state)?;
            }
            last
        }
        Expression::Not(inner) => !evaluate(inner, subject, state)?,
        Expression::Always(value) => *value,
        Expression::Name { pattern, fold } => glob::matches(pattern, &entry.name, *fold),
        Expression::Path { pattern, fold } => glob::matches(pattern, &entry.path, *fold),
        Expression::LinkName { pattern, fold } => match std::fs::read_link(&entry.path) {
            Ok(target) => glob::matches(pattern, &target.to_string_lossy(), *fold),
            Err(_) => false,
        },
        Expression::Regex(regex) => regex.is_match(&entry.path),
        Expression::Type(kinds) => kinds.contains(&letter(stat.mode)),
        Expression::Size { count, unit } => count.fits(stat.size.div_ceil(*unit)),
        Expression::Age {
            time,
            count,
            unit_ns,
        } => {
            let age = state.now_ns.saturating_sub(of(*time, stat));
            count.fits(age / unit_ns)
        }
        Expression::Newer { time, than_ns } => of(*time, stat) > *than_ns,
        Expression::Permissions(bits) => {
            let mode = stat.mode & 0o7777;
            match *bits {
                Bits::All(wanted) => mode & wanted == wanted,
                Bits::Any(wanted) => wanted == 0 || mode & wanted != 0,
                Bits::Exactly(wanted) => mode == wanted,
            }
        }
        Expression::Owner(count) => count.fits(u64::from(stat.uid)),
        Expression::Group(count) => count.fits(u64::from(stat.gid)),
        Expression::Nameless(of) => {
            let id = if *of == Kind::User {
                stat.uid
            } else {
                stat.gid
            };
            Accounts::read(*of).by_id(id).is_none()
        }
        Expression::Links(count) => count.fits(stat.nlink),
        Expression::Inode(count) => count.fits(stat.ino),
        Expression::SameFile { dev, ino } => (stat.dev, stat.ino) == (*dev, *ino),
        Expression::Empty => match stat.kind() {
            kind::FILE => stat.size == 0,
            kind::DIRECTORY => {
                std::fs::read_dir(&entry.path).is_ok_and(|mut names| names.next().is_none())
            }
            _ => false,
        },
        Expression::Access(mask) => files::access(&cwd(), &entry.path, *mask).is_ok(),
        Expression::Print { end } => {
            state.out.put(format!("{}{end}", entry.path))?;
            true
        }
        Expression::PrintFormat(format) => {
            state.out.put(printf::fill(format, subject))?;
            true
        }
        Expression::List1 => {
            let owner = Accounts::read(Kind::User).name(stat.uid);
            let group = Accounts::read(Kind::Group).name(stat.gid);
            let time =
                sandbox_applet::time::Civil::new(stat.mtime_ns).short(sandbox_applet::time::now());
            state.out.line(format!(
                "{:>9} {:>6} {} {:>3} {owner:<8} {group:<8} {:>8} {time} {}",
                stat.ino,
                blocks(stat),
                crate::mode::show(stat.mode),
                stat.nlink,
                stat.size,
                entry.path
            ))?;
            true
        }
        Expression::Prune => {
            // With contents first it is too late, and has no effect.
            state.prune = !state.settings.contents_first;
            true
        }
        Expression::Quit => {
            state.quit = true;
            true
        }
        Expression::Delete => actions::delete(subject, state)?,
        Expression::Exec(exec) => actions::exec(exec, subject, state)?,
        Expression::ExecBatch(number) => {
            actions::collect(*number, &entry.path, state)?;
            true
        }
    })
}

fn of(time: Time, stat: &files::Stat) -> u64 {
    match time {
        Time::Modified => stat.mtime_ns,
        Time::Changed => stat.ctime_ns,
    }
}

/// The letter of a kind for `-type` and `%y`.
pub fn letter(mode: u32) -> char {
    match mode & kind::MASK {
        kind::FILE => 'f',
        kind::DIRECTORY => 'd',
        kind::SYMLINK => 'l',
        kind::CHARACTER => 'c',
        kind::BLOCK => 'b',
        kind::FIFO => 'p',
        kind::SOCKET => 's',
        _ => 'U',
    }
}
