//! What a request with a key turns out to be.

use sandbox_core::{Error, ErrorKind};
use tokio::sync::watch;

use super::{Answer, Guard, Takeover};

/// What doing a request a second time would come to, which decides what becomes of one that was
/// interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It makes a sandbox. The id of that is in the store before anything is done
    /// ([`Guard::reserved`]), so an interrupted one is finished by the next:
    /// [`Engine::create_once`](crate::Engine::create_once).
    Create,
    /// Doing it again comes to the same: destroy, pause, resume, a file written whole. An
    /// interrupted one is done again.
    Repeatable,
    /// It must not be done twice: a command, a process, a commit. An interrupted one is refused
    /// until its key expires, because it may have run.
    Once,
}

/// What [`Idempotency::claim`](super::Idempotency::claim) found; everything else is an error.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one a request, and it is taken apart at once"
)]
pub enum Claim {
    /// Carry it out, and [finish](Guard::finish) or [fail](Guard::fail) it.
    Run(Guard),
    /// It was carried out before: this was the answer.
    Answered(Answer),
}

/// What [`Idempotency::begin`](super::Idempotency::begin) found.
#[derive(Debug)]
pub enum Begin {
    /// Nobody has asked this before: carry it out and [finish](Guard::finish) it.
    Fresh(Guard),
    /// It was carried out: this was the answer.
    Replay(Answer),
    /// It was carried out, and the answer was too large to keep: this was its status.
    Done(u16),
    /// It is being carried out now, with the same body.
    InProgress(InProgress),
    /// The key was used with another body.
    Conflict,
    /// It began and was interrupted: whether it was carried out is unknown.
    Unknown(Takeover),
    /// It was interrupted, taken over, and interrupted again.
    Lost,
}

impl Begin {
    /// The error that a caller is told for the outcomes that end a request: `Conflict` with field
    /// `idempotency_key` for everything but [`Fresh`](Self::Fresh), [`Replay`](Self::Replay) and
    /// [`Unknown`](Self::Unknown).
    pub fn refusal(&self) -> Option<Error> {
        match self {
            Self::Fresh(_) | Self::Replay(_) | Self::Unknown(_) => None,
            Self::Done(status) => Some(too_large(*status)),
            Self::InProgress(_) => Some(refused("a request with this key is being carried out")),
            Self::Conflict => Some(other_body()),
            Self::Lost => Some(may_have_run()),
        }
    }
}

fn refused(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Conflict, "idempotency.begin", message).with_field("idempotency_key")
}

pub(super) fn too_large(status: u16) -> Error {
    refused(format!(
        "the request was carried out with status {status}; its answer was too large to keep"
    ))
}

pub(super) fn other_body() -> Error {
    refused("the key was used with another request body")
}

pub(super) fn may_have_run() -> Error {
    refused(
        "a request with this key was interrupted and it may have run: whether it did is unknown; \
         look, and use another key to run it again",
    )
}

/// A request that somebody else in this process is carrying out.
#[derive(Debug)]
pub struct InProgress {
    pub(super) ended: watch::Receiver<()>,
}

impl InProgress {
    /// Waits until it ends, however it does; then [`Idempotency::begin`](super::Idempotency::begin)
    /// says what it came to.
    pub async fn wait(mut self) {
        // The sender never sends: it goes away with the guard, and that is the news.
        while self.ended.changed().await.is_ok() {}
    }
}
