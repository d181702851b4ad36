//! Formats of `-printf`.

use super::Subject;
use super::tests::letter;
use crate::accounts::{Accounts, Kind};
use crate::files::target::parent;
use crate::format::backslash;
use crate::size::blocks;
use sandbox_applet::time::Civil;

/// `format` with its sequences replaced.
pub fn fill(format: &str, subject: &Subject<'_>) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out += &backslash(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest
            .find(|letter: char| !matches!(letter, '-' | '0'..='9' | '.'))
            .unwrap_or(rest.len());
        let (flags, tail) = rest.split_at(end);
        let mut letters = tail.chars();
        let Some(letter) = letters.next() else {
            return out + "%" + flags;
        };
        let value = match letter {
            'T' | 'C' | 'A' => {
                let ns = if letter == 'C' {
                    subject.entry.stat.ctime_ns
                } else {
                    subject.entry.stat.mtime_ns
                };
                letters
                    .next()
                    .map_or_else(String::new, |part| time(ns, part))
            }
            letter => value(letter, subject),
        };
        let width: usize = flags
            .trim_start_matches(['-', '0'])
            .split('.')
            .next()
            .and_then(|width| width.parse().ok())
            .unwrap_or(0);
        let width = width.min(4096);
        out += &if flags.starts_with('-') {
            format!("{value:<width$}")
        } else {
            format!("{value:>width$}")
        };
        rest = letters.as_str();
    }
    out + &backslash(rest)
}

fn value(what: char, subject: &Subject<'_>) -> String {
    let entry = subject.entry;
    let stat = &entry.stat;
    match what {
        'p' => entry.path.clone(),
        'f' => entry.name.clone(),
        'h' => parent(&entry.path).to_owned(),
        'P' => entry
            .path
            .strip_prefix(subject.start)
            .unwrap_or(&entry.path)
            .trim_start_matches('/')
            .to_owned(),
        'H' => subject.start.to_owned(),
        's' => stat.size.to_string(),
        'k' => blocks(stat).to_string(),
        'b' => (blocks(stat) * 2).to_string(),
        'm' => format!("{:o}", stat.mode & 0o7777),
        'M' => crate::mode::show(stat.mode),
        'y' | 'Y' => letter(stat.mode).to_string(),
        'u' => Accounts::read(Kind::User).name(stat.uid),
        'g' => Accounts::read(Kind::Group).name(stat.gid),
        'U' => stat.uid.to_string(),
        'G' => stat.gid.to_string(),
        'i' => stat.ino.to_string(),
        'n' => stat.nlink.to_string(),
        'd' => subject.depth.to_string(),
        'D' => stat.dev.to_string(),
        'l' => std::fs::read_link(&entry.path)
            .map(|target| target.to_string_lossy().into_owned())
            .unwrap_or_default(),
        't' | 'a' => Civil::new(stat.mtime_ns).full(),
        'c' => Civil::new(stat.ctime_ns).full(),
        '%' => "%".to_owned(),
        other => format!("%{other}"),
    }
}

/// One part of a time.
fn time(ns: u64, part: char) -> String {
    let civil = Civil::new(ns);
    match part {
        '@' => format!(
            "{}.{:010}",
            ns / 1_000_000_000,
            u64::from(civil.nanosecond) * 10
        ),
        'Y' => civil.year.to_string(),
        'm' => format!("{:02}", civil.month),
        'd' => format!("{:02}", civil.day),
        'H' => format!("{:02}", civil.hour),
        'M' => format!("{:02}", civil.minute),
        'S' => format!(
            "{:02}.{:010}",
            civil.second,
            u64::from(civil.nanosecond) * 10
        ),
        'F' => civil.minutes()[..10].to_owned(),
        'R' => civil.minutes()[11..].to_owned(),
        'T' => format!(
            "{}:{:02}.{:010}",
            &civil.minutes()[11..],
            civil.second,
            u64::from(civil.nanosecond) * 10
        ),
        'Z' => "UTC".to_owned(),
        other => format!("%T{other}"),
    }
}
