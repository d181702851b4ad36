//! The kernel that sandboxes run on: processes, descriptors, pipes, signals, limits.
//!
//! A [`Machine`] is one sandbox; a [`Process`] is one Wasm instance with what Linux keeps for a
//! process. [`Machine::spawn_command`] starts what the host asks for, [`Machine::spawn_child`] what
//! a process asks for. Everything a guest can wait for is a `poll_*` that an async host function
//! awaits through [`Process::interruptible`].
//!
//! Locks, in the order in which they are taken: the process table, a process's descriptors, its
//! signals, the files; nothing that wakes, closes or drops runs under one.

mod account;
mod description;
mod descriptors;
mod destroy;
mod driver;
mod errno;
mod execute;
mod exit;
mod files;
mod host;
mod io;
mod jobs;
mod list;
mod lookup;
mod machine;
mod output;
mod pipe;
mod process;
mod programs;
mod signals;
mod sources;
mod spawn;
mod table;
pub(crate) mod wakers;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use account::{Account, Charge};
pub(crate) use description::{Description, Object, Ready, Socket};
pub(crate) use descriptors::{Descriptor, Fd};
pub(crate) use errno::{Errno, Result};
pub(crate) use files::{Files, OpenHandle};
pub(crate) use host::{HostCommand, HostProcess};
pub(crate) use jobs::Target;
pub(crate) use list::ProcessRow;
pub(crate) use machine::{Machine, MachineEvents, MachineOptions, Network};
pub(crate) use output::OutputReader;
pub(crate) use pipe::{PIPE_ATOMIC_BYTES, PIPE_BYTES, PipeReader, PipeWriter, pipe};
pub(crate) use process::{Image, Process};
pub(crate) use programs::{LoadError, Programs};
pub(crate) use signals::Disposition;
pub(crate) use sources::{Clock, Entropy, HostClock, HostEntropy, nanos};
pub(crate) use spawn::Request;
pub(crate) use table::Children;

use crate::engine::{Engine, Fuel};
use crate::sched::{Executor, VirtualTime};

/// What all machines of a runtime share: the engine that runs code, the threads, how many
/// processes there may be at once.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// Runs code.
    pub(crate) engine: Arc<Engine>,
    /// The threads.
    pub(crate) executor: Executor,
    /// The host's clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// The host's random source.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// What its processes may use, where runs are deterministic.
    pub(crate) fuel: Option<Arc<Fuel>>,
}

impl Kernel {
    /// A kernel with `workers` threads for guests.
    ///
    /// # Errors
    /// `Unavailable` when the host has no more threads.
    pub(crate) fn new(engine: Arc<Engine>, workers: usize) -> sandbox_core::Result<Arc<Self>> {
        let ticking = engine.clone();
        let executor = Executor::new(workers, move || ticking.tick()).map_err(|e| {
            let message = "the host gives no more threads";
            sandbox_core::Error::new(sandbox_core::ErrorKind::Unavailable, "wasm.start", message)
                .with_source(e)
        })?;
        Ok(Arc::new(Self {
            engine,
            executor,
            clock: Arc::new(HostClock::new()),
            entropy: Arc::new(HostEntropy),
            fuel: None,
        }))
    }

    /// A kernel for one deterministic run: whoever makes it runs its processes, step by step.
    pub(crate) fn stepped(
        engine: Arc<Engine>,
        time: Arc<VirtualTime>,
        fuel: Arc<Fuel>,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            executor: Executor::stepped(time),
            clock: Arc::new(HostClock::new()),
            entropy: Arc::new(HostEntropy),
            fuel: Some(fuel),
        })
    }
}
