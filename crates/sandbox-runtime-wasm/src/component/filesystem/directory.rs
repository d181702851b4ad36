//! The entries of a directory.

use std::collections::VecDeque;
use std::sync::Arc;

use wasmtime::component::Resource;

use super::convert::descriptor_type;
use super::types::{DirectoryEntry, HostDirectoryEntryStream};
use super::{Descriptor, FsResult};
use crate::component::state::Host;
use crate::fs::DirEntry;
use crate::kernel::{Description, Errno, Object, Result};
use crate::wasi::shared::{entry_type, is_dev};

/// Entries taken from the file system under one lock.
const BATCH: usize = 64;

/// `.` and `..`, which the interface leaves out.
const DOTS: u64 = 2;

/// A directory that is being read.
#[derive(Debug)]
pub struct DirectoryEntries {
    directory: Arc<Description>,
    ahead: VecDeque<DirectoryEntry>,
    cookie: u64,
    /// Whether nothing comes after what is ahead.
    last: bool,
}

impl DirectoryEntries {
    fn next(&mut self) -> Result<Option<DirectoryEntry>> {
        if self.ahead.is_empty() && !self.last {
            self.fetch()?;
        }
        Ok(self.ahead.pop_front())
    }

    fn fetch(&mut self) -> Result<()> {
        let handle = self.directory.handle().ok_or(Errno::NOTDIR)?;
        let files = handle.files().lock();
        let entries = files.read_dir(handle.get(), self.cookie, BATCH)?;
        let in_dev = is_dev(&files, files.inode_of(handle.get())?);
        drop(files);
        let entry = |entry: &DirEntry| DirectoryEntry {
            type_: descriptor_type(entry_type(entry, in_dev)),
            name: entry.name.to_string(),
        };
        self.ahead.extend(entries.iter().map(entry));
        self.last = entries.len() < BATCH;
        if let Some(last) = entries.last() {
            self.cookie = last.next;
        }
        Ok(())
    }
}

impl Host<'_> {
    pub(super) fn read_entries(
        &mut self,
        descriptor: &Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntries>> {
        let directory = self.description(descriptor)?.clone();
        let Object::Directory(_) = &directory.object else {
            return Err(Errno::NOTDIR.into());
        };
        Ok(self.table.push(DirectoryEntries {
            directory,
            ahead: VecDeque::new(),
            cookie: DOTS,
            last: false,
        })?)
    }
}

impl HostDirectoryEntryStream for Host<'_> {
    fn read_directory_entry(
        &mut self,
        entries: Resource<DirectoryEntries>,
    ) -> FsResult<Option<DirectoryEntry>> {
        Ok(self.table.get_mut(&entries)?.next()?)
    }

    fn drop(&mut self, entries: Resource<DirectoryEntries>) -> wasmtime::Result<()> {
        self.table.delete(entries)?;
        Ok(())
    }
}
