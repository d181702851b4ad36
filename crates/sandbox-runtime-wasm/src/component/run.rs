//! Running a component.

use wasmtime::{Result, Store};

use super::{MAX_CALL_BYTES, MAX_HANDLES, Program, State};
use crate::engine::{ProcessExit, ProcessState};

/// Runs the `wasi:cli/run` of `program` until it returns.
///
/// # Errors
/// A trap; [`ProcessExit`] when it ends itself, or its `run` says that it failed.
pub(crate) async fn run(store: &mut Store<ProcessState>, program: &Program) -> Result<()> {
    let process = store.data().process.clone();
    let capacity = &process.machine.kernel.engine.capacity;
    // The process has one already.
    let mut places = Vec::new();
    for _ in 1..program.places {
        let own = process.machine.process_count() + places.len();
        places.push(capacity.take(own).map_err(refused)?);
    }
    let state = State::new(&process).map_err(|errno| {
        process.starve();
        refused(errno)
    })?;
    store.data_mut().component = Some(Box::new(state));
    store.set_hostcall_fuel(MAX_CALL_BYTES);
    store.set_max_component_handles(MAX_HANDLES);
    let command = program.command.instantiate_async(&mut *store).await?;
    match command.wasi_cli_run().call_run(&mut *store).await? {
        Ok(()) => Ok(()),
        Err(()) => Err(ProcessExit(1).into()),
    }
}

fn refused(errno: crate::kernel::Errno) -> wasmtime::Error {
    wasmtime::format_err!("the component does not get what it needs: {}", errno.name())
}
