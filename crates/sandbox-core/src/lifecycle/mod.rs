//! The life of one sandbox, as a value: inputs and the time go in, actions come out.
//!
//! [`Lifecycle`] does no IO, holds no clock and starts nothing. A driver owns one per sandbox,
//! stores it, carries out the [`Action`]s it returns and hands every result back. So the same
//! rules hold over every runtime, and they are tested without any.
//!
//! ```text
//!                 created                 Pause, idle, time to live
//!     Creating ────────────► Running ─────────────────────────────────► Pausing
//!                              ▲  ▲               failed                 │   │
//!                      resumed │  └──────────────────────────────────────┘   │ paused
//!                              │                                             ▼
//!                          Resuming ◄───────────────────────────────────── Paused
//!                              │          Resume, Activity (auto wake)       ▲
//!                              └─────────────────────────────────────────────┘
//!                                                 failed
//!
//!     Creating failed;
//!     these five exited, out of memory, ──► Failed   issues a Destroy at once, except for a
//!     broken or missing after a restart       │      persistent sandbox that ended: its files
//!                                             │      are kept until it is destroyed
//!     Destroy from any state,                 │
//!     time to live (kill)                     │ Destroy, or one more time to live
//!          │                                  │
//!          └────────────► Destroying ◄────────┘
//!                          │  ▲   │
//!                          │  └───┘ failed: again after 1 s, 2 s, 4 s … 5 min, without end
//!                          ▼
//!                       Destroyed (final)
//! ```
//!
//! # Rules
//!
//! - **One action at a time.** Every action has an [`ActionId`] that grows. A newer action
//!   replaces the one before; the outcome of a replaced action changes nothing.
//! - **Requests are remembered.** Pause while `Creating` or `Resuming`, and Resume while
//!   `Pausing`, take effect as soon as the action on its way is done: [`Lifecycle::target`] says
//!   where the sandbox will come to rest. Destroy waits for nothing and wins over everything.
//! - **Asking again is not an error.** Pause of a paused sandbox, Resume of a running one and
//!   Destroy of anything answer `Ok`.
//! - **Activity means someone wants to use it.** `Ok` says that the sandbox is usable or on its
//!   way; [`Lifecycle::readiness`] says which. A paused sandbox without auto wake refuses it.
//! - **Nothing is left behind.** A failed creation issues Destroy for whatever it left. A Destroy
//!   that fails is tried again, however often: [`Lifecycle::next_deadline`] is the next try.
//! - **A pause that fails leaves the sandbox running.** Whoever asked learns it from the outcome.
//!   A pause that a timer asked for is tried again with the same growing delay, because a
//!   sandbox past its time must neither run on unnoticed nor lose what it holds.
//! - **A resume that fails leaves it paused**, to be tried again by whoever wants it.
//! - **Only a [tick](Input::Tick) fires deadlines.** A request that arrives before the tick
//!   counts, so activity in the last moment keeps a sandbox awake.
//!
//! # The clock of the time to live
//!
//! It starts when the sandbox first runs, not while an image is still pulled, and is shown by
//! [`Lifecycle::expires_at`]. Where [`Ephemeral::pause_stops_clock`] says so it stands still
//! while the sandbox is paused. Where the timeout only pauses, a resume after it begins a new
//! time to live. A failed ephemeral sandbox stays readable for one more time to live.
//!
//! The wall clock may be set back. Nothing then fires twice, usage does not shrink, and no
//! deadline is further away than the policy allows from the new time.
//!
//! # After a restart
//!
//! The driver loads the machine and, before anything else, hands it what the runtime has:
//! [`Observation::FoundRunning`], [`Observation::FoundPaused`], [`Observation::FoundBroken`] or
//! [`Observation::Missing`], then a tick. Actions that the old process had started are taken for
//! lost, and those still wanted are issued again, so runtimes must accept every action twice.
//! The same holds when a backend was away and is back, once the actions that still ran have ended.
//!
//! - What was being created and runs was created. What is missing or broken is `Failed`: whoever
//!   waited for it is gone, and creating it now would surprise.
//! - What should run and is paused is resumed; what should be paused and runs is paused.
//! - A persistent sandbox that had ended and is found alive is what it was found as.
//! - What the runtime still has although it should hold nothing is destroyed, even when the
//!   machine is `Destroyed`, which it stays.
//!
//! # What a driver owes
//!
//! - Store the machine before starting an action it returned.
//! - Carry out a sandbox's actions one after another in the order of their ids. An action replaced
//!   by Destroy may be abandoned, but must have ended before the Destroy starts.
//! - Report exactly one outcome for each, and bound the time of each.
//! - Destroy removes everything that carries the sandbox's id, finished or not, and succeeds when
//!   there is nothing.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use sandbox_core::Timestamp;
//! use sandbox_core::lifecycle::{Ephemeral, Input, Lifecycle, LifecyclePolicy, State};
//!
//! # fn main() -> sandbox_core::Result<()> {
//! let start = Timestamp::from_millis(1_000);
//! let policy = LifecyclePolicy::new(Ephemeral::new(Duration::from_secs(60)))?;
//!
//! let (mut life, actions) = Lifecycle::new(policy, start);
//! assert_eq!(life.state(), State::Creating);
//!
//! life.handle(actions[0].succeeded(), start)?;
//! assert_eq!(life.state(), State::Running);
//!
//! // The driver sleeps until the next deadline and then says what time it is.
//! let deadline = life.next_deadline().expect("an ephemeral sandbox has one");
//! let actions = life.handle(Input::Tick, deadline)?;
//! assert_eq!(life.state(), State::Destroying);
//!
//! life.handle(actions[0].succeeded(), deadline)?;
//! assert_eq!(life.state(), State::Destroyed);
//! assert_eq!(life.usage_seconds(deadline), 60);
//! # Ok(())
//! # }
//! ```

mod action;
mod backoff;
mod deadlines;
mod expiry;
mod failure;
mod input;
mod machine;
mod millis;
mod observations;
mod outcomes;
mod phase;
mod policy;
mod refused;
mod requests;
mod state;
#[cfg(test)]
mod table;
mod transitions;
mod usage;

pub use action::{Action, ActionError, ActionId, ActionKind};
pub use backoff::{FIRST_RETRY_DELAY, MAX_RETRY_DELAY};
pub use failure::Failure;
pub use input::{Input, Observation, Outcome, Request};
pub use machine::Lifecycle;
pub use policy::{
    DEFAULT_IDLE_TIMEOUT, DEFAULT_TIME_TO_LIVE, Ephemeral, LifecyclePolicy, MAX_TIME_TO_LIVE, Mode,
    OnTimeout, Persistent,
};
pub use refused::{Refused, RefusedReason};
pub use state::{Readiness, State};
