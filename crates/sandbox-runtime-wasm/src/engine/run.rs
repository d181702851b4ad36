//! Running a program in a process.

use std::sync::Arc;

use sandbox_core::ExitStatus;
use wasmtime::{Store, Trap, UpdateDeadline};

use super::status::{self, ExecRequested};
use super::{Engine, Executable, ProcessState, fuel};
use crate::kernel::{Image, Process};
use crate::sched::slice_over;
use crate::wasi::cwd;

/// A program that was found and may run: what `exec` and `spawn` come to.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Its code.
    pub(crate) code: Arc<Executable>,
    /// What it is started with.
    pub(crate) image: Image,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// The process ends.
    Exited(ExitStatus),
    /// It goes on as another program.
    Exec(Prepared),
}

impl Engine {
    /// Runs `code` in a new store until it ends. Dropping this ends it wherever it is.
    pub(crate) async fn run(&self, process: Arc<Process>, code: Arc<Executable>) -> Ended {
        let fuel = process.machine.kernel.fuel.clone();
        let mut store = Store::new(&self.wasmtime, ProcessState::new(process));
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(1);
        let result = match &fuel {
            Some(fuel) => {
                let cancelled = fuel.clone();
                // The tick comes by the host's clock: nothing but the end may follow from it.
                store.epoch_deadline_callback(move |_| match cancelled.is_cancelled() {
                    true => Err(Trap::Interrupt.into()),
                    false => Ok(UpdateDeadline::Continue(1)),
                });
                fuel::measured(&mut store, &code, fuel).await
            }
            None => {
                store.epoch_deadline_callback(|store| {
                    let must_yield = store.data().process.must_yield() || slice_over();
                    Ok(if must_yield {
                        UpdateDeadline::Yield(1)
                    } else {
                        UpdateDeadline::Continue(1)
                    })
                });
                execute(&mut store, &code).await
            }
        };
        let state = store.data_mut();
        match result {
            Ok(()) => Ended::Exited(ExitStatus::from_code(0)),
            Err(error) if error.is::<ExecRequested>() => match state.next.take() {
                Some(next) => Ended::Exec(next),
                None => Ended::Exited(ExitStatus::lost()),
            },
            Err(error) => {
                let process = &state.process;
                tracing::debug!(pid = process.pid, %error, "a program ended with an error");
                Ended::Exited(status::of_error(&error, process.is_starved()))
            }
        }
    }
}

/// Instantiates a program and runs it until it returns.
pub(super) async fn execute(
    store: &mut Store<ProcessState>,
    code: &Executable,
) -> wasmtime::Result<()> {
    match code {
        Executable::Module(pre) => run_module(store, pre).await,
        #[cfg(feature = "components")]
        Executable::Component(program) => crate::component::run(store, program).await,
    }
}

async fn run_module(
    store: &mut Store<ProcessState>,
    pre: &wasmtime::InstancePre<ProcessState>,
) -> wasmtime::Result<()> {
    let instance = pre.instantiate_async(&mut *store).await?;
    store.data_mut().memory = instance.get_memory(&mut *store, "memory");
    cwd::enter(store, &instance)?;
    let start = instance.get_typed_func::<(), ()>(&mut *store, "_start")?;
    start.call_async(store, ()).await
}

/// The error that [`ProcessState::next`] goes with.
pub(crate) fn exec_requested() -> wasmtime::Error {
    wasmtime::Error::new(ExecRequested)
}
