//! Talking to a process until it ends.

use std::sync::Arc;

use futures_util::StreamExt;
use sandbox_core::{
    BoxStream, Error, ErrorKind, ExitStatus, OutputStream, Process, ProcessEvent, Result, Signal,
};
use tokio::io::{AsyncWrite, AsyncWriteExt, Stderr, Stdout};

use super::signals::{Interrupt, Interrupts};
use super::{RawMode, size, stdin};
use crate::output::output_gone;

/// What a process is given to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// Nothing.
    None,
    /// Standard input.
    Piped,
    /// The keys of this terminal, as they are pressed.
    Keys,
}

/// A process, and what it writes on its way here.
#[derive(Debug)]
pub(crate) struct Conversation {
    process: Arc<dyn Process>,
    input: Input,
}

impl Conversation {
    /// A conversation with `process`, which nobody reads yet.
    pub(crate) fn new(process: Arc<dyn Process>, input: Input) -> Self {
        Self { process, input }
    }

    /// Passes everything on, both ways, until the process ends. A signal that wants this program
    /// to end goes to the process; a second one kills it.
    ///
    /// # Errors
    /// What reading the process fails with; standard output that is gone.
    pub(crate) async fn run(self, interrupts: &mut Interrupts) -> Result<ExitStatus> {
        let events = self.process.events().ok_or_else(|| {
            let message = "somebody else reads the process";
            Error::new(ErrorKind::Conflict, "cli.exec", message)
        })?;
        // Restored whichever way this function is left.
        let _raw = match self.input {
            Input::Keys => Some(RawMode::enter()?),
            Input::None | Input::Piped => None,
        };
        let feed = async {
            match self.input {
                Input::None => Ok(()),
                Input::Piped => stdin::feed(Arc::clone(&self.process), false).await,
                Input::Keys => stdin::feed(Arc::clone(&self.process), true).await,
            }
        };
        let print = print(events);
        tokio::pin!(feed, print);
        let mut fed = false;
        let mut asked = false;
        loop {
            tokio::select! {
                printed = &mut print => return match printed? {
                    Some(status) => Ok(status),
                    None => self.process.wait().await,
                },
                result = &mut feed, if !fed => {
                    fed = true;
                    result?;
                }
                interrupt = interrupts.next() => match interrupt {
                    Interrupt::Resized => self.resize().await,
                    Interrupt::End(signal) => {
                        let signal = match (asked, self.input) {
                            (true, _) => Signal::KILL,
                            // Shells that somebody types into ignore every other polite request.
                            (false, Input::Keys) => Signal::HUP,
                            (false, Input::None | Input::Piped) => signal,
                        };
                        asked = true;
                        self.end(signal).await?;
                    }
                },
            }
        }
    }

    async fn resize(&self) {
        if self.input == Input::Keys {
            // It ended meanwhile, or shows on in the size it had.
            let _ = self.process.resize(size()).await;
        }
    }

    async fn end(&self, signal: Signal) -> Result<()> {
        match self.process.signal(signal).await {
            // It ended by itself; its exit is on its way.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// Writes what comes to standard output and standard error, until the process ends.
async fn print(mut events: BoxStream<Result<ProcessEvent>>) -> Result<Option<ExitStatus>> {
    let mut streams = Streams {
        out: tokio::io::stdout(),
        err: tokio::io::stderr(),
    };
    while let Some(event) = events.next().await {
        match event? {
            ProcessEvent::Output(stream, data) => streams.write(stream, &data).await?,
            ProcessEvent::Exited(status) => return Ok(Some(status)),
        }
    }
    Ok(None)
}

/// This program's own streams.
struct Streams {
    out: Stdout,
    err: Stderr,
}

impl Streams {
    async fn write(&mut self, stream: OutputStream, data: &[u8]) -> Result<()> {
        match stream {
            OutputStream::Stdout | OutputStream::Pty => write(&mut self.out, data).await,
            OutputStream::Stderr => write(&mut self.err, data).await,
        }
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), data: &[u8]) -> Result<()> {
    let written = async {
        stream.write_all(data).await?;
        stream.flush().await
    };
    written.await.map_err(output_gone)
}
