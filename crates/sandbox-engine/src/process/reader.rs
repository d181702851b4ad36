//! Reading what a process says.

use std::sync::Arc;

use futures_util::Stream;
use sandbox_core::ExitStatus;
use tokio::sync::watch;

use super::Chunk;
use super::pace::Pace;
use super::ring::{Found, Ring};
use crate::gate::InUse;

/// What an [`OutputReader`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputItem {
    /// A piece of output.
    Output(Chunk),
    /// Output numbered from `from` to `to`, both included, is no longer kept.
    Gap {
        /// The first number that is missing.
        from: u64,
        /// The last number that is missing.
        to: u64,
    },
    /// The process ended. What follows was written by children it left behind.
    Exited {
        /// Its number among the chunks.
        seq: u64,
        /// How it ended.
        status: ExitStatus,
    },
}

/// A reader of a process's output: first what is kept, then what comes. While one waits, its
/// sandbox counts as used.
#[derive(Debug)]
pub struct OutputReader {
    ring: Arc<Ring>,
    changed: watch::Receiver<()>,
    next: u64,
    pace: Option<Pace>,
    _in_use: InUse,
}

impl OutputReader {
    pub(super) fn new(ring: Arc<Ring>, from: u64, in_use: InUse) -> Self {
        Self {
            changed: ring.subscribe(),
            ring,
            next: from,
            pace: None,
            _in_use: in_use,
        }
    }

    /// A reader that the process waits for.
    pub(super) fn paced(mut self, pace: Pace) -> Self {
        pace.advance(self.next);
        self.pace = Some(pace);
        self
    }

    /// The next item; waits for it. `None` once nobody holds the output open any more. Dropping the
    /// future loses nothing.
    ///
    /// A daemon that the process left behind may hold the output open for ever: whoever wants the
    /// process alone stops at [`OutputItem::Exited`].
    pub async fn next(&mut self) -> Option<OutputItem> {
        loop {
            self.changed.borrow_and_update();
            match self.ring.at(self.next) {
                Found::Item(item) => {
                    self.next = item.last_seq() + 1;
                    if let Some(pace) = &self.pace {
                        pace.advance(self.next);
                    }
                    return Some(item);
                }
                Found::End => return None,
                Found::Later => self.changed.changed().await.ok()?,
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = OutputItem> + Send {
        futures_util::stream::unfold(self, |mut reader| async move {
            let item = reader.next().await?;
            Some((item, reader))
        })
    }
}

impl OutputItem {
    /// The number of the item, or the last that is missing: read from the next one to go on.
    pub fn last_seq(&self) -> u64 {
        match self {
            Self::Output(chunk) => chunk.seq,
            Self::Gap { to, .. } => *to,
            Self::Exited { seq, .. } => *seq,
        }
    }
}
