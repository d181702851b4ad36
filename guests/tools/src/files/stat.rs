//! `stat`.

use std::fs;

use sandbox_applet::{Args, Failure, Long, Out, Outcome, Short, Value, cwd, reason, text, warn};
use sandbox_guest::files::{self, Stat, kind};

use crate::accounts::{Accounts, Kind};
use crate::format::backslash;
use crate::mode;
use crate::size::blocks;
use sandbox_applet::time::Civil;

/// Shows what is known of files.
pub fn run(mut args: Args) -> Outcome {
    let mut follow = false;
    let mut format = None;
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('L') | Long("dereference") => follow = true,
            Short('c') | Long("format") => format = Some(args.string()? + "\n"),
            Long("printf") => format = Some(backslash(&args.string()?)),
            Short('t') | Long("terse") => {
                format = Some("%n %s %b %f %u %g %D %i %h %t %T %X %Y %Z %W %o\n".to_owned());
            }
            Short('f') | Long("file-system") => {
                return Err(Failure::new(
                    "-f: the sandbox has no information about file systems",
                ));
            }
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    let accounts = [Accounts::read(Kind::User), Accounts::read(Kind::Group)];
    let cwd = cwd();
    let mut out = Out::new();
    let mut failed = 0;
    for operand in &operands {
        let path = text(operand)?;
        let found = if path == "-" {
            files::fstat(0)
        } else {
            files::stat(&cwd, path, follow)
        };
        match found {
            Ok(stat) => {
                let file = File {
                    path,
                    stat,
                    accounts: &accounts,
                };
                let format = format.as_deref().unwrap_or_else(|| file.default_format());
                out.put(file.fill(format))?;
            }
            Err(error) => {
                out.finish()?;
                warn(
                    args.name(),
                    format_args!("cannot statx '{path}': {}", reason(&error)),
                );
                failed = 1;
            }
        }
    }
    out.finish()?;
    Ok(failed)
}

struct File<'a> {
    path: &'a str,
    stat: Stat,
    accounts: &'a [Accounts; 2],
}

impl File<'_> {
    fn default_format(&self) -> &'static str {
        "  File: %N\n  Size: %-10s\tBlocks: %-10b IO Block: %-6o %F\n\
         Device: %Hd,%Ld\tInode: %-11i Links: %h\n\
         Access: (%04a/%10.10A)  Uid: (%5u/%8U)   Gid: (%5g/%8G)\n\
         Access: %x\nModify: %y\nChange: %z\n Birth: %w\n"
    }

    /// `format` with its `%` sequences replaced.
    fn fill(&self, format: &str) -> String {
        let mut out = String::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            out += &rest[..at];
            rest = &rest[at + 1..];
            let end = rest
                .find(|letter: char| !matches!(letter, '-' | '0'..='9' | '.' | '#' | '+' | ' '))
                .unwrap_or(rest.len());
            let flags = &rest[..end];
            let mut letters = rest[end..].chars();
            let Some(mut letter) = letters.next() else {
                out.push('%');
                out += flags;
                rest = "";
                break;
            };
            let mut prefix = None;
            if matches!(letter, 'H' | 'L')
                && let Some(next @ ('d' | 'r')) = letters.clone().next()
            {
                letters.next();
                prefix = Some(letter);
                letter = next;
            }
            out += &pad(flags, &self.value(letter, prefix));
            rest = letters.as_str();
        }
        out + rest
    }

    fn value(&self, letter: char, part: Option<char>) -> String {
        let stat = &self.stat;
        match letter {
            'n' => self.path.to_owned(),
            'N' => match fs::read_link(self.path) {
                Ok(target) if stat.kind() == kind::SYMLINK => {
                    format!("'{}' -> '{}'", self.path, target.display())
                }
                _ if part.is_none() && self.path.contains(' ') => format!("'{}'", self.path),
                _ => self.path.to_owned(),
            },
            's' => stat.size.to_string(),
            'b' => (blocks(stat) * 2).to_string(),
            'B' => "512".to_owned(),
            'o' => "4096".to_owned(),
            'f' => format!("{:x}", stat.mode),
            'F' => mode::kind_name(stat.mode, stat.size).to_owned(),
            'a' => format!("{:o}", stat.mode & 0o7777),
            'A' => mode::show(stat.mode),
            'u' => stat.uid.to_string(),
            'g' => stat.gid.to_string(),
            'U' => self.account(0, stat.uid),
            'G' => self.account(1, stat.gid),
            'd' => match part {
                Some('H') => (stat.dev >> 8).to_string(),
                Some(_) => (stat.dev & 0xff).to_string(),
                None => stat.dev.to_string(),
            },
            'D' => format!("{:x}", stat.dev),
            'i' => stat.ino.to_string(),
            'h' => stat.nlink.to_string(),
            't' | 'T' | 'r' => "0".to_owned(),
            // Access times are not kept: the change of the content is the last one known.
            'x' | 'y' => Civil::new(stat.mtime_ns).full(),
            'z' => Civil::new(stat.ctime_ns).full(),
            'X' | 'Y' => (stat.mtime_ns / 1_000_000_000).to_string(),
            'Z' => (stat.ctime_ns / 1_000_000_000).to_string(),
            'w' => "-".to_owned(),
            'W' => "0".to_owned(),
            'm' => "/".to_owned(),
            '%' => "%".to_owned(),
            _ => "?".to_owned(),
        }
    }

    fn account(&self, index: usize, id: u32) -> String {
        match self.accounts[index].by_id(id) {
            Some(account) => account.name.clone(),
            None => "UNKNOWN".to_owned(),
        }
    }
}

/// Applies the width of `flags` (`-10`, `04`, `10.10`).
fn pad(flags: &str, value: &str) -> String {
    let width = flags.trim_start_matches(['-', '0', '#', '+', ' ']);
    let width: usize = width
        .split('.')
        .next()
        .and_then(|width| width.parse().ok())
        .unwrap_or(0);
    // More than any line holds is a mistake that must not become memory.
    let width = width.min(4096);
    if flags.contains('-') {
        format!("{value:<width$}")
    } else if flags.starts_with('0') {
        format!("{value:0>width$}")
    } else {
        format!("{value:>width$}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_filled_with_widths() {
        let stat = Stat {
            dev: 1,
            ino: 2,
            nlink: 3,
            size: 4,
            mode: 0o100_640,
            uid: 0,
            gid: 0,
            mtime_ns: 0,
            ctime_ns: 1_000_000_000,
        };
        let accounts = [Accounts::read(Kind::User), Accounts::read(Kind::Group)];
        let file = File {
            path: "f",
            stat,
            accounts: &accounts,
        };
        assert_eq!(
            file.fill("%a %A %s|%-3i|%05h|%%|%q%"),
            "640 -rw-r----- 4|2  |00003|%|?%"
        );
        assert_eq!(file.fill("%Hd,%Ld %Z %F"), "0,1 1 regular file");
    }
}
