//! What goes over the WebSocket of a process.
//!
//! Client to server: binary messages are bytes for standard input, text messages are
//! [`ClientMessage`]s. Server to client: binary messages are [`OutputFrame`]s, text messages are
//! [`ServerMessage`]s.

use bytes::{BufMut, Bytes, BytesMut};
use sandbox_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::{ErrorDetail, Gap, OutputExit, Process, SignalName, StartProcess};

/// Which stream a chunk of output came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The terminal: both, as the terminal shows them.
    Pty,
}

impl OutputStream {
    const fn number(self) -> u8 {
        match self {
            Self::Stdout => 1,
            Self::Stderr => 2,
            Self::Pty => 3,
        }
    }
}

impl From<sandbox_core::OutputStream> for OutputStream {
    fn from(stream: sandbox_core::OutputStream) -> Self {
        match stream {
            sandbox_core::OutputStream::Stdout => Self::Stdout,
            sandbox_core::OutputStream::Stderr => Self::Stderr,
            sandbox_core::OutputStream::Pty => Self::Pty,
        }
    }
}

impl From<OutputStream> for sandbox_core::OutputStream {
    fn from(stream: OutputStream) -> Self {
        match stream {
            OutputStream::Stdout => Self::Stdout,
            OutputStream::Stderr => Self::Stderr,
            OutputStream::Pty => Self::Pty,
        }
    }
}

/// A text message of the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ClientMessage {
    /// Starts a process: the first message on `exec/attach`, and on nothing else.
    Start(StartProcess),
    /// Closes standard input once the bytes before have been taken.
    CloseStdin,
    /// Sends a signal to the process's group.
    Signal {
        /// Which.
        signal: SignalName,
    },
    /// Changes the size of the process's terminal.
    Resize {
        /// Columns, at least 1.
        cols: u16,
        /// Rows, at least 1.
        rows: u16,
    },
    /// For a connection to a port: nothing more will be sent.
    CloseWrite,
}

/// A text message of the server. One of a type that is not known is to be passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The process: the first message.
    Started {
        /// The process.
        process: Process,
    },
    /// Output that is no longer kept.
    Gap(Gap),
    /// The process ended; output of children it left behind may follow.
    Exited(OutputExit),
    /// Bytes of standard input were taken: how many of this connection's in all. A client that
    /// never has more than it likes on the way can tell when to send on.
    StdinTaken {
        /// Bytes taken so far, of those that this connection sent.
        bytes: u64,
    },
    /// Something failed.
    Error {
        /// What.
        error: ErrorDetail,
        /// Whether the connection ends with this. Otherwise one message of the client could not be
        /// carried out, and nothing else changes.
        fatal: bool,
    },
    /// For a connection to a port: nothing more will come from the sandbox.
    CloseWrite,
}

/// A binary message of the server: one byte for the stream (1 standard output, 2 standard error,
/// 3 terminal), eight for the number in network order, then the bytes that the process wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputFrame {
    /// Where it came from.
    pub stream: OutputStream,
    /// Its number: grows by one with every chunk of the process.
    pub seq: u64,
    /// The bytes, never empty.
    pub data: Bytes,
}

impl OutputFrame {
    /// How many bytes precede the data.
    pub const HEADER_BYTES: usize = 9;

    /// The frame as a binary message.
    pub fn encode(&self) -> Bytes {
        let mut message = BytesMut::with_capacity(Self::HEADER_BYTES + self.data.len());
        message.put_u8(self.stream.number());
        message.put_u64(self.seq);
        message.put_slice(&self.data);
        message.freeze()
    }

    /// Reads a binary message. The data is not copied.
    ///
    /// # Errors
    /// `Internal` when it is too short or its stream is not known.
    pub fn decode(mut message: Bytes) -> Result<Self> {
        let broken = |problem: String| Error::new(ErrorKind::Internal, "output.decode", problem);
        if message.len() <= Self::HEADER_BYTES {
            let length = message.len();
            return Err(broken(format!("a frame of {length} bytes has no output")));
        }
        let data = message.split_off(Self::HEADER_BYTES);
        let stream = match message[0] {
            1 => OutputStream::Stdout,
            2 => OutputStream::Stderr,
            3 => OutputStream::Pty,
            other => return Err(broken(format!("a frame is of stream {other}"))),
        };
        let mut seq = [0; 8];
        seq.copy_from_slice(&message[1..]);
        Ok(Self {
            stream,
            seq: u64::from_be_bytes(seq),
            data,
        })
    }
}
