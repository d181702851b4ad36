//! A body on its way up, and whether the server takes it.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use sandbox_api_types::{SEAL_GIVEN_UP, SEAL_WHOLE};
use sandbox_core::{ByteStream, Error, ErrorKind, Result};
use tokio::time::Instant;

use crate::Limits;

/// Where a body stands, seen from outside of the request that sends it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Upload(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Since when it is the server's turn; `None` while the body itself is awaited.
    servers_turn: Option<Instant>,
    /// Whether all of it is sent.
    sent: bool,
    /// What the body failed with.
    failure: Option<Error>,
}

/// A body with its seal: what follows says whether it is whole.
struct Sealed {
    body: Option<ByteStream>,
    upload: Upload,
}

impl Sealed {
    /// The last of the body.
    fn seal(&mut self, seal: u8, failure: Option<Error>) -> Bytes {
        self.body = None;
        self.upload.state().failure = failure;
        Bytes::copy_from_slice(&[seal])
    }
}

impl Stream for Sealed {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut state = self.upload.state();
        state.sent = self.body.is_none();
        if !state.sent {
            state.servers_turn = None;
        }
        drop(state);
        let chunk = match &mut self.body {
            None => return Poll::Ready(None),
            Some(body) => match ready!(body.poll_next_unpin(cx)) {
                Some(Ok(bytes)) => bytes,
                Some(Err(error)) => self.seal(SEAL_GIVEN_UP, Some(error)),
                None => self.seal(SEAL_WHOLE, None),
            },
        };
        self.upload.state().servers_turn = Some(Instant::now());
        Poll::Ready(Some(Ok(chunk)))
    }
}

impl Upload {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below the lock can panic half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body that sends `body`, sealed, and tells of it here.
    pub(crate) fn body(&self, body: ByteStream) -> reqwest::Body {
        reqwest::Body::wrap_stream(Sealed {
            body: Some(body),
            upload: self.clone(),
        })
    }

    /// What the body failed with.
    pub(crate) fn failure(&self) -> Option<Error> {
        self.state().failure.take()
    }

    /// Ends when the server has taken nothing for the idle timeout although there was something to
    /// take, or has not answered within the work timeout, once all of it is sent. One that is given
    /// up waits no longer than for the former.
    pub(crate) async fn stalled(&self, operation: &'static str, limits: &Limits) -> Error {
        loop {
            let (since, patience) = {
                let state = self.state();
                let patience = match state.sent && state.failure.is_none() {
                    true => limits.work_timeout,
                    false => limits.idle_timeout,
                };
                (state.servers_turn, patience)
            };
            let until = match since {
                Some(since) if since.elapsed() >= patience => break,
                Some(since) => since + patience,
                None => Instant::now() + limits.idle_timeout,
            };
            // The body may have ended since, which is looked at every so often.
            let soon = Instant::now() + limits.idle_timeout;
            tokio::time::sleep_until(until.min(soon)).await;
        }
        let message = "the server takes nothing more of the body";
        Error::new(ErrorKind::Unavailable, operation, message)
    }
}
