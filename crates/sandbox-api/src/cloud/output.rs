//! What a process says, as events.

use futures_util::{FutureExt, Stream};
use sandbox_api_types::{Gap, OutputChunk, OutputEvent, OutputExit, OutputStart};
use sandbox_core::{Error, ErrorKind};
use sandbox_engine::process::{OutputItem, OutputReader, ProcessHandle, ProcessStatus};

use super::feeding::Feeding;
use super::processes::shown;
use super::sse;
use crate::extract::RequestId;

/// An event, and its number among those of its process.
type Numbered = (Option<u64>, OutputEvent);

/// How far to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// To the end of the process.
    Exit,
    /// Until nobody holds the output open any more.
    Closed,
    /// As far as there is something now.
    Now,
}

/// A process whose output is read as events.
#[derive(Debug)]
pub(super) struct Watched {
    process: ProcessHandle,
    reader: OutputReader,
    until: Until,
    is_announced: bool,
    feeding: Feeding,
    request_id: RequestId,
    is_over: bool,
}

impl Watched {
    /// The output of `process` from the number `from` on.
    pub(super) fn new(
        process: ProcessHandle,
        from: u64,
        until: Until,
        request_id: RequestId,
    ) -> Self {
        Self {
            reader: process.read(from),
            process,
            until,
            is_announced: false,
            feeding: Feeding::default(),
            request_id,
            is_over: false,
        }
    }

    /// Begins with the process itself.
    pub(super) fn announced(mut self) -> Self {
        self.is_announced = true;
        self
    }

    /// Ends with an error when whoever gives it its input fails.
    pub(super) fn fed_by(mut self, feeding: Feeding) -> Self {
        self.feeding = feeding;
        self
    }

    pub(super) fn into_events(self) -> impl Stream<Item = Numbered> + Send {
        futures_util::stream::unfold(self, |mut watched| async move {
            let event = watched.next().await?;
            Some((event, watched))
        })
    }

    async fn next(&mut self) -> Option<Numbered> {
        if self.is_over {
            return None;
        }
        if std::mem::take(&mut self.is_announced) {
            let process = shown(&self.process);
            return Some((None, OutputEvent::Start(OutputStart { process })));
        }
        let item = match self.until {
            Until::Now => self.reader.next().now_or_never().flatten(),
            Until::Exit | Until::Closed => tokio::select! {
                item = self.reader.next() => item,
                error = self.feeding.failed() => return Some(self.broken(error)),
            },
        };
        match item {
            Some(item) => Some(self.told(item)),
            None => self.ended(),
        }
    }

    fn told(&mut self, item: OutputItem) -> Numbered {
        let seq = item.last_seq();
        let event = match item {
            OutputItem::Output(chunk) => {
                let stream = chunk.stream.into();
                OutputEvent::Output(OutputChunk::new(chunk.seq, stream, &chunk.data))
            }
            OutputItem::Gap { from, to } => OutputEvent::Gap(Gap { from, to }),
            OutputItem::Exited { seq, status } => {
                self.is_over = self.until == Until::Exit;
                OutputEvent::Exit(exit(&self.process, seq, status))
            }
        };
        (Some(seq), event)
    }

    /// The output is over. While the process runs, that is the engine's doing.
    fn ended(&mut self) -> Option<Numbered> {
        self.is_over = true;
        let runs = self.process.status() == ProcessStatus::Running;
        if !runs || self.until == Until::Now {
            return None;
        }
        let message = "the server is shutting down; the process goes on";
        let error = Error::new(ErrorKind::Unavailable, "process.output", message);
        Some(self.broken(error))
    }

    fn broken(&mut self, error: Error) -> Numbered {
        self.is_over = true;
        let body = sse::error_body(error, &self.request_id);
        (None, OutputEvent::Error(body))
    }
}

/// The end of `process`, as events and messages have it.
pub(super) fn exit(
    process: &ProcessHandle,
    seq: u64,
    status: sandbox_core::ExitStatus,
) -> OutputExit {
    let duration = match process.status() {
        ProcessStatus::Ended { at, .. } => Some(at.since(process.started_at())),
        ProcessStatus::Running => None,
    };
    OutputExit::new(seq, status, duration)
}
