//! A handle that is closed with its holder.

use std::sync::Arc;

use super::Volume;
use crate::fs::{FileSystem, Handle};

/// An open file; dropping it closes it.
pub(super) struct OpenFile<V: Volume> {
    volume: Arc<V>,
    pub(super) handle: Handle,
}

impl<V: Volume> OpenFile<V> {
    pub(super) fn new(volume: &Arc<V>, handle: Handle) -> Self {
        Self {
            volume: Arc::clone(volume),
            handle,
        }
    }

    /// Does something with the file, under the lock.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut FileSystem, Handle) -> T) -> T {
        work(&mut self.volume.lock(), self.handle)
    }

    pub(super) fn volume(&self) -> &V {
        &self.volume
    }
}

impl<V: Volume> Drop for OpenFile<V> {
    fn drop(&mut self) {
        // A file system that was emptied meanwhile does not know the handle any more.
        let _ = self.volume.lock().close(self.handle);
    }
}
