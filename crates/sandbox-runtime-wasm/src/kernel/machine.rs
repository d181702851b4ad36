//! One sandbox's kernel.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use sandbox_core::{Pid, Resources};

use super::Kernel;
use super::account::Account;
use super::files::Files;
use super::programs::Programs;
use super::sources::{Clock, Entropy};
use super::table::ProcessTable;
use super::wakers::Wakers;
use crate::fs::{Caller, FileSystem, FileTime};
use crate::lock::Lock;
use crate::sched::Group;
use crate::wasi::devices;

/// What a [`Machine`] is made from.
#[derive(Debug)]
pub(crate) struct MachineOptions {
    /// Its files; `machine.files` shares them.
    pub(crate) files: FileSystem,
    /// Its programs.
    pub(crate) programs: Arc<dyn Programs>,
    /// Its limits, validated.
    pub(crate) resources: Resources,
    /// Environment variables of every command of the host, under the command's own.
    pub(crate) env: Vec<(String, String)>,
    /// Where commands of the host start; an absolute path.
    pub(crate) workdir: String,
    /// Who runs commands of the host: user and group.
    pub(crate) user: (u32, u32),
    /// Its name.
    pub(crate) hostname: String,
    /// Its clock; without one, the host's.
    pub(crate) clock: Option<Arc<dyn Clock>>,
    /// Its random source; without one, the host's.
    pub(crate) entropy: Option<Arc<dyn Entropy>>,
    /// Its network; without one, sockets are refused.
    pub(crate) network: Option<Arc<dyn Network>>,
    /// Who hears what happens to it.
    pub(crate) events: Option<Arc<dyn MachineEvents>>,
}

/// The network of one sandbox: its policy, its listeners, its loopback. `net/` implements it and
/// gets at its own through [`as_any`](Self::as_any).
pub(crate) trait Network: fmt::Debug + Send + Sync + 'static {
    /// For the socket calls.
    fn as_any(&self) -> &dyn Any;
    /// Closes everything that outlives the processes.
    fn shut_down(&self);
}

/// Who hears what happens to a sandbox without anybody having asked for it. Calls must be quick.
pub(crate) trait MachineEvents: fmt::Debug + Send + Sync + 'static {
    /// A process was killed for lack of memory.
    fn out_of_memory(&self, pid: Pid);
}

/// One sandbox: its files, processes, limits. What it costs while nothing runs in it is this
/// struct and its file system.
///
/// Processes hold it and it holds processes: [`destroy`](Self::destroy) takes them apart.
pub(crate) struct Machine {
    /// What all machines of a runtime share.
    pub(crate) kernel: Arc<Kernel>,
    /// Its files.
    pub(crate) files: Arc<Files>,
    /// Its memory.
    pub(crate) memory: Arc<Account>,
    /// Its share of the CPUs; every future of its processes runs here.
    pub(crate) group: Arc<Group>,
    /// Its limits.
    pub(crate) resources: Resources,
    /// Environment variables of every command of the host.
    pub(crate) env: Vec<(String, String)>,
    /// Where commands of the host start.
    pub(crate) workdir: String,
    /// Who runs commands of the host.
    pub(crate) user: (u32, u32),
    /// Its name.
    pub(crate) hostname: String,
    /// Its clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// Its random source.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Its network.
    pub(crate) network: Option<Arc<dyn Network>>,
    pub(super) programs: Arc<dyn Programs>,
    pub(super) events: Option<Arc<dyn MachineEvents>>,
    pub(super) table: Lock<ProcessTable>,
    /// Who waits until no process is left.
    pub(super) empty: Lock<Wakers>,
    pub(super) destroyed: AtomicBool,
    /// Bytes its commands have written for the host.
    pub(super) output_bytes: AtomicU64,
}

impl Machine {
    /// A machine in which nothing runs yet.
    pub(crate) fn new(kernel: &Arc<Kernel>, options: MachineOptions) -> Arc<Self> {
        let group = kernel.executor.group(options.resources.milli_cpus);
        let mut files = options.files;
        let clock = options.clock.unwrap_or_else(|| kernel.clock.clone());
        devices::ensure(&mut files, FileTime::from_nanos(clock.realtime()));
        Arc::new(Self {
            kernel: kernel.clone(),
            files: Files::new(files),
            memory: Account::new(options.resources.memory),
            group,
            env: options.env,
            workdir: options.workdir,
            user: options.user,
            hostname: options.hostname,
            clock,
            entropy: options.entropy.unwrap_or_else(|| kernel.entropy.clone()),
            network: options.network,
            programs: options.programs,
            events: options.events,
            resources: options.resources,
            table: Lock::default(),
            empty: Lock::default(),
            destroyed: AtomicBool::new(false),
            output_bytes: AtomicU64::new(0),
        })
    }

    /// Who calls the file system, and when.
    pub(crate) fn caller(&self, (uid, gid): (u32, u32)) -> Caller {
        Caller {
            uid,
            gid,
            now: FileTime::from_nanos(self.clock.realtime()),
        }
    }

    /// How many processes there are.
    pub(crate) fn process_count(&self) -> usize {
        self.table.lock().len()
    }

    /// Bytes its commands have written for the host so far.
    #[cfg(test)]
    pub(crate) fn output_bytes(&self) -> u64 {
        self.output_bytes.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Machine");
        debug.field("hostname", &self.hostname);
        debug.finish_non_exhaustive()
    }
}
