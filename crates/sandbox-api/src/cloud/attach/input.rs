//! Standard input on its way from the client to the process.
//!
//! Between the two is a queue of bounded size, so that a signal gets past input that the process
//! does not read. When it is full, the client is not read any more, and TCP holds it up.

use std::sync::Arc;

use bytes::Bytes;
use sandbox_core::Result;
use sandbox_engine::process::ProcessHandle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::error::ApiError;

/// How many bytes wait for the process at most, beyond one message.
const MAX_WAITING: u32 = 1 << 20;
/// What a message costs beyond its bytes, so that empty ones are bounded too.
const MESSAGE_COST: usize = 64;

/// What waits for the process.
#[derive(Debug)]
enum Waiting {
    Bytes(Bytes, OwnedSemaphorePermit),
    Close,
}

/// The client's end.
#[derive(Debug)]
pub(super) struct Input {
    queue: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
}

/// The process's end.
#[derive(Debug)]
pub(super) struct Feeder {
    queue: mpsc::Receiver<Waiting>,
    taken: watch::Sender<u64>,
}

/// Both ends, and how many bytes the process has taken.
pub(super) fn queue() -> (Input, Feeder, watch::Receiver<u64>) {
    // Messages are bounded by the room that each takes.
    let most = MAX_WAITING as usize / MESSAGE_COST;
    let (sender, receiver) = mpsc::channel(most);
    let (taken, watch) = watch::channel(0);
    let input = Input {
        queue: sender,
        room: Arc::new(Semaphore::new(MAX_WAITING as usize)),
    };
    let feeder = Feeder {
        queue: receiver,
        taken,
    };
    (input, feeder, watch)
}

impl Input {
    /// Queues bytes; waits for room.
    pub(super) async fn bytes(&self, bytes: &[u8]) {
        let cost = u32::try_from(bytes.len().saturating_add(MESSAGE_COST)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room);
        // The semaphore is never closed, and a feeder that is gone wants nothing.
        if let Ok(permit) = room.acquire_many_owned(cost.min(MAX_WAITING)).await {
            // Copied, as it may be a small part of a large buffer that it would keep.
            let bytes = Bytes::copy_from_slice(bytes);
            let _ = self.queue.send(Waiting::Bytes(bytes, permit)).await;
        }
    }

    /// Queues the end of the file.
    pub(super) async fn close(&self) {
        let _ = self.queue.send(Waiting::Close).await;
    }
}

impl Feeder {
    /// Gives `process` what is queued until the client's end is gone and the queue empty. What the
    /// process does not take is told to `refused`.
    pub(super) async fn run(mut self, process: &ProcessHandle, refused: mpsc::Sender<ApiError>) {
        while let Some(waiting) = self.queue.recv().await {
            if let Err(error) = self.give(process, waiting).await {
                let _ = refused.send(error.into()).await;
            }
        }
    }

    async fn give(&self, process: &ProcessHandle, waiting: Waiting) -> Result<()> {
        let (bytes, _permit) = match waiting {
            Waiting::Bytes(bytes, permit) => (bytes, permit),
            Waiting::Close => return process.close_stdin().await,
        };
        let length = bytes.len() as u64;
        if length > 0 {
            process.write_stdin(bytes).await?;
            self.taken.send_modify(|taken| *taken += length);
        }
        Ok(())
    }
}
