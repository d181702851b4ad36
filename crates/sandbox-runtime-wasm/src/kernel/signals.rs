//! The signals of one process.

use std::task::{Context, Waker};

use sandbox_core::{KillCause, Signal};

use super::errno::{Errno, Result};

const SIGKILL: u32 = 9;
const SIGCHLD: u32 = 17;
const SIGCONT: u32 = 18;
const SIGSTOP: u32 = 19;
const SIGTSTP: u32 = 20;
const SIGTTIN: u32 = 21;
const SIGTTOU: u32 = 22;
const SIGURG: u32 = 23;
const SIGWINCH: u32 = 28;

/// What a process does about a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// What Linux does by itself: mostly to end the process.
    Default,
    /// Nothing.
    Ignore,
    /// It waits until the process takes it, and interrupts what blocks.
    Catch,
}

/// A set of signals 1 to 64.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SignalSet(u64);

impl SignalSet {
    fn has(self, signal: u32) -> bool {
        self.0 & (1 << (signal - 1)) != 0
    }

    fn put(&mut self, signal: u32, on: bool) {
        let bit = 1 << (signal - 1);
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }

    fn first(self) -> Option<u32> {
        (self.0 != 0).then(|| self.0.trailing_zeros() + 1)
    }
}

/// Dispositions, what is pending, and whether the process is stopped or doomed.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    ignored: SignalSet,
    caught: SignalSet,
    pending: SignalSet,
    stopped: bool,
    killed: Option<(Signal, Option<KillCause>)>,
    /// The task of the process, when it waits.
    waker: Option<Waker>,
}

/// What a process may do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It runs.
    Run,
    /// It stands still until `SIGCONT`.
    Stop,
    /// It ends.
    Die(Signal, Option<KillCause>),
}

impl Signals {
    /// The signals of a child, or of the next program of this process: what is ignored stays
    /// ignored, what was caught is not any more.
    pub(crate) fn inherit(&self) -> Self {
        Self {
            ignored: self.ignored,
            ..Self::default()
        }
    }

    /// Forgets what the program before caught, for the next one.
    pub(crate) fn reset_for_exec(&mut self) {
        self.caught = SignalSet::default();
        self.pending = SignalSet::default();
    }

    /// Sets the disposition of `signal`.
    ///
    /// # Errors
    /// `INVAL` outside 1 to 64 and for `SIGKILL` and `SIGSTOP`.
    pub(crate) fn set(&mut self, signal: u32, disposition: Disposition) -> Result<()> {
        if !(1..=64).contains(&signal) || signal == SIGKILL || signal == SIGSTOP {
            return Err(Errno::INVAL);
        }
        self.ignored.put(signal, disposition == Disposition::Ignore);
        self.caught.put(signal, disposition == Disposition::Catch);
        if disposition != Disposition::Catch {
            self.pending.put(signal, false);
        }
        Ok(())
    }

    /// Sends a signal; the task to wake, once the lock is let go.
    #[must_use]
    pub(crate) fn send(&mut self, signal: Signal) -> Option<Waker> {
        let number = signal.number().unsigned_abs();
        if number == SIGCONT {
            self.stopped = false;
        }
        if self.caught.has(number) {
            self.pending.put(number, true);
        } else if !self.ignored.has(number) {
            match number {
                SIGCHLD | SIGURG | SIGWINCH | SIGCONT => {}
                SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU => self.stopped = true,
                _ => return self.kill(signal, None),
            }
        }
        self.waker.take()
    }

    /// Dooms the process whatever its dispositions are; the first doom stays.
    #[must_use]
    pub(crate) fn kill(&mut self, signal: Signal, cause: Option<KillCause>) -> Option<Waker> {
        self.killed.get_or_insert((signal, cause));
        self.waker.take()
    }

    /// The next caught signal, lowest number first.
    pub(crate) fn take_caught(&mut self) -> Option<u32> {
        let signal = self.pending.first()?;
        self.pending.put(signal, false);
        Some(signal)
    }

    /// Whether something blocking must end with `INTR`.
    pub(crate) fn interrupted(&self) -> bool {
        self.pending != SignalSet::default()
    }

    /// Whether the process must stand still or end.
    pub(crate) fn fate(&self) -> Fate {
        match self.killed {
            Some((signal, cause)) => Fate::Die(signal, cause),
            None if self.stopped => Fate::Stop,
            None => Fate::Run,
        }
    }

    /// As [`fate`](Self::fate), and wakes the task polled now when it changes.
    pub(crate) fn poll_fate(&mut self, cx: &Context<'_>) -> Fate {
        let fate = self.fate();
        let known = self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        if !known && !matches!(fate, Fate::Die(..)) {
            self.waker = Some(cx.waker().clone());
        }
        fate
    }
}
