//! Reads on where a request is refused before its body was read.
//!
//! A client that is still sending when the connection is closed may never see the answer: what it
//! sends is answered with a reset, which discards what it has received. So the rest is read first,
//! for those who are known, in bounds.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use futures_util::StreamExt;
use http_body::{Frame, SizeHint};
use tower_http::timeout::TimeoutBody;

/// The longest that somebody is read on whose request was refused.
const MAX_TIME: Duration = Duration::from_secs(30);
/// The longest that somebody is waited for who sends nothing more.
const MAX_PAUSE: Duration = Duration::from_secs(2);
/// How much more than a body may have is read.
const MAX_MORE: u64 = 16 << 20;

/// Where a body is left by whoever did not read it to its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Leftover(Arc<Mutex<Option<Body>>>);

impl Leftover {
    /// `body`, which is put here when it is dropped before its end.
    pub(super) fn watch(&self, body: Body) -> Body {
        Body::new(Watched {
            body: Some(body),
            leftover: self.clone(),
        })
    }

    /// Reads what is left, at most `limit` bytes and a little more.
    pub(super) async fn drain(&self, headers: Expects, limit: u64) {
        let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(body) = left else { return };
        // It waits to be told to send, and the answer tells it not to.
        if headers.0 {
            return;
        }
        let most = limit.saturating_add(MAX_MORE);
        // Whatever comes of it, the answer is given.
        let body = Body::new(TimeoutBody::new(MAX_PAUSE, body));
        let _ = tokio::time::timeout(MAX_TIME, read(body, most)).await;
    }
}

/// Whether a client sends its body only when it is told to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expects(bool);

impl Expects {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self(headers.contains_key(EXPECT))
    }
}

async fn read(body: Body, most: u64) {
    let mut chunks = body.into_data_stream();
    let mut read: u64 = 0;
    while let Some(Ok(chunk)) = chunks.next().await {
        read = read.saturating_add(chunk.len() as u64);
        if read > most {
            return;
        }
    }
}

#[derive(Debug)]
struct Watched {
    body: Option<Body>,
    leftover: Leftover,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body
            .as_ref()
            .is_none_or(http_body::Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.body.as_ref().map(http_body::Body::size_hint);
        hint.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let left = self
            .body
            .take()
            .filter(|body| !http_body::Body::is_end_stream(body));
        let mut place = self
            .leftover
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *place = left;
    }
}
