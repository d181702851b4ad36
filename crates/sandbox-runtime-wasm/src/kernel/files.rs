//! The file system of a sandbox, shared by its processes.

use std::sync::{Arc, MutexGuard};

use crate::fs::{FileSystem, Handle};
use crate::lock::Lock;

/// The file system under its lock.
///
/// The lock is held for single calls and never across an await. No
/// [`Description`](super::Description) may be dropped while it is held: closing a file takes it.
#[derive(Debug)]
pub(crate) struct Files(Lock<FileSystem>);

impl Files {
    pub(crate) fn new(files: FileSystem) -> Arc<Self> {
        Arc::new(Self(Lock::new(files)))
    }

    /// Waits for the other processes' calls, then lets this one call.
    pub(crate) fn lock(&self) -> MutexGuard<'_, FileSystem> {
        self.0.lock()
    }
}

/// An open handle of a file system, closed when this is dropped.
#[derive(Debug)]
pub(crate) struct OpenHandle {
    files: Arc<Files>,
    handle: Handle,
}

impl OpenHandle {
    /// Takes over `handle`, which is open.
    pub(crate) fn new(files: Arc<Files>, handle: Handle) -> Self {
        Self { files, handle }
    }

    /// The bare handle, good while this lives.
    pub(crate) fn get(&self) -> Handle {
        self.handle
    }

    /// The file system it belongs to.
    pub(crate) fn files(&self) -> &Arc<Files> {
        &self.files
    }
}

impl Drop for OpenHandle {
    fn drop(&mut self) {
        // It fails only for a handle that a reset has closed already.
        let _closed = self.files.lock().close(self.handle);
    }
}
