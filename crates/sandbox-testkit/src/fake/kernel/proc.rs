//! One process: what it is, what stops it, how it ended.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use sandbox_core::{ExitStatus, KillCause, Pid, ProcessInfo, Signal};
use tokio::sync::watch;

use super::Kernel;
use crate::lock::Locked;

/// What a process takes as such, in bytes.
const BASE_MEMORY: u64 = 256 << 10;

#[derive(Debug, Default)]
struct Fate {
    stopped: bool,
    killed: Option<(Signal, Option<KillCause>)>,
    ignored: BTreeSet<i32>,
}

#[derive(Debug)]
pub(crate) struct Proc {
    pub(crate) pid: Pid,
    pub(crate) parent: AtomicU32,
    pub(crate) group: AtomicU32,
    /// The process that the sandbox's client spawned, of which this is a descendant.
    pub(crate) origin: Pid,
    pub(crate) spawned: bool,
    argv: Mutex<Vec<String>>,
    uid: AtomicU32,
    memory: AtomicU64,
    cpu_nanos: AtomicU64,
    fate: Mutex<Fate>,
    waker: AtomicWaker,
    exit: watch::Sender<Option<ExitStatus>>,
}

impl Proc {
    pub(crate) fn new(pid: Pid, parent: Option<&Proc>, argv: Vec<String>, uid: u32) -> Self {
        let inherited = |of: fn(&Proc) -> Pid| parent.map_or(pid, of);
        let ignored = parent.map_or_else(BTreeSet::new, |p| p.fate.locked().ignored.clone());
        Self {
            pid,
            parent: AtomicU32::new(parent.map_or(1, |parent| parent.pid)),
            group: AtomicU32::new(inherited(|parent| parent.group.load(Ordering::Relaxed))),
            origin: inherited(|parent| parent.origin),
            spawned: parent.is_none(),
            argv: Mutex::new(argv),
            uid: AtomicU32::new(uid),
            memory: AtomicU64::new(BASE_MEMORY),
            cpu_nanos: AtomicU64::new(0),
            fate: Mutex::new(Fate {
                ignored,
                ..Fate::default()
            }),
            waker: AtomicWaker::new(),
            exit: watch::Sender::new(None),
        }
    }

    pub(crate) fn set_argv(&self, argv: Vec<String>) {
        *self.argv.locked() = argv;
    }

    pub(crate) fn memory(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }

    /// Sets what it holds beyond itself.
    pub(crate) fn set_memory(&self, bytes: u64) {
        self.memory.store(BASE_MEMORY + bytes, Ordering::Relaxed);
    }

    pub(crate) fn charge(&self, cpu: Duration) {
        let nanos = u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX);
        self.cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(crate) fn info(&self) -> ProcessInfo {
        let parent = self.parent.load(Ordering::Relaxed);
        let mut info = ProcessInfo::new(self.pid, parent, self.argv.locked().clone());
        info.uid = self.uid.load(Ordering::Relaxed);
        info.spawned = self.spawned;
        info.memory = self.memory();
        info.cpu_time = Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed));
        info
    }

    pub(crate) fn watch_exit(&self) -> watch::Receiver<Option<ExitStatus>> {
        self.exit.subscribe()
    }

    pub(crate) fn has_exited(&self) -> bool {
        self.exit.borrow().is_some()
    }

    pub(crate) fn set_exit(&self, status: ExitStatus) {
        self.exit.send_replace(Some(status));
    }

    pub(crate) fn ignore(&self, signal: Signal, ignored: bool) {
        let mut fate = self.fate.locked();
        if ignored {
            fate.ignored.insert(signal.number());
        } else {
            fate.ignored.remove(&signal.number());
        }
    }

    /// Does what a signal does by default, unless it is ignored.
    pub(crate) fn deliver(&self, signal: Signal, cause: Option<KillCause>) {
        let mut fate = self.fate.locked();
        let catchable = signal != Signal::KILL && signal != Signal::STOP;
        if catchable && fate.ignored.contains(&signal.number()) {
            return;
        }
        match signal.number() {
            // CHLD, URG and WINCH mean nothing to a process that does not ask for them.
            17 | 23 | 28 => {}
            18 => fate.stopped = false,
            19..=22 => fate.stopped = true,
            _ => {
                fate.killed.get_or_insert((signal, cause));
            }
        }
        drop(fate);
        self.wake();
    }

    pub(crate) fn wake(&self) {
        self.waker.wake();
    }

    fn killed(&self) -> Option<ExitStatus> {
        self.fate.locked().killed.map(|(signal, cause)| ExitStatus {
            cause,
            ..ExitStatus::from_signal(signal)
        })
    }

    /// Whether it is stopped, or killed and not yet gone.
    pub(crate) fn is_held_up(&self) -> bool {
        let fate = self.fate.locked();
        fate.stopped || fate.killed.is_some()
    }

    fn is_stopped(&self) -> bool {
        self.fate.locked().stopped
    }
}

/// A process's work, which goes on only while neither it nor its sandbox is stopped, and ends
/// when it is killed.
pub(crate) struct Scheduled {
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) proc: Arc<Proc>,
    pub(crate) work: Option<Pin<Box<dyn Future<Output = u8> + Send>>>,
}

impl Future for Scheduled {
    type Output = ExitStatus;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ExitStatus> {
        self.proc.waker.register(cx.waker());
        if let Some(status) = self.proc.killed() {
            self.work = None;
            return Poll::Ready(status);
        }
        if self.kernel.is_frozen() || self.proc.is_stopped() {
            return Poll::Pending;
        }
        let Some(work) = &mut self.work else {
            return Poll::Ready(ExitStatus::lost());
        };
        match work.as_mut().poll(cx) {
            Poll::Ready(code) => {
                self.work = None;
                // A process that killed itself did not live to return.
                let status = self.proc.killed();
                Poll::Ready(status.unwrap_or(ExitStatus::from_code(code)))
            }
            Poll::Pending if self.proc.killed().is_some() => {
                self.work = None;
                Poll::Ready(self.proc.killed().unwrap_or(ExitStatus::lost()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
