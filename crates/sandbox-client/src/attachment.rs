//! A process over a WebSocket: its output, its input, its end.

use bytes::Bytes;
use sandbox_api_types::{
    AttachQuery, ClientMessage, OutputFrame, Process, ServerMessage, SignalName, StartProcess,
};
use sandbox_core::{Error, ExitStatus, OutputStream, PtySize, Result, Signal};

use crate::client::Client;
use crate::error::{nonsense, shortened};
use crate::route::Route;
use crate::socket::{Receiver, Said, Sender};

/// The largest piece of input that is sent at once.
const MAX_PIECE: usize = 64 << 10;

/// The messages that this client knows.
const KNOWN: &[&str] = &["started", "gap", "exited", "stdin_taken", "error"];

/// A process that this client is attached to. Dropping it detaches, and kills nothing.
#[derive(Debug)]
pub struct Attachment {
    process: Process,
    output: AttachmentOutput,
    input: AttachmentInput,
}

/// What comes from an attached process.
#[derive(Debug)]
pub struct AttachmentOutput {
    receiver: Receiver,
    operation: &'static str,
}

/// What goes to an attached process.
#[derive(Debug)]
pub struct AttachmentInput(Sender);

/// What an attached process says.
#[derive(Debug)]
#[non_exhaustive]
pub enum AttachmentEvent {
    /// It wrote.
    Output {
        /// The number of the piece: attach again from the next one to go on.
        seq: u64,
        /// Where it came from.
        stream: OutputStream,
        /// The bytes, never empty.
        data: Bytes,
    },
    /// Output that is no longer kept.
    Gap {
        /// The first number that is missing.
        from: u64,
        /// The last number that is missing.
        to: u64,
    },
    /// It ended. What follows was written by children it left behind.
    Exited {
        /// Its number among the pieces.
        seq: u64,
        /// How it ended.
        status: ExitStatus,
    },
    /// Of the bytes sent over this attachment, so many were taken in all.
    StdinTaken {
        /// Bytes taken so far.
        bytes: u64,
    },
    /// One message could not be carried out: the input is closed, or the process has ended.
    Refused(Error),
}

impl Client {
    pub(crate) async fn start_attached(
        &self,
        route: Route,
        request: StartProcess,
        query: AttachQuery,
    ) -> Result<Attachment> {
        let operation = "client.start";
        let (mut sender, receiver) = self.socket(operation, route.query(&query)?).await?;
        sender.json(&ClientMessage::Start(request)).await?;
        Attachment::begin(operation, sender, receiver).await
    }

    pub(crate) async fn attach_to(&self, route: Route, query: AttachQuery) -> Result<Attachment> {
        let operation = "client.attach";
        let (sender, receiver) = self.socket(operation, route.query(&query)?).await?;
        Attachment::begin(operation, sender, receiver).await
    }
}

impl Attachment {
    async fn begin(operation: &'static str, sender: Sender, receiver: Receiver) -> Result<Self> {
        let mut output = AttachmentOutput {
            receiver,
            operation,
        };
        let process = output.started().await?;
        Ok(Self {
            process,
            output,
            input: AttachmentInput(sender),
        })
    }

    /// The process as it was when the attachment began.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// What the process says next; see [`AttachmentOutput::next`].
    ///
    /// # Errors
    /// As there.
    pub async fn next(&mut self) -> Result<Option<AttachmentEvent>> {
        self.output.next().await
    }

    /// The way to the process.
    pub fn input(&mut self) -> &mut AttachmentInput {
        &mut self.input
    }

    /// The two ways, to be used at the same time.
    pub fn split(self) -> (AttachmentInput, AttachmentOutput) {
        (self.input, self.output)
    }
}

impl AttachmentOutput {
    async fn started(&mut self) -> Result<Process> {
        let operation = self.operation;
        loop {
            let text = match self.receiver.next().await? {
                Said::Text(text) => text,
                Said::Binary(_) | Said::Closed => break,
            };
            match self.receiver.parse::<ServerMessage>(&text, KNOWN)? {
                Some(ServerMessage::Started { process }) => return Ok(process),
                Some(ServerMessage::Error { error, .. }) => {
                    return Err(shortened(error).into_error(operation));
                }
                Some(_) => break,
                None => {}
            }
        }
        Err(nonsense(
            operation,
            "the server did not say which process it is",
        ))
    }

    /// What the process says next; waits for it. `None` once nobody holds its output open any
    /// more. Dropping the future loses nothing.
    ///
    /// # Errors
    /// `Unavailable` when the connection breaks off: attach again from the number after the last
    /// one; what the server ends it with; `Internal` for what makes no sense.
    pub async fn next(&mut self) -> Result<Option<AttachmentEvent>> {
        loop {
            match self.receiver.next().await? {
                Said::Closed => return Ok(None),
                Said::Binary(message) => {
                    let frame = OutputFrame::decode(message)?;
                    return Ok(Some(AttachmentEvent::Output {
                        seq: frame.seq,
                        stream: frame.stream.into(),
                        data: frame.data,
                    }));
                }
                Said::Text(text) => {
                    let message = self.receiver.parse::<ServerMessage>(&text, KNOWN)?;
                    if let Some(event) = self.event(message)? {
                        return Ok(Some(event));
                    }
                }
            }
        }
    }

    fn event(&self, message: Option<ServerMessage>) -> Result<Option<AttachmentEvent>> {
        Ok(match message {
            None | Some(ServerMessage::Started { .. } | ServerMessage::CloseWrite) => None,
            Some(ServerMessage::Gap(gap)) => Some(AttachmentEvent::Gap {
                from: gap.from,
                to: gap.to,
            }),
            Some(ServerMessage::Exited(exit)) => Some(AttachmentEvent::Exited {
                seq: exit.seq,
                status: exit.status.try_into()?,
            }),
            Some(ServerMessage::StdinTaken { bytes }) => {
                Some(AttachmentEvent::StdinTaken { bytes })
            }
            Some(ServerMessage::Error { error, fatal }) => {
                let error = shortened(error).into_error(self.operation);
                match fatal {
                    true => return Err(error),
                    false => Some(AttachmentEvent::Refused(error)),
                }
            }
        })
    }
}

impl AttachmentInput {
    /// Sends bytes to standard input; waits while the connection is full. Whether they were taken
    /// is told by [`AttachmentEvent::StdinTaken`], or by [`AttachmentEvent::Refused`].
    ///
    /// # Errors
    /// `Unavailable` when the connection is broken.
    pub async fn write(&mut self, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(MAX_PIECE));
            self.0.feed(piece).await?;
            self.0.flush().await?;
        }
        Ok(())
    }

    /// As [`write`](Self::write), for one piece. When it returns, or its future is dropped after
    /// this said so, the piece is on its way.
    pub(crate) async fn feed(&mut self, piece: Bytes) -> Result<()> {
        self.0.feed(piece).await
    }

    pub(crate) async fn flush(&mut self) -> Result<()> {
        self.0.flush().await
    }

    /// Closes standard input once the bytes before have been taken.
    ///
    /// # Errors
    /// `Unavailable` when the connection is broken.
    pub async fn close_stdin(&mut self) -> Result<()> {
        self.0.json(&ClientMessage::CloseStdin).await
    }

    /// Sends a signal to the process's group.
    ///
    /// # Errors
    /// `Unavailable` when the connection is broken.
    pub async fn signal(&mut self, signal: Signal) -> Result<()> {
        let signal = SignalName(signal);
        self.0.json(&ClientMessage::Signal { signal }).await
    }

    /// Changes the size of the process's terminal.
    ///
    /// # Errors
    /// `Unavailable` when the connection is broken.
    pub async fn resize(&mut self, size: PtySize) -> Result<()> {
        let PtySize { cols, rows } = size;
        self.0.json(&ClientMessage::Resize { cols, rows }).await
    }

    /// Detaches, and says so.
    ///
    /// # Errors
    /// `Unavailable` when the connection is broken.
    pub async fn close(&mut self) -> Result<()> {
        self.0.close().await
    }
}
