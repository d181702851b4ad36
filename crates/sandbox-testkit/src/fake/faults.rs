//! Faults on order, and a record of what was called.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandbox_core::{Error, ErrorKind, Result, SandboxId, Timestamp};
use tokio::sync::watch;

use super::time::TimeSource;
use crate::lock::Locked;

/// How many calls the log keeps; the oldest go first.
pub const MAX_LOGGED_CALLS: usize = 65_536;

macro_rules! calls {
    ($($variant:ident => $name:literal),* $(,)?) => {
        /// A method of [`Runtime`](sandbox_core::Runtime) or [`Sandbox`](sandbox_core::Sandbox)
        /// that a fault can strike.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Call {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Call {
            /// Every call, runtime's first.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The method's name with the trait's in front for `runtime.` and `sandbox.`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

calls! {
    Create => "runtime.create",
    Prepare => "runtime.prepare",
    Recover => "runtime.recover",
    RemoveSnapshot => "runtime.remove_snapshot",
    Health => "runtime.health",
    Spawn => "sandbox.spawn",
    Attach => "sandbox.attach",
    Processes => "sandbox.processes",
    Signal => "sandbox.signal",
    Read => "sandbox.read",
    Write => "sandbox.write",
    Stat => "sandbox.stat",
    List => "sandbox.list",
    MakeDir => "sandbox.make_dir",
    Rename => "sandbox.rename",
    Remove => "sandbox.remove",
    Watch => "sandbox.watch",
    Pause => "sandbox.pause",
    Resume => "sandbox.resume",
    SetEgress => "sandbox.set_egress",
    Connect => "sandbox.connect",
    Snapshot => "sandbox.snapshot",
    Stats => "sandbox.stats",
    Destroy => "sandbox.destroy",
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a fault strikes before the call has done anything, or after it has done everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// Nothing has happened yet.
    Before,
    /// Everything has happened, and the caller has not heard of it.
    After,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Effect {
    Fail {
        kind: ErrorKind,
        message: String,
        field: Option<String>,
    },
    Delay(Duration),
    Hang,
}

/// A fault on order: which call it strikes, when, and how.
///
/// Without [`nth`](Self::nth) it strikes the next such call, once; [`always`](Self::always) makes
/// it strike every one.
#[derive(Debug, Clone)]
#[must_use = "a fault strikes only once it is given to `Faults::inject`"]
pub struct Fault {
    call: Call,
    sandbox: Option<SandboxId>,
    when: When,
    nth: u64,
    always: bool,
    effect: Effect,
}

impl Fault {
    fn new(call: Call, when: When, effect: Effect) -> Self {
        Self {
            call,
            sandbox: None,
            when,
            nth: 1,
            always: false,
            effect,
        }
    }

    /// `call` fails with an error of `kind`, before or after it took effect.
    pub fn fail(call: Call, when: When, kind: ErrorKind) -> Self {
        let effect = Effect::Fail {
            kind,
            message: "a fault was injected".to_owned(),
            field: None,
        };
        Self::new(call, when, effect)
    }

    /// `call` takes longer by `delay`, in the fake's time.
    pub fn delay(call: Call, when: When, delay: Duration) -> Self {
        Self::new(call, when, Effect::Delay(delay))
    }

    /// `call` does not go on until [`Faults::release`]. After its effect, this is an outcome that
    /// gets lost on its way.
    pub fn hang(call: Call, when: When) -> Self {
        Self::new(call, when, Effect::Hang)
    }

    /// Gives a failure another message and field.
    pub fn with_message(mut self, text: &str, about: Option<&str>) -> Self {
        if let Effect::Fail { message, field, .. } = &mut self.effect {
            *message = text.to_owned();
            *field = about.map(str::to_owned);
        }
        self
    }

    /// Strikes calls of one sandbox alone.
    pub fn of(mut self, sandbox: SandboxId) -> Self {
        self.sandbox = Some(sandbox);
        self
    }

    /// Strikes the `n`th such call from now on; 1 is the next.
    pub fn nth(mut self, n: u64) -> Self {
        self.nth = n;
        self
    }

    /// Strikes every such call from the [`nth`](Self::nth) on.
    pub fn always(mut self) -> Self {
        self.always = true;
        self
    }
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCall {
    /// Which one.
    pub call: Call,
    /// On which sandbox; for [`Call::Create`], the one to be made.
    pub sandbox: Option<SandboxId>,
    /// When it began, in the fake's time.
    pub at: Timestamp,
    /// How it ended; `None` while it goes on, or when its future was dropped.
    pub outcome: Option<std::result::Result<(), ErrorKind>>,
}

/// The faults on order and the call log of one [`FakeDaemon`](crate::FakeDaemon). Clones share both.
#[derive(Debug, Clone)]
pub struct Faults {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    orders: Mutex<Vec<Fault>>,
    log: Mutex<Log>,
    /// Counts releases: whoever hangs waits for the next.
    released: watch::Sender<u64>,
    hanging: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Log {
    calls: VecDeque<LoggedCall>,
    /// How many entries have left the front, so that a call finds its own.
    dropped: u64,
    counts: BTreeMap<Call, u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            inner: Arc::new(Inner {
                orders: Mutex::default(),
                log: Mutex::default(),
                released: watch::Sender::new(0),
                hanging: watch::Sender::new(0),
            }),
        }
    }
}

impl Faults {
    /// Puts a fault on order.
    pub fn inject(&self, fault: Fault) {
        self.inner.orders.locked().push(fault);
    }

    /// Cancels every fault that has not struck.
    pub fn clear(&self) {
        self.inner.orders.locked().clear();
    }

    /// How many faults have not struck yet, those that always strike included.
    pub fn outstanding(&self) -> usize {
        self.inner.orders.locked().len()
    }

    /// Lets every call go on that hangs now.
    pub fn release(&self) {
        self.inner.released.send_modify(|count| *count += 1);
    }

    /// Returns once at least `count` calls hang.
    pub async fn wait_for_hanging(&self, count: usize) {
        let mut hanging = self.inner.hanging.subscribe();
        while *hanging.borrow_and_update() < count {
            if hanging.changed().await.is_err() {
                return;
            }
        }
    }

    /// The last [`MAX_LOGGED_CALLS`] calls, oldest first.
    pub fn calls(&self) -> Vec<LoggedCall> {
        self.inner.log.locked().calls.iter().cloned().collect()
    }

    /// How often `call` has been made.
    pub fn count(&self, call: Call) -> u64 {
        let log = self.inner.log.locked();
        log.counts.get(&call).copied().unwrap_or_default()
    }

    /// Notes a call and takes the faults that strike it.
    pub(crate) fn enter(&self, call: Call, sandbox: Option<&SandboxId>, at: Timestamp) -> Ticket {
        let entry = self.inner.log.locked().add(LoggedCall {
            call,
            sandbox: sandbox.cloned(),
            at,
            outcome: None,
        });
        let mut strikes = Vec::new();
        self.inner.orders.locked().retain_mut(|order| {
            let meant = order.call == call
                && (order.sandbox.is_none() || order.sandbox.as_ref() == sandbox);
            if !meant {
                return true;
            }
            order.nth = order.nth.saturating_sub(1);
            if order.nth > 0 {
                return true;
            }
            strikes.push((order.when, order.effect.clone()));
            order.always
        });
        Ticket {
            faults: self.clone(),
            call,
            entry,
            strikes,
        }
    }
}

impl Log {
    fn add(&mut self, call: LoggedCall) -> u64 {
        *self.counts.entry(call.call).or_default() += 1;
        if self.calls.len() == MAX_LOGGED_CALLS {
            self.calls.pop_front();
            self.dropped += 1;
        }
        self.calls.push_back(call);
        self.dropped + self.calls.len() as u64 - 1
    }

    fn entry(&mut self, number: u64) -> Option<&mut LoggedCall> {
        let at = number.checked_sub(self.dropped)?;
        self.calls.get_mut(usize::try_from(at).ok()?)
    }
}

/// One call on its way, with the faults that strike it.
#[derive(Debug)]
pub(crate) struct Ticket {
    faults: Faults,
    call: Call,
    entry: u64,
    strikes: Vec<(When, Effect)>,
}

impl Ticket {
    /// Lets the faults of `when` strike.
    pub(crate) async fn strike(&self, when: When, time: &TimeSource) -> Result<()> {
        for (_, effect) in self.strikes.iter().filter(|(at, _)| *at == when) {
            match effect {
                Effect::Delay(delay) => time.sleep(*delay).await,
                Effect::Hang => self.hang().await,
                Effect::Fail {
                    kind,
                    message,
                    field,
                } => {
                    let error = Error::new(*kind, self.call.as_str(), message.clone());
                    return Err(match field {
                        Some(field) => error.with_field(field.clone()),
                        None => error,
                    });
                }
            }
        }
        Ok(())
    }

    async fn hang(&self) {
        struct Hanging<'a>(&'a watch::Sender<usize>);
        impl Drop for Hanging<'_> {
            fn drop(&mut self) {
                self.0.send_modify(|count| *count -= 1);
            }
        }
        let inner = &self.faults.inner;
        let mut released = inner.released.subscribe();
        released.borrow_and_update();
        inner.hanging.send_modify(|count| *count += 1);
        let _hanging = Hanging(&inner.hanging);
        // The sender lives in `self`, so this ends only by a release.
        let _ = released.changed().await;
    }

    pub(crate) fn note<T>(&self, outcome: &Result<T>) {
        if let Some(entry) = self.faults.inner.log.locked().entry(self.entry) {
            entry.outcome = Some(outcome.as_ref().map(|_| ()).map_err(Error::kind));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> SandboxId {
        SandboxId::from_random([number; 16])
    }

    async fn strikes(faults: &Faults, call: Call, sandbox: &SandboxId) -> bool {
        let ticket = faults.enter(call, Some(sandbox), Timestamp::EPOCH);
        let struck = ticket.strike(When::Before, &TimeSource::Tokio).await;
        ticket.note(&struck);
        struck.is_err()
    }

    #[tokio::test]
    async fn a_fault_strikes_the_call_the_sandbox_and_the_turn_it_was_ordered_for() {
        let faults = Faults::default();
        let fault = Fault::fail(Call::Pause, When::Before, ErrorKind::Internal);
        faults.inject(fault.of(id(1)).nth(2));
        assert!(!strikes(&faults, Call::Pause, &id(1)).await);
        assert!(!strikes(&faults, Call::Pause, &id(2)).await);
        assert!(!strikes(&faults, Call::Resume, &id(1)).await);
        assert!(strikes(&faults, Call::Pause, &id(1)).await);
        assert!(!strikes(&faults, Call::Pause, &id(1)).await, "once");
        assert_eq!(faults.outstanding(), 0);
        assert_eq!(faults.count(Call::Pause), 4);
    }

    #[tokio::test]
    async fn a_fault_that_always_strikes_strikes_until_it_is_cleared() {
        let faults = Faults::default();
        let fault = Fault::fail(Call::Stats, When::Before, ErrorKind::Timeout);
        faults.inject(fault.nth(2).always());
        assert!(!strikes(&faults, Call::Stats, &id(1)).await);
        for _ in 0..3 {
            assert!(strikes(&faults, Call::Stats, &id(1)).await);
        }
        faults.clear();
        assert!(!strikes(&faults, Call::Stats, &id(1)).await);
    }

    #[tokio::test]
    async fn the_log_keeps_the_newest_calls() {
        let faults = Faults::default();
        for _ in 0..MAX_LOGGED_CALLS + 10 {
            faults
                .enter(Call::Stat, None, Timestamp::EPOCH)
                .note(&Ok(()));
        }
        strikes(&faults, Call::List, &id(1)).await;
        let calls = faults.calls();
        assert_eq!(calls.len(), MAX_LOGGED_CALLS);
        let last = calls.last().unwrap();
        assert_eq!((last.call, last.outcome), (Call::List, Some(Ok(()))));
    }
}
