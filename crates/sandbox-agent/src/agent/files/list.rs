//! Listing directories.

use std::fs;
use std::path::{Path, PathBuf};

use sandbox_core::{ErrorKind, ListOptions, MAX_PATH_BYTES, SandboxPath};

use super::lines::{LineWriter, lines};
use super::{at, info, lossy_name, refuse};
use crate::agent::Agent;
use crate::agent::channel::Channel;
use crate::agent::exec::Accounts;
use crate::protocol::{MAX_LIST, MAX_PROCESSES, Reply, WireError};

/// Processes are shown without arguments after this many bytes of them, which leaves room for
/// as many processes as there can be.
const MAX_ARGUMENT_BYTES: u64 = MAX_PROCESSES / 2;

impl Agent {
    pub(crate) fn list(&mut self, channel: u32, path: SandboxPath, options: ListOptions) {
        self.send_lines(channel, move |writer| {
            let mut listing = Listing {
                options,
                entries: 0,
                accounts: Accounts::new(),
                writer,
                next: Vec::new(),
            };
            listing.run(path)
        });
    }

    pub(crate) fn send_processes(&mut self, channel: u32) {
        let table = self.table();
        self.send_lines(channel, move |writer| {
            table.walk(|mut process| {
                // What is left out is what a guest can make long.
                if writer.written() > MAX_ARGUMENT_BYTES {
                    process.argv.clear();
                }
                writer.line(&process)
            });
            Ok(())
        });
    }

    /// Answers with the lines that `make` writes on a worker.
    fn send_lines(
        &mut self,
        channel: u32,
        make: impl FnOnce(&mut LineWriter) -> Result<(), WireError> + Send + 'static,
    ) {
        let job = self.new_job();
        let (lines, mut writer) = lines(job, self.workers.completions.clone());
        self.channels
            .insert(channel, Channel::Lines(Box::new(lines)));
        self.reply_soon(channel, Reply::Done);
        self.workers.submit(move || {
            let result = make(&mut writer);
            writer.finish(result);
        });
    }
}

struct Listing<'a> {
    options: ListOptions,
    entries: u32,
    accounts: Accounts,
    writer: &'a mut LineWriter,
    /// Directories still to be listed, and how deep their entries are. Not the call stack: how
    /// deep a tree is, is the guest's choice.
    next: Vec<(PathBuf, SandboxPath, u32)>,
}

impl Listing<'_> {
    fn run(&mut self, path: SandboxPath) -> Result<(), WireError> {
        let real = PathBuf::from(path.as_str());
        let entries = fs::read_dir(&real).map_err(|error| directory_failure(&error))?;
        if !self.directory(entries, &real, &path, 1)? {
            return Ok(());
        }
        while let Some((real, path, depth)) = self.next.pop() {
            let entries = match fs::read_dir(&real) {
                Ok(entries) => entries,
                Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => {
                    return Err(too_deep());
                }
                // Removed meanwhile, or not for this user: its own entry is listed.
                Err(_) => continue,
            };
            if !self.directory(entries, &real, &path, depth)? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Lists one directory; false when nobody wants any more.
    fn directory(
        &mut self,
        entries: fs::ReadDir,
        real: &Path,
        path: &SandboxPath,
        depth: u32,
    ) -> Result<bool, WireError> {
        for entry in entries.flatten() {
            let name = entry.file_name();
            let real = real.join(&name);
            let metadata = match fs::symlink_metadata(&real) {
                Ok(metadata) => metadata,
                Err(error) if error.raw_os_error() == Some(libc::ENAMETOOLONG) => {
                    return Err(too_deep());
                }
                Err(_) => continue,
            };
            self.entries += 1;
            if self.entries > self.options.limit {
                let message = format!("there are more than {} entries", self.options.limit);
                return Err(refuse(ErrorKind::LimitExceeded, "limit", message));
            }
            let path = path.join(lossy_name(&name)).map_err(|_| too_deep())?;
            let info = info::describe(path.clone(), &real, &metadata, &mut self.accounts);
            if !self.writer.line(&info) {
                return Ok(false);
            }
            if self.writer.written() > MAX_LIST {
                return Err(too_long());
            }
            if metadata.is_dir() && depth < self.options.depth {
                self.next.push((real, path, depth + 1));
            }
        }
        Ok(true)
    }
}

fn too_long() -> WireError {
    let message = format!("the entries take more than {MAX_LIST} bytes; list fewer at a time");
    refuse(ErrorKind::LimitExceeded, "limit", message)
}

/// Nothing is left out silently.
fn too_deep() -> WireError {
    let message = format!("there are paths over {MAX_PATH_BYTES} bytes; list less deep");
    refuse(ErrorKind::LimitExceeded, "depth", message)
}

fn directory_failure(error: &std::io::Error) -> WireError {
    match error.raw_os_error() {
        Some(libc::ENOTDIR) => refuse(ErrorKind::Conflict, "path", "is not a directory"),
        _ => at("path", error),
    }
}
