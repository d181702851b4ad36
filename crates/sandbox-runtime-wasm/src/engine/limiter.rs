//! What a store may allocate: charged to its sandbox.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use wasmtime::{ResourceLimiter, Result};

use crate::kernel::Process;

/// Bytes a table takes for an element.
const ELEMENT_BYTES: usize = size_of::<usize>();

/// Charges a store's memories and tables to the sandbox; gives it all back when it is dropped.
pub(super) struct Limiter {
    process: Arc<Process>,
    charged: u64,
    /// The part of the last charge that a failed growth gives back.
    last: u64,
}

impl Limiter {
    pub(super) fn new(process: Arc<Process>) -> Self {
        Self {
            process,
            charged: 0,
            last: 0,
        }
    }

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let bytes = desired.saturating_sub(current) as u64;
        if !self.process.machine.memory.charge(bytes) {
            self.process.starve();
            return false;
        }
        self.last = bytes;
        self.charged += bytes;
        self.process.memory.store(self.charged, Ordering::Relaxed);
        true
    }

    fn failed(&mut self) {
        let bytes = std::mem::take(&mut self.last);
        self.process.machine.memory.uncharge(bytes);
        self.charged -= bytes;
        self.process.memory.store(self.charged, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        // Past its own maximum it fails by itself, and that is not for lack of memory.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        Ok(self.grow(current, desired))
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.failed();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let bytes = |elements: usize| elements.saturating_mul(ELEMENT_BYTES);
        Ok(self.grow(bytes(current), bytes(desired)))
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        self.failed();
        Ok(())
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.process.machine.memory.uncharge(self.charged);
        self.process.memory.store(0, Ordering::Relaxed);
    }
}
