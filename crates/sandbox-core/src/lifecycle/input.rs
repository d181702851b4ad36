//! What can happen to a sandbox.

use std::time::Duration;

use super::{ActionError, ActionId};

/// One thing that happened, or that someone wants. Requests, outcomes and observations convert
/// into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Someone wants something.
    Request(Request),
    /// An action ended.
    Outcome(Outcome),
    /// The runtime saw something.
    Observation(Observation),
    /// Time passed: fires the deadlines that are due. A tick that comes early does nothing.
    Tick,
}

/// What a user, or an API on behalf of one, asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// Freeze or suspend it; remembered while it is being created or resumed.
    Pause,
    /// Let it run again; remembered while it is being paused. Counts as activity.
    Resume,
    /// Remove it. Accepted in every state, and as often as it is asked.
    Destroy,
    /// Let an ephemeral sandbox live at least `time_to_live` from now, never shorter than it
    /// would. More than [`Ephemeral::max_time_to_live`](super::Ephemeral::max_time_to_live) is
    /// cut to it. Refused while it is paused or being paused.
    KeepAlive {
        /// From now.
        time_to_live: Duration,
    },
    /// Let an ephemeral sandbox live exactly `time_to_live` from now, which may be shorter than
    /// it would. Cut to 1 ms at least and
    /// [`Ephemeral::max_time_to_live`](super::Ephemeral::max_time_to_live) at most. While the
    /// clock stands still it is what remains when it goes on.
    SetTimeout {
        /// From now.
        time_to_live: Duration,
    },
    /// Someone uses the sandbox: a command, a file, a port. Resets the idle timeout, and wakes a
    /// paused sandbox whose policy has auto wake.
    Activity,
}

/// How the action `action` ended; made by [`Action::succeeded`](super::Action::succeeded) and
/// [`Action::failed`](super::Action::failed).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The id of the action.
    pub action: ActionId,
    /// How it went.
    pub result: Result<(), ActionError>,
}

/// What the runtime saw without being asked, or found after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Observation {
    /// Its first process ended.
    Exited {
        /// The exit code, where one is known.
        code: Option<i32>,
    },
    /// Its first process was killed for want of memory.
    OutOfMemory,
    /// After a restart: it exists and runs.
    FoundRunning,
    /// After a restart: it exists and is paused.
    FoundPaused,
    /// After a restart: something of it exists, but it was never made whole, or its first
    /// process is gone.
    FoundBroken,
    /// After a restart: the runtime has nothing of it.
    Missing,
}

impl Input {
    /// The input in `snake_case`, for errors and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Request(request) => request.name(),
            Self::Outcome(Outcome { result: Ok(()), .. }) => "succeeded",
            Self::Outcome(Outcome { result: Err(_), .. }) => "failed",
            Self::Observation(observation) => observation.name(),
            Self::Tick => "tick",
        }
    }
}

impl Request {
    /// The request in `snake_case`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Destroy => "destroy",
            Self::KeepAlive { .. } => "keep_alive",
            Self::SetTimeout { .. } => "set_timeout",
            Self::Activity => "activity",
        }
    }
}

impl Observation {
    /// The observation in `snake_case`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exited { .. } => "exited",
            Self::OutOfMemory => "out_of_memory",
            Self::FoundRunning => "found_running",
            Self::FoundPaused => "found_paused",
            Self::FoundBroken => "found_broken",
            Self::Missing => "missing",
        }
    }
}

impl From<Request> for Input {
    fn from(request: Request) -> Self {
        Self::Request(request)
    }
}

impl From<Outcome> for Input {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl From<Observation> for Input {
    fn from(observation: Observation) -> Self {
        Self::Observation(observation)
    }
}
