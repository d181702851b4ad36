//! What a store keeps for a component.

use std::fmt;
use std::sync::Arc;

use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi_io::IoView;

use super::{MAX_HANDLES, STATE_BYTES};
use crate::engine::ProcessState;
use crate::kernel::{Charge, Errno, Process, Result};

/// The resources of a component, and what they are charged to.
pub(crate) struct State {
    table: ResourceTable,
    /// Descriptors in `table`: those that count against the limit of open files.
    descriptors: u32,
    _charge: Charge,
}

impl State {
    /// An empty table for a component of `process`.
    ///
    /// # Errors
    /// `NOMEM` when the sandbox has no memory for it.
    pub(crate) fn new(process: &Process) -> Result<Self> {
        let charge = Charge::take(&process.machine.memory, STATE_BYTES).ok_or(Errno::NOMEM)?;
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Ok(Self {
            table,
            descriptors: 0,
            _charge: charge,
        })
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("State");
        debug
            .field("descriptors", &self.descriptors)
            .finish_non_exhaustive()
    }
}

/// A component's call: its process and its resources. The interfaces are implemented for this.
pub(super) struct Host<'a> {
    pub(super) process: &'a Arc<Process>,
    pub(super) table: &'a mut ResourceTable,
    descriptors: &'a mut u32,
}

/// Says to the linker that its host functions get a [`Host`].
pub(super) struct HostData;

impl HasData for HostData {
    type Data<'a> = Host<'a>;
}

/// What a call gets of what its store carries.
pub(super) fn host(state: &mut ProcessState) -> Host<'_> {
    let component = state.component.as_mut();
    let component = component.expect("it is there before a component runs");
    Host {
        process: &state.process,
        table: &mut component.table,
        descriptors: &mut component.descriptors,
    }
}

impl Host<'_> {
    /// Counts one more open file.
    ///
    /// # Errors
    /// `MFILE` at the limit of open files.
    pub(super) fn count_descriptor(&mut self) -> Result<()> {
        let limit = self.process.descriptors.lock().limit();
        if *self.descriptors >= limit {
            return Err(Errno::MFILE);
        }
        *self.descriptors += 1;
        Ok(())
    }

    /// Counts one less.
    pub(super) fn forget_descriptor(&mut self) {
        *self.descriptors = self.descriptors.saturating_sub(1);
    }
}

impl IoView for ProcessState {
    fn table(&mut self) -> &mut ResourceTable {
        host(self).table
    }
}
