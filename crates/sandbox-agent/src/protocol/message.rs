//! What packets carry, as JSON.

use sandbox_core::{
    Command, Error, ErrorKind, ExitStatus, FileInfo, ListOptions, MakeDirOptions, OutputStream,
    Pid, PtySize, ReadOptions, SandboxPath, Signal, Stats, WatchOptions, WriteOptions,
};
use serde::{Deserialize, Serialize};

/// How far a channel has come on the side that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelState {
    /// The channel.
    pub channel: u32,
    /// Bytes of the other side's stream that have arrived.
    pub received: u64,
    /// Bytes of the other side's stream that were taken in.
    pub consumed: u64,
}

/// A client takes the lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`](super::VERSION).
    pub version: u32,
    /// Whose lease it is: the same one comes back after its link broke.
    pub client: u64,
    /// The channels it goes on with; the agent closes all others.
    pub channels: Vec<ChannelState>,
}

/// The lease is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`VERSION`](super::VERSION).
    pub version: u32,
    /// Another number each time the agent starts.
    pub instance: u64,
    /// The agent's own process id.
    pub pid: Pid,
    /// The channels of [`Hello::channels`] that the agent still has.
    pub channels: Vec<ChannelState>,
}

/// What a client asks for. The names and types are those of `sandbox_core::Sandbox`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Nothing but an answer.
    Ping,
    /// Starts a process; the channel carries its output, its end and its input.
    Spawn(Command),
    /// Takes up a process that an earlier client started.
    Attach {
        /// Its id.
        pid: Pid,
    },
    /// The channel carries one `ProcessInfo` a line.
    Processes,
    /// Signals one process.
    Signal {
        /// Its id.
        pid: Pid,
        /// The signal.
        signal: Signal,
    },
    /// Signals the process group of a spawned process.
    SignalGroup {
        /// The channel of the process.
        process: u32,
        /// The signal.
        signal: Signal,
    },
    /// Changes the size of a spawned process's terminal.
    Resize {
        /// The channel of the process.
        process: u32,
        /// The size.
        size: PtySize,
    },
    /// The reply has the attributes, the channel the content.
    Read {
        /// The file.
        path: SandboxPath,
        /// Which part.
        options: ReadOptions,
    },
    /// The channel takes the content; the reply follows its end.
    Write {
        /// The file.
        path: SandboxPath,
        /// How.
        options: WriteOptions,
    },
    /// Attributes of a file.
    Stat {
        /// The file.
        path: SandboxPath,
    },
    /// The channel carries one `FileInfo` a line, in no order.
    List {
        /// The directory.
        path: SandboxPath,
        /// How deep and how many.
        options: ListOptions,
    },
    /// Makes a directory.
    MakeDir {
        /// The directory.
        path: SandboxPath,
        /// How.
        options: MakeDirOptions,
    },
    /// Moves a file.
    Rename {
        /// The file.
        from: SandboxPath,
        /// Its new path.
        to: SandboxPath,
    },
    /// Removes a file.
    Remove {
        /// The file.
        path: SandboxPath,
        /// Whether with everything below.
        recursive: bool,
    },
    /// The channel carries one `FileEvent` a line until it is cancelled.
    Watch {
        /// The directory.
        path: SandboxPath,
        /// How deep.
        options: WatchOptions,
    },
    /// Connects to a TCP port inside; the channel carries the bytes both ways.
    Connect {
        /// The port.
        port: u16,
    },
    /// What the sandbox uses.
    Stats,
}

/// The answer to a request, where it is not an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Done.
    Done,
    /// A process was started, with this id.
    Spawned {
        /// Its id.
        pid: Pid,
    },
    /// A process was taken up.
    Attached(Attached),
    /// Attributes of a file.
    File(Box<FileInfo>),
    /// Whether a directory was made (or was there).
    Made(bool),
    /// What the sandbox uses.
    Stats(Stats),
}

/// A process that was taken up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Where its output begins in the channel's stream.
    pub offset: u64,
    /// Bytes of input that were sent to it before.
    pub input: u64,
    /// How many of them it took in. The others wait for it, and count against the window.
    pub input_taken: u64,
    /// Whether it still takes input.
    pub input_open: bool,
    /// Whether it runs on a terminal.
    pub pty: bool,
    /// How it ended, if it has.
    pub exit: Option<ExitStatus>,
}

/// Something a client hears of a channel outside the channel's stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// The process ended; its output up to there is still to come.
    Ended(ExitStatus),
}

/// What the bytes of a [`Kind::Data`](super::Kind::Data) packet are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// Content.
    Bytes,
    /// Output of a process.
    Output(OutputStream),
    /// The end of a process: an `ExitStatus` as JSON, whole in one packet.
    Exit,
    /// The end of the stream: `null`, or a [`WireError`], as JSON, whole in one packet.
    End,
}

impl Tag {
    /// The byte it is on the wire.
    pub fn byte(self) -> u8 {
        match self {
            Self::Bytes => 0,
            Self::Output(OutputStream::Stdout) => 1,
            Self::Output(OutputStream::Stderr) => 2,
            Self::Output(OutputStream::Pty) => 3,
            Self::Exit => 4,
            Self::End => 5,
        }
    }

    /// The tag that `byte` stands for.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Bytes,
            1 => Self::Output(OutputStream::Stdout),
            2 => Self::Output(OutputStream::Stderr),
            3 => Self::Output(OutputStream::Pty),
            4 => Self::Exit,
            5 => Self::End,
            _ => return None,
        })
    }

    /// Whether its bytes may be split and joined with neighbours of the same tag.
    pub fn is_content(self) -> bool {
        matches!(self, Self::Bytes | Self::Output(_))
    }
}

/// An error as it crosses the wire: everything but the operation, which the client knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// What to branch on.
    pub kind: ErrorKind,
    /// What to say to a person.
    pub message: String,
    /// The field that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl WireError {
    /// An error without a field.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            field: None,
        }
    }

    /// An error that a field caused.
    pub fn of(kind: ErrorKind, field: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            field: Some(field.to_owned()),
        }
    }

    /// The error that `operation` failed with.
    pub fn into_error(self, operation: &'static str) -> Error {
        let error = Error::new(self.kind, operation, self.message);
        match self.field {
            Some(field) => error.with_field(field),
            None => error,
        }
    }
}

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        Self {
            kind: error.kind(),
            message: error.message().to_owned(),
            field: error.field().map(str::to_owned),
        }
    }
}
