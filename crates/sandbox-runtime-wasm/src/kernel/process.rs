//! A process: who it is, what it holds, what it has used.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use sandbox_core::{ExitStatus, KillCause, Pid, Signal};

use super::account::Charge;
use super::descriptors::Descriptors;
use super::errno::{Errno, Result};
use super::machine::Machine;
use super::output::ExitWriter;
use super::signals::{Disposition, Fate, Signals};
use super::wakers::Wakers;
use crate::lock::Lock;

/// What a process was started with; `exec` replaces it.
#[derive(Debug)]
pub(crate) struct Image {
    /// Its arguments; the first is the name it was called by.
    pub(crate) argv: Vec<String>,
    /// Its environment, `NAME=value` each.
    pub(crate) env: Vec<String>,
    /// Its working directory when it started, absolute. What the guest makes of it later is its
    /// own affair: preview 1 has no working directory.
    pub(crate) cwd: String,
    /// What the one who started it handed over, until it is taken.
    pub(crate) state: Lock<Option<Vec<u8>>>,
    /// What all this takes of the sandbox's memory.
    pub(crate) charge: Lock<Option<Charge>>,
}

/// A running process. The table holds it, its store holds it, and the two let go when it ends.
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: Pid,
    /// The host's command that it descends from: that one's process id. Leaving the process group
    /// or the session does not change it.
    pub(crate) job: Pid,
    /// The sandbox it runs in.
    pub(crate) machine: Arc<Machine>,
    /// The user and the group it runs as.
    pub(crate) user: (u32, u32),
    /// What it has open.
    pub(crate) descriptors: Lock<Descriptors>,
    /// Permission bits that new files do not get.
    pub(crate) umask: AtomicU32,
    /// Memory and tables of its program, in bytes.
    pub(crate) memory: AtomicU64,
    image: Lock<Arc<Image>>,
    signals: Lock<Signals>,
    /// Whether the epoch's callback has to look at [`fate`](Self::fate).
    attention: AtomicBool,
    cpu_nanos: AtomicU64,
    children_cpu_nanos: AtomicU64,
    /// Whether it was refused memory: what it dies of next is put down to that.
    starved: AtomicBool,
    /// Who outside is told of its end: of a command of the host.
    report: Lock<Option<(Arc<EndCell>, ExitWriter)>>,
}

/// The end of a command of the host, for those who wait for it; it keeps nothing else alive.
#[derive(Debug, Default)]
pub(crate) struct EndCell(Lock<(Option<ExitStatus>, Wakers)>);

impl EndCell {
    /// How it ended, if it has.
    pub(crate) fn get(&self) -> Option<ExitStatus> {
        self.0.lock().0
    }

    /// Waits for it.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<ExitStatus> {
        let mut cell = self.0.lock();
        match cell.0 {
            Some(status) => Poll::Ready(status),
            None => {
                cell.1.add(cx);
                Poll::Pending
            }
        }
    }

    fn set(&self, status: ExitStatus) {
        let mut cell = self.0.lock();
        cell.0 = Some(status);
        let waiting = cell.1.take();
        drop(cell);
        waiting.wake();
    }
}

/// What a new process gets.
#[derive(Debug)]
pub(crate) struct NewProcess {
    pub(crate) pid: Pid,
    pub(crate) job: Pid,
    pub(crate) user: (u32, u32),
    pub(crate) umask: u32,
    pub(crate) descriptors: Descriptors,
    pub(crate) image: Image,
    pub(crate) signals: Signals,
}

impl Process {
    pub(super) fn new(machine: Arc<Machine>, new: NewProcess) -> Arc<Self> {
        Arc::new(Self {
            pid: new.pid,
            job: new.job,
            machine,
            user: new.user,
            descriptors: Lock::new(new.descriptors),
            umask: AtomicU32::new(new.umask),
            memory: AtomicU64::new(0),
            image: Lock::new(Arc::new(new.image)),
            signals: Lock::new(new.signals),
            attention: AtomicBool::new(false),
            cpu_nanos: AtomicU64::new(0),
            children_cpu_nanos: AtomicU64::new(0),
            starved: AtomicBool::new(false),
            report: Lock::new(None),
        })
    }

    /// Lets its end be told to `exit` and in the cell this returns.
    pub(super) fn report_to(&self, exit: ExitWriter) -> Arc<EndCell> {
        let cell = Arc::new(EndCell::default());
        *self.report.lock() = Some((cell.clone(), exit));
        cell
    }

    /// Tells those outside of its end.
    pub(super) fn ended(&self, status: ExitStatus) {
        if let Some((cell, exit)) = self.report.lock().take() {
            exit.exited(status);
            cell.set(status);
        }
    }

    /// Its arguments, environment and working directory.
    pub(crate) fn image(&self) -> Arc<Image> {
        self.image.lock().clone()
    }

    /// Puts the next program's in their place.
    pub(super) fn set_image(&self, image: Image) {
        let old = std::mem::replace(&mut *self.image.lock(), Arc::new(image));
        drop(old);
        self.starved.store(false, Ordering::Relaxed);
        self.signals.lock().reset_for_exec();
    }

    /// Gives back what it was started with, but for its arguments, which a table still shows.
    pub(super) fn release(&self) {
        let image = self.image();
        let state = image.state.lock().take();
        let charge = image.charge.lock().take();
        drop((state, charge));
    }

    /// Sends `signal`, from whomever.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut signals = self.signals.lock();
        let waker = signals.send(signal);
        self.pay_attention(&signals);
        drop(signals);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends it as `signal` would by default, whatever it does about that signal.
    pub(crate) fn kill(&self, signal: Signal, cause: Option<KillCause>) {
        let mut signals = self.signals.lock();
        let waker = signals.kill(signal, cause);
        self.pay_attention(&signals);
        drop(signals);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn pay_attention(&self, signals: &Signals) {
        let attention = signals.fate() != Fate::Run;
        self.attention.store(attention, Ordering::Relaxed);
    }

    /// Whether it must stand still or end at once.
    pub(crate) fn must_yield(&self) -> bool {
        self.attention.load(Ordering::Relaxed)
    }

    /// What it does about signals from now on.
    ///
    /// # Errors
    /// As [`Signals::set`].
    pub(crate) fn set_disposition(&self, signal: u32, disposition: Disposition) -> Result<()> {
        self.signals.lock().set(signal, disposition)
    }

    /// The next signal it has caught.
    pub(crate) fn take_signal(&self) -> Option<u32> {
        self.signals.lock().take_caught()
    }

    /// The signals that a child starts with.
    pub(super) fn inherited_signals(&self) -> Signals {
        self.signals.lock().inherit()
    }

    /// What it may do now.
    pub(super) fn fate(&self) -> Fate {
        self.signals.lock().fate()
    }

    /// Whether it stands still until `SIGCONT`.
    pub(super) fn is_stopped(&self) -> bool {
        self.fate() == Fate::Stop
    }

    pub(super) fn poll_fate(&self, cx: &Context<'_>) -> Fate {
        self.signals.lock().poll_fate(cx)
    }

    /// Runs `blocking` until it is done or a caught signal comes. Every call of a guest that can
    /// wait goes through here.
    ///
    /// # Errors
    /// `INTR` when a signal came first; those of `blocking`.
    pub(crate) async fn interruptible<T>(
        &self,
        blocking: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let mut blocking = pin!(blocking);
        std::future::poll_fn(|cx| match blocking.as_mut().poll(cx) {
            // The driver of the process has left its waker with the signals.
            Poll::Pending if self.signals.lock().interrupted() => Poll::Ready(Err(Errno::INTR)),
            poll => poll,
        })
        .await
    }

    /// Takes note of a write to something nobody reads: the process ends when it does nothing
    /// about `SIGPIPE`; otherwise the write fails with `PIPE`.
    pub(crate) fn broken_pipe(&self) -> Errno {
        self.signal(Signal::PIPE);
        Errno::PIPE
    }

    /// CPU time it has used.
    pub(crate) fn cpu_time(&self) -> Duration {
        Duration::from_nanos(self.cpu_nanos.load(Ordering::Relaxed))
    }

    /// CPU time of those of its children it has waited for, and theirs.
    pub(crate) fn children_cpu_time(&self) -> Duration {
        Duration::from_nanos(self.children_cpu_nanos.load(Ordering::Relaxed))
    }

    pub(super) fn charge_cpu(&self, nanos: u64) {
        self.cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn charge_child(&self, child: &Self) {
        let nanos = child.cpu_nanos.load(Ordering::Relaxed)
            + child.children_cpu_nanos.load(Ordering::Relaxed);
        self.children_cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Notes that it asked for memory that the sandbox does not have.
    pub(crate) fn starve(&self) {
        self.starved.store(true, Ordering::Relaxed);
    }

    /// Whether it was ever refused memory.
    pub(crate) fn is_starved(&self) -> bool {
        self.starved.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Process");
        debug.field("pid", &self.pid).field("job", &self.job);
        debug.finish_non_exhaustive()
    }
}
