use std::fs::{self, File};
use std::io::{self, Read};

use sandbox_applet::time::Civil;
use sandbox_applet::{Context, Failure, Out, Outcome, cwd, glob, warn};
use sandbox_guest::files;
use tar::{Archive, Entry, EntryType};

use super::options::{Options, Task};
use super::{archive, drain};
use crate::restore;

/// `-x` and `-t`
pub fn run(options: &Options, name: &str) -> Outcome {
    let input = archive(options)?;
    if let Some(directory) = &options.directory
        && options.task == Task::Extract
    {
        std::env::set_current_dir(directory).context(format_args!("{directory}: Cannot open"))?;
    }
    let mut unpacker = Unpacker {
        options,
        out: Out::new(),
        found: vec![false; options.operands.len()],
        directories: Vec::new(),
        failed: 0,
        name,
    };
    let mut archive = Archive::new(input);
    for entry in archive.entries().context(&options.file)? {
        let entry = entry.context(format_args!(
            "{}: not a tar archive, or damaged",
            options.file
        ))?;
        unpacker.entry(entry)?;
    }
    drain(archive.into_inner());
    // Last, for a directory that nobody may write to must be filled first; the innermost before those around.
    for (path, mode, time) in unpacker.directories.iter().rev() {
        restore::mode(path, *mode).context(path)?;
        if let Some(time) = time {
            restore::time(path, *time).context(path)?;
        }
    }
    unpacker.out.finish()?;
    for (operand, _) in options
        .operands
        .iter()
        .zip(&unpacker.found)
        .filter(|(_, found)| !**found)
    {
        warn(name, format_args!("{operand}: Not found in archive"));
        unpacker.failed = 2;
    }
    Ok(unpacker.failed)
}

struct Unpacker<'a> {
    options: &'a Options,
    out: Out,
    /// Which of the operands there was something of.
    found: Vec<bool>,
    /// Path, mode and time.
    directories: Vec<(String, u32, Option<u64>)>,
    failed: u8,
    name: &'a str,
}

impl Unpacker<'_> {
    fn wanted(&mut self, member: &str) -> bool {
        let bare = member.trim_end_matches('/');
        if self.options.excluded(bare) {
            return false;
        }
        if self.options.operands.is_empty() {
            return true;
        }
        let mut any = false;
        for (operand, found) in self.options.operands.iter().zip(&mut self.found) {
            let operand = operand.trim_end_matches('/');
            let below = bare
                .strip_prefix(operand)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            if below || glob::matches(operand, bare, false) {
                *found = true;
                any = true;
            }
        }
        any
    }

    fn entry(&mut self, mut entry: Entry<'_, impl Read>) -> Result<(), Failure> {
        let member = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if !self.wanted(&member) {
            return Ok(());
        }
        if self.options.task == Task::List {
            let line = if self.options.verbose {
                long_line(&entry, &member)
            } else {
                member
            };
            return self.out.line(line);
        }
        let Some(path) = self.place(&member) else {
            return Ok(());
        };
        if self.options.to_output {
            if entry.header().entry_type().is_file() {
                io::copy(&mut entry, &mut self.out).context(&member)?;
            }
            return Ok(());
        }
        if self.options.verbose {
            self.out.line(&member)?;
        }
        if let Err(error) = self.unpack(&mut entry, &path) {
            self.out.finish()?;
            warn(
                self.name,
                format_args!("{member}: {}", sandbox_applet::reason(&error)),
            );
            self.failed = 2;
        }
        Ok(())
    }

    /// Where a member goes; `None` when it is stripped away, or would go outside.
    fn place(&mut self, member: &str) -> Option<String> {
        let path = if self.options.absolute {
            member.trim_end_matches('/').to_owned()
        } else if let Some(path) = restore::inside(member) {
            path
        } else {
            warn(
                self.name,
                format_args!("{member}: Member name contains '..'; not unpacked"),
            );
            self.failed = 2;
            return None;
        };
        let mut rest = &*path;
        for _ in 0..self.options.strip {
            rest = rest.split_once('/')?.1;
        }
        Some(rest.to_owned())
    }

    fn unpack(&mut self, entry: &mut Entry<'_, impl Read>, path: &str) -> io::Result<()> {
        let header = entry.header();
        let kind = header.entry_type();
        let umask = files::umask().unwrap_or(0o022);
        let mode = header.mode()?
            & if self.options.keep_mode {
                0o7777
            } else {
                0o777 & !umask
            };
        let time = self.options.keep_time.then(|| header.mtime()).transpose()?;
        if kind == EntryType::Directory {
            if !path.is_empty() {
                fs::create_dir_all(path)?;
                self.directories.push((path.to_owned(), mode, time));
            }
            return Ok(());
        }
        if let Some((above, _)) = path.rsplit_once('/') {
            fs::create_dir_all(above)?;
        }
        if let Ok(old) = files::stat(&cwd(), path, false) {
            if self.options.keep_old {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "File exists"));
            }
            if old.is_dir() {
                return Err(sandbox_guest::errno::error(sandbox_guest::errno::ISDIR));
            }
            fs::remove_file(path)?;
        }
        let link = entry
            .link_name_bytes()
            .map(|link| String::from_utf8_lossy(&link).into_owned());
        match kind {
            EntryType::Symlink => return restore::symlink(&link.unwrap_or_default(), path),
            EntryType::Link => {
                let source = link
                    .as_deref()
                    .and_then(restore::inside)
                    .unwrap_or_default();
                let mut source = &*source;
                for _ in 0..self.options.strip {
                    source = source.split_once('/').map_or("", |split| split.1);
                }
                return fs::hard_link(source, path);
            }
            kind if kind.is_file() || kind == EntryType::GNUSparse => {}
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "this kind of file cannot be made",
                ));
            }
        }
        let mut file = File::create(path)?;
        io::copy(entry, &mut file)?;
        drop(file);
        if self.options.keep_mode {
            let header = entry.header();
            let owner = (header.uid()?, header.gid()?);
            if let (Ok(uid), Ok(gid)) = (u32::try_from(owner.0), u32::try_from(owner.1)) {
                let _ = files::chown(&cwd(), path, true, uid, gid);
            }
        }
        restore::mode(path, mode)?;
        match time {
            Some(time) => restore::time(path, time),
            None => Ok(()),
        }
    }
}

/// A line of `-tv`.
fn long_line(entry: &Entry<'_, impl Read>, member: &str) -> String {
    let header = entry.header();
    let letter = match header.entry_type() {
        EntryType::Directory => 'd',
        EntryType::Symlink => 'l',
        EntryType::Link => 'h',
        EntryType::Fifo => 'p',
        EntryType::Char => 'c',
        EntryType::Block => 'b',
        _ => '-',
    };
    let mode = header.mode().unwrap_or(0);
    let bits: String = (0..9)
        .map(|at| {
            if mode & 0o400 >> at != 0 {
                ['r', 'w', 'x'][at % 3]
            } else {
                '-'
            }
        })
        .collect();
    let owner = |name: Option<&str>, id: io::Result<u64>| match name {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => id.unwrap_or(0).to_string(),
    };
    let user = owner(header.username().ok().flatten(), header.uid());
    let group = owner(header.groupname().ok().flatten(), header.gid());
    let time = Civil::new(header.mtime().unwrap_or(0).saturating_mul(1_000_000_000)).minutes();
    let target = match (letter, entry.link_name_bytes()) {
        ('l', Some(link)) => format!(" -> {}", String::from_utf8_lossy(&link)),
        ('h', Some(link)) => format!(" link to {}", String::from_utf8_lossy(&link)),
        _ => String::new(),
    };
    format!(
        "{letter}{bits} {user}/{group} {:>9} {time} {member}{target}",
        entry.size()
    )
}
