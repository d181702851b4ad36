//! What runs inside one fake sandbox: processes, files and connections in memory.

mod budget;
mod deadline;
mod fd;
mod files;
mod net;
mod outbox;
mod pipe;
mod proc;
mod pty;
mod signals;
mod spawn;
mod task;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use sandbox_core::egress::ScopedPolicy;
use sandbox_core::{Pid, ProcessInfo, RuntimeEvent, SandboxSpec, Signal, Stats};
use tokio::sync::watch;

pub(crate) use fd::{CHUNK, Fd, IoError, OpenFile, Socket};
pub(crate) use outbox::Outbox;
pub(crate) use pipe::pipe;
pub(crate) use proc::Proc;
pub(crate) use spawn::{Spawned, run_program};
pub(crate) use task::{BINARY, Executable, LookupError, Task};

use super::tree::Tree;
use super::world::World;
use crate::lock::Locked;
use budget::CpuBudget;
use files::Files;
use net::Net;

/// The process id that the sandbox's own first process has.
pub(crate) const INIT: Pid = 1;
/// How many ended processes can still be attached to, for their last output.
const MAX_ENDED: usize = 256;

/// There may be no more processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoMoreProcesses;

#[derive(Debug, Default)]
struct Table {
    last: Pid,
    live: BTreeMap<Pid, Arc<Proc>>,
    /// What a client spawned and may attach to, living or ended.
    spawned: BTreeMap<Pid, Arc<Spawned>>,
    closed: bool,
}

pub(crate) struct Kernel {
    pub(crate) spec: SandboxSpec,
    pub(crate) world: Arc<World>,
    files: Files,
    table: Mutex<Table>,
    frozen: AtomicBool,
    frozen_seen: watch::Sender<bool>,
    budget: CpuBudget,
    net: Net,
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("id", self.spec.id())
            .field("frozen", &self.is_frozen())
            .finish_non_exhaustive()
    }
}

impl Kernel {
    pub(crate) fn new(
        spec: SandboxSpec,
        world: Arc<World>,
        tree: Arc<Tree>,
        addresses: Vec<IpAddr>,
        policy: ScopedPolicy,
    ) -> Arc<Self> {
        let budget = CpuBudget::new(spec.resources().milli_cpus);
        let kernel = Arc::new(Self {
            files: Files::new(tree),
            table: Mutex::new(Table {
                last: INIT,
                ..Table::default()
            }),
            frozen: AtomicBool::new(false),
            frozen_seen: watch::Sender::new(false),
            budget,
            net: Net::new(addresses, policy),
            spec,
            world,
        });
        kernel.prepare_files();
        kernel
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::SeqCst)
    }

    /// Stops or continues every process, and the deadlines of commands.
    pub(crate) fn set_frozen(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::SeqCst);
        self.frozen_seen.send_replace(frozen);
        for proc in self.table.locked().live.values() {
            proc.wake();
        }
    }

    /// Kills every process and lets no new one start.
    pub(crate) fn close(&self) {
        let procs: Vec<_> = {
            let mut table = self.table.locked();
            table.closed = true;
            table.live.values().cloned().collect()
        };
        for proc in procs {
            proc.deliver(Signal::KILL, None);
        }
        self.net.close();
        self.world.network.leave(self.net.addresses());
        self.files.close();
    }

    pub(crate) fn processes(&self) -> Vec<ProcessInfo> {
        let mut init = ProcessInfo::new(INIT, 0, vec!["init".to_owned()]);
        init.memory = 64 << 10;
        let table = self.table.locked();
        let live = table.live.values().map(|proc| proc.info());
        std::iter::once(init).chain(live).collect()
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        for process in self.processes() {
            stats.pids += 1;
            stats.memory += process.memory;
        }
        stats.cpu_time = self.budget.used();
        stats.memory_limit = self.spec.resources().memory;
        let (used, limit) = self.files(|tree| (tree.used(), tree.limit()));
        (stats.disk, stats.disk_limit) = (Some(used), limit);
        (stats.network_received, stats.network_sent) = self.net.traffic();
        stats
    }

    /// Says that a process holds `bytes` beyond itself, and kills the largest when there is not
    /// that much.
    pub(crate) fn account_memory(&self, proc: &Proc, bytes: u64) {
        proc.set_memory(bytes);
        let largest = {
            let table = self.table.locked();
            let total: u64 = table.live.values().map(|proc| proc.memory()).sum();
            if total <= self.spec.resources().memory {
                return;
            }
            table.live.values().max_by_key(|p| p.memory()).cloned()
        };
        if let Some(victim) = largest {
            let cause = Some(sandbox_core::KillCause::OutOfMemory);
            victim.deliver(Signal::KILL, cause);
            self.world.announce(RuntimeEvent::OutOfMemory {
                id: self.spec.id().clone(),
                pid: Some(victim.pid),
                fatal: false,
            });
        }
    }

    /// Enters a new process into the table.
    fn enter(
        &self,
        parent: Option<&Proc>,
        argv: Vec<String>,
        uid: u32,
    ) -> Result<Arc<Proc>, NoMoreProcesses> {
        let mut table = self.table.locked();
        // The first process counts as well.
        let full = table.live.len() + 1 >= self.spec.resources().pids as usize;
        if full || table.closed {
            return Err(NoMoreProcesses);
        }
        table.last += 1;
        let proc = Arc::new(Proc::new(table.last, parent, argv, uid));
        table.live.insert(proc.pid, Arc::clone(&proc));
        Ok(proc)
    }

    /// Takes an ended process out of the table; its children get the first process as parent.
    fn reap(&self, proc: &Proc) {
        let mut table = self.table.locked();
        table.live.remove(&proc.pid);
        for child in table.live.values() {
            let _ =
                child
                    .parent
                    .compare_exchange(proc.pid, INIT, Ordering::Relaxed, Ordering::Relaxed);
        }
        table.forget_ended();
    }
}

impl Table {
    /// Keeps the ended processes somebody may still want to read, up to a limit.
    fn forget_ended(&mut self) {
        self.spawned
            .retain(|_, spawned| !(spawned.proc.has_exited() && spawned.outbox.is_read()));
        let ended: Vec<Pid> = self
            .spawned
            .iter()
            .filter(|(_, spawned)| spawned.proc.has_exited())
            .map(|(pid, _)| *pid)
            .collect();
        for pid in ended.iter().take(ended.len().saturating_sub(MAX_ENDED)) {
            self.spawned.remove(pid);
        }
    }
}
