//! A supervisor stands between this program and a command.
//!
//! It starts the command, so that this program never waits for a process that the guest can stop
//! before its program runs. Where there is no time limit it is gone as soon as the command runs.
//! Where there is one it stays and adopts whatever the command's processes leave behind (`setsid`
//! and a double fork included), so that at the end of the time all of it can be found below the
//! supervisor and killed.
//!
//! It shares memory and descriptors with this program (`CLONE_VM | CLONE_FILES`): starting one
//! costs about as much as a thread, and it holds no copy of anybody's pipe. Like `child`, it does
//! nothing but system calls.
#![expect(unsafe_code, reason = "it consists of system calls on shared memory")]

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::child::{self, Stack, Traces};
use super::plan::{Failure, Plan};
use super::process::ExecId;
use crate::agent::sys::{raw, signal};

/// A supervised command as both sides see it.
#[derive(Debug)]
struct Shared {
    plan: Plan,
    stack: *mut u8,
    id: ExecId,
    /// Whether it stays until it is released.
    stays: bool,
    /// Where a supervisor says that something changed.
    notify: RawFd,
    traces: Traces,
    phase: AtomicU32,
    status: AtomicI32,
    released: AtomicU32,
}

const STARTING: u32 = 0;
const RUNNING: u32 = 1;
const FAILED: u32 = 2;
const ENDED: u32 = 3;

/// How far the command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Its program does not run yet.
    Starting,
    /// It runs, with this id.
    Running(i32),
    /// It did not start.
    Failed(Failure),
    /// It ended with this wait status.
    Ended(i32),
}

/// A running supervisor. Before this is dropped it must be reaped, and the process it started must
/// have left: both use this memory.
#[derive(Debug)]
pub(crate) struct Supervisor {
    pub(crate) pid: i32,
    shared: *mut Shared,
    // Both stacks: the supervisor's own, and that of the process it starts.
    _stacks: [Box<Stack>; 2],
}

impl Supervisor {
    /// Starts the planned process below a supervisor, which writes `id` to `notify` whenever the
    /// phase has changed. Returns at once. One that does not stay leaves the command to this
    /// program, as a child of its own.
    pub(crate) fn start(
        plan: Plan,
        id: ExecId,
        notify: RawFd,
        stays: bool,
    ) -> Result<Self, Failure> {
        let mut stacks = [Stack::new(), Stack::new()];
        let shared = Box::into_raw(Box::new(Shared {
            plan,
            stack: stacks[1].top(),
            id,
            stays,
            notify,
            traces: Traces::new(),
            phase: AtomicU32::new(STARTING),
            status: AtomicI32::new(0),
            released: AtomicU32::new(0),
        }));
        let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::SIGCHLD;
        // SAFETY: stack and shared memory live until the supervisor was reaped; `supervise` never
        // returns and uses neither the allocator nor thread-local memory.
        let pid = unsafe {
            let words = [std::ptr::null_mut(); 2];
            raw::clone(flags, stacks[0].top(), supervise, shared.cast(), words)
        };
        if pid < 0 {
            // SAFETY: no supervisor came to be that could use it.
            drop(unsafe { Box::from_raw(shared) });
            return Err(Failure {
                stage: super::plan::Stage::Process,
                errno: -pid as i32,
            });
        }
        Ok(Self {
            pid: pid as i32,
            shared,
            _stacks: stacks,
        })
    }

    fn shared(&self) -> &Shared {
        // SAFETY: freed only in `drop`; what changes in it is atomic.
        unsafe { &*self.shared }
    }

    pub(crate) fn phase(&self) -> Phase {
        let shared = self.shared();
        match shared.phase.load(Ordering::Acquire) {
            STARTING => Phase::Starting,
            RUNNING => Phase::Running(shared.traces.pid.load(Ordering::Acquire)),
            FAILED => match shared.plan.failure() {
                Some(failure) => Phase::Failed(failure),
                None => Phase::Starting,
            },
            _ => Phase::Ended(shared.status.load(Ordering::Acquire)),
        }
    }

    /// The command's process id, from before its first instruction.
    pub(crate) fn command_pid(&self) -> Option<i32> {
        let pid = self.shared().traces.pid.load(Ordering::Acquire);
        (pid > 0).then_some(pid)
    }

    /// Whether the command's process uses this memory no more: its program runs, or it has ended,
    /// or there never was one.
    pub(crate) fn is_left(&self) -> bool {
        let traces = &self.shared().traces;
        traces.inside.load(Ordering::Acquire) == 0 || traces.pid.load(Ordering::Acquire) == 0
    }

    /// Why the command did not start, as far as it is known.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.shared().plan.failure()
    }

    /// Whether the command made itself the first to go when memory runs out.
    pub(crate) fn is_killable_first(&self) -> bool {
        self.shared().plan.is_killable_first()
    }

    /// Lets it end once the command has; who is still below it is then adopted by this program.
    pub(crate) fn release(&self) {
        let released = &self.shared().released;
        released.store(1, Ordering::Release);
        // SAFETY: wakes whoever waits on this address; reads nothing.
        unsafe { futex(released, libc::FUTEX_WAKE, i32::MAX as usize) };
    }

    /// Whether it stays until it is released.
    pub(crate) fn stays(&self) -> bool {
        self.shared().stays
    }

    /// Ends it at once.
    pub(crate) fn kill(&self) {
        // It was not reaped yet, so the id is still its own.
        let _ = signal::kill(self.pid, libc::SIGKILL);
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // SAFETY: made by Box::into_raw; the supervisor is gone, as the type asks.
        drop(unsafe { Box::from_raw(self.shared) });
    }
}

unsafe fn futex(word: &AtomicU32, operation: i32, value: usize) -> isize {
    let address = word.as_ptr() as usize;
    // Not FUTEX_PRIVATE_FLAG: correct for two processes whatever they share.
    // SAFETY: the word outlives the call; without a timeout nothing else is read.
    unsafe { raw::syscall(libc::SYS_futex, [address, operation as usize, value, 0, 0]) }
}

extern "C" fn supervise(shared: *mut u8) -> ! {
    let shared = shared.cast::<Shared>();
    prepare();
    // SAFETY: nobody else touches the plan until the phase has changed.
    unsafe { child::start(&mut (*shared).plan, (*shared).stack, &(*shared).traces) };
    // SAFETY: from here on everything is reached through shared references and atomics.
    let shared = unsafe { &*shared };
    if shared.plan.failure().is_some() {
        announce(shared, FAILED);
        raw::exit(0);
    }
    announce(shared, RUNNING);
    if !shared.stays {
        raw::exit(0);
    }
    let status = wait_for(shared.traces.pid.load(Ordering::Acquire));
    shared.status.store(status, Ordering::Release);
    announce(shared, ENDED);
    while shared.released.load(Ordering::Acquire) == 0 {
        // SAFETY: returns at once when the word is no longer zero.
        unsafe { futex(&shared.released, libc::FUTEX_WAIT, 0) };
    }
    raw::exit(0)
}

fn prepare() {
    let kill = libc::SIGKILL as usize;
    // SAFETY: prctl with these options touches no memory.
    unsafe {
        let subreaper = libc::PR_SET_CHILD_SUBREAPER as usize;
        raw::syscall(libc::SYS_prctl, [subreaper, 1, 0, 0, 0]);
        raw::syscall(
            libc::SYS_prctl,
            [libc::PR_SET_PDEATHSIG as usize, kill, 0, 0, 0],
        );
    }
}

fn announce(shared: &Shared, phase: u32) {
    shared.phase.store(phase, Ordering::Release);
    let id = shared.id.to_ne_bytes();
    let args = [shared.notify as usize, id.as_ptr() as usize, id.len(), 0, 0];
    // SAFETY: the descriptor is shared and stays open; the kernel reads eight bytes.
    unsafe { raw::syscall(libc::SYS_write, args) };
}

/// Reaps children until `pid` is among them.
fn wait_for(pid: i32) -> i32 {
    let mut status = 0i32;
    loop {
        let address = &raw mut status as usize;
        let any = -1isize as usize;
        // SAFETY: the kernel writes one int.
        let ended = unsafe { raw::syscall(libc::SYS_wait4, [any, address, 0, 0, 0]) };
        if ended == pid as isize || ended == -(libc::ECHILD as isize) {
            return status;
        }
    }
}
