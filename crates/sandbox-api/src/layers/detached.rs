//! Work that goes on when its client leaves.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;
use tracing::Instrument;

use super::edge::overloaded;
use super::panics;

/// How much of it there may be at once.
#[derive(Debug)]
pub(crate) struct Detached {
    room: Arc<Semaphore>,
}

impl Detached {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(most)),
        }
    }

    /// Runs `work` to its end, if there is room for it; nobody waits.
    pub(super) fn aside(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(room) = Arc::clone(&self.room).try_acquire_owned() {
            tokio::spawn(async move {
                let _room = room;
                work.await;
            });
        }
    }

    /// Runs `work` to its end in a task of its own, and answers what it comes to. When the future
    /// is dropped, the work goes on.
    pub(super) async fn run(
        &self,
        work: impl Future<Output = Response> + Send + 'static,
    ) -> Response {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            return overloaded().into_response();
        };
        let span = tracing::Span::current();
        let task = tokio::spawn(
            async move {
                let _room = room;
                work.await
            }
            .instrument(span),
        );
        match task.await {
            Ok(response) => response,
            Err(e) => panics::defect(&e.to_string()).into_response(),
        }
    }
}
