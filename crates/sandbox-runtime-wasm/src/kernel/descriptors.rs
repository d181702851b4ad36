//! The descriptor table of a process.

use std::sync::Arc;

use super::description::Description;
use super::errno::{Errno, Result};

/// A descriptor as the guest numbers it.
pub(crate) type Fd = u32;

/// An entry of the table.
#[derive(Debug, Clone)]
pub(crate) struct Descriptor {
    /// What it stands for.
    pub(crate) description: Arc<Description>,
    /// The name of a preopened directory, for `fd_prestat_dir_name`.
    pub(crate) preopen: Option<&'static str>,
}

impl Descriptor {
    /// A descriptor with every right.
    pub(crate) fn new(description: Arc<Description>) -> Self {
        Self {
            description,
            preopen: None,
        }
    }
}

/// The descriptors of a process. What is taken out of it must be dropped after the table's lock
/// is let go: closing can wake others.
#[derive(Debug)]
pub(crate) struct Descriptors {
    entries: Vec<Option<Descriptor>>,
    /// No descriptor is at or over this.
    limit: u32,
}

impl Descriptors {
    /// An empty table for descriptors below `limit`.
    pub(crate) fn new(limit: u32) -> Self {
        let entries = Vec::new();
        Self { entries, limit }
    }

    /// The limit.
    #[cfg(any(test, feature = "components"))]
    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// Whether [`insert`](Self::insert) would find no free number: asked before something is made
    /// that would be lost then.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= self.limit as usize && self.entries.iter().all(Option::is_some)
    }

    /// What `fd` is.
    ///
    /// # Errors
    /// `BADF`.
    pub(crate) fn get(&self, fd: Fd) -> Result<&Descriptor> {
        let entry = self.entries.get(fd as usize).and_then(Option::as_ref);
        entry.ok_or(Errno::BADF)
    }

    /// Puts `descriptor` at the lowest free number from `min` on.
    ///
    /// # Errors
    /// `MFILE` at the limit of open files, `INVAL` for a `min` at or over it.
    pub(crate) fn insert(&mut self, descriptor: Descriptor, min: Fd) -> Result<Fd> {
        if min >= self.limit {
            return Err(Errno::INVAL);
        }
        let start = min as usize;
        let free = self.entries.iter().skip(start).position(Option::is_none);
        let fd = free.map_or(self.entries.len().max(start), |free| start + free);
        if fd >= self.limit as usize {
            return Err(Errno::MFILE);
        }
        let fd = fd as Fd;
        self.set(fd, descriptor)?;
        Ok(fd)
    }

    /// Puts `descriptor` at `fd`; what was there is returned.
    ///
    /// # Errors
    /// `BADF` for a number at or over the limit.
    pub(crate) fn set(&mut self, fd: Fd, descriptor: Descriptor) -> Result<Option<Descriptor>> {
        if fd >= self.limit {
            return Err(Errno::BADF);
        }
        let index = fd as usize;
        if index >= self.entries.len() {
            self.entries.resize(index + 1, None);
        }
        Ok(self.entries[index].replace(descriptor))
    }

    /// Takes `fd` out.
    ///
    /// # Errors
    /// `BADF`.
    pub(crate) fn remove(&mut self, fd: Fd) -> Result<Descriptor> {
        let entry = self.entries.get_mut(fd as usize).and_then(Option::take);
        entry.ok_or(Errno::BADF)
    }

    /// Takes everything out.
    pub(crate) fn clear(&mut self) -> Vec<Option<Descriptor>> {
        std::mem::take(&mut self.entries)
    }

    /// Every open descriptor.
    #[cfg(any(test, feature = "components"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Fd, &Descriptor)> {
        let numbered = self.entries.iter().enumerate();
        numbered.filter_map(|(fd, entry)| Some((fd as Fd, entry.as_ref()?)))
    }
}
