//! Standard input over an attachment, with an eye on how much of it was taken.

use bytes::Bytes;
use sandbox_core::{Error, ErrorKind, Result};
use tokio::sync::{Mutex, watch};

use super::error::again;
use crate::AttachmentInput;

/// The most bytes on their way to a process that has not taken them.
const WINDOW: u64 = 256 << 10;
/// The largest piece.
const MAX_PIECE: usize = 32 << 10;
const OPERATION: &str = "remote.stdin";

/// Whether input can be given, as far as it is known without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It was started without.
    Closed,
    /// A pipe.
    Pipe,
    /// A terminal, which cannot be closed.
    Terminal,
}

/// What the process said about its input, over the connection of now.
#[derive(Debug, Default)]
struct Taken {
    bytes: u64,
    /// Why nothing more can be given; for this connection, or for good.
    refused: Option<Error>,
    /// Whether the process has ended.
    ended: bool,
}

#[derive(Debug)]
struct Writer {
    /// The connection of now; none while it is made again.
    input: Option<AttachmentInput>,
    sent: u64,
    closed: bool,
}

/// The input of one process. Writers take turns.
#[derive(Debug)]
pub(super) struct StdinPipe {
    kind: Kind,
    writer: Mutex<Writer>,
    taken: watch::Sender<Taken>,
}

fn not_open(message: &str) -> Error {
    Error::new(ErrorKind::Conflict, OPERATION, message)
}

fn broken() -> Error {
    let message = "the connection to the server broke off; some of the input may have been taken";
    Error::new(ErrorKind::Unavailable, OPERATION, message)
}

impl StdinPipe {
    pub(super) fn new(kind: Kind, input: AttachmentInput) -> Self {
        Self {
            kind,
            writer: Mutex::new(Writer {
                input: Some(input),
                sent: 0,
                closed: false,
            }),
            taken: watch::Sender::new(Taken::default()),
        }
    }

    /// Gives bytes. Returns when they are on their way, at most [`WINDOW`] ahead of the process.
    pub(super) async fn write(&self, mut data: Bytes) -> Result<()> {
        if self.kind == Kind::Closed {
            return Err(not_open("the process was started without input"));
        }
        let mut writer = self.writer.lock().await;
        if writer.closed {
            return Err(not_open("the input is closed"));
        }
        self.check(&self.taken.borrow())?;
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(MAX_PIECE));
            self.room(writer.sent).await?;
            let length = piece.len() as u64;
            let Writer { input, sent, .. } = &mut *writer;
            let input = input.as_mut().ok_or_else(broken)?;
            input.feed(piece).await?;
            *sent += length;
            input.flush().await?;
        }
        Ok(())
    }

    fn check(&self, taken: &Taken) -> Result<()> {
        if taken.ended {
            return Err(not_open("the process has ended"));
        }
        taken
            .refused
            .as_ref()
            .map_or(Ok(()), |error| Err(again(error)))
    }

    /// Waits until the process has taken enough of what was sent.
    async fn room(&self, sent: u64) -> Result<()> {
        let mut taken = self.taken.subscribe();
        let enough = |taken: &Taken| {
            taken.ended || taken.refused.is_some() || sent.saturating_sub(taken.bytes) < WINDOW
        };
        match taken.wait_for(enough).await {
            Ok(taken) => self.check(&taken),
            Err(_) => Err(broken()),
        }
    }

    /// Closes it, after what was given before.
    pub(super) async fn close(&self) -> Result<()> {
        match self.kind {
            Kind::Pipe => {}
            Kind::Closed => return Err(not_open("the process was started without input")),
            Kind::Terminal => return Err(not_open("a terminal is not closed: send ^D")),
        }
        let mut writer = self.writer.lock().await;
        if writer.closed || self.taken.borrow().ended {
            return Ok(());
        }
        writer
            .input
            .as_mut()
            .ok_or_else(broken)?
            .close_stdin()
            .await?;
        writer.closed = true;
        Ok(())
    }

    /// Notes how much was taken.
    pub(super) fn taken(&self, bytes: u64) {
        self.taken
            .send_modify(|taken| taken.bytes = taken.bytes.max(bytes));
    }

    /// Notes that something was refused.
    pub(super) fn refused(&self, error: Error) {
        let error = match error.kind() {
            ErrorKind::NotFound | ErrorKind::Conflict => not_open(error.message()),
            _ => error,
        };
        self.taken.send_modify(|taken| taken.refused = Some(error));
    }

    /// Notes that the process has ended: nobody waits for it to take anything.
    pub(super) fn ended(&self) {
        self.taken.send_modify(|taken| taken.ended = true);
    }

    /// Lets go of a connection that broke. Whoever writes is told.
    pub(super) async fn disconnected(&self) {
        self.taken
            .send_modify(|taken| taken.refused = Some(broken()));
        self.writer.lock().await.input = None;
    }

    /// Goes on over another connection.
    pub(super) async fn reconnected(&self, input: AttachmentInput) {
        let mut writer = self.writer.lock().await;
        writer.input = Some(input);
        writer.sent = 0;
        self.taken.send_modify(|taken| {
            taken.bytes = 0;
            taken.refused = None;
        });
    }

    /// Says goodbye, where the connection still stands.
    pub(super) async fn detach(&self) {
        if let Some(mut input) = self.writer.lock().await.input.take() {
            // Whether it hears of it or not, the connection ends.
            let _ = input.close().await;
        }
    }
}
