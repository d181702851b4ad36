//! How long a stream may go on: until the server shuts down, or the key that opened it is none any
//! more.
//!
//! Whoever has stolen a key opens a stream as soon as its owner can revoke it. All streams of a key
//! share one look into the store in a while, which finds also what another process revoked.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sandbox_engine::owners::{KeyHash, KeyId};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::extract::Caller;
use crate::state::AppState;

/// The keys that have streams.
#[derive(Debug, Default)]
pub(crate) struct Tenures(Mutex<HashMap<KeyId, Weak<Tenure>>>);

/// The time that the streams of one key have. The key is looked up for as long as somebody holds it.
#[derive(Debug)]
pub(crate) struct Tenure {
    ended: CancellationToken,
    _looking: DropGuard,
}

impl Tenure {
    /// Cancelled when the streams are to end.
    pub(crate) fn ended(&self) -> &CancellationToken {
        &self.ended
    }
}

impl Tenure {
    fn new(state: &AppState) -> Self {
        let ended = state.shutdown().child_token();
        Self {
            _looking: ended.clone().drop_guard(),
            ended,
        }
    }
}

impl Tenures {
    /// The time of the streams of `caller`, whose key worked just now.
    pub(crate) fn of(&self, state: &AppState, caller: &Caller) -> Arc<Tenure> {
        // Whom the embedder let in, the embedder sees out.
        let Some(key) = caller.proof() else {
            return Arc::new(Tenure::new(state));
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = known.get(caller.key_id()).and_then(Weak::upgrade);
        // One that has ended is of a key that was none, before the clock was set back.
        if let Some(tenure) = shared.filter(|tenure| !tenure.ended.is_cancelled()) {
            return tenure;
        }
        known.retain(|_, tenure| tenure.strong_count() > 0);
        let tenure = Arc::new(Tenure::new(state));
        known.insert(caller.key_id().clone(), Arc::downgrade(&tenure));
        tokio::spawn(look(state.clone(), key, tenure.ended.clone()));
        tenure
    }
}

/// Looks the key up until it is none any more, or nobody asks.
async fn look(state: AppState, key: KeyHash, ended: CancellationToken) {
    let every = state.config().key_check_interval;
    loop {
        tokio::select! {
            () = ended.cancelled() => return,
            () = tokio::time::sleep(every) => {}
        }
        match state.owners().still_works(&key, state.now()).await {
            Ok(true) => {}
            Ok(false) => ended.cancel(),
            // A store that does not answer ends nothing: it is asked again.
            Err(error) => tracing::warn!(%error, "cannot look up the API key of a stream"),
        }
    }
}
