#![doc = include_str!("../README.md")]

mod capabilities;
mod command;
mod error;
mod ext;
mod file;
mod guard;
mod id;
mod path;
mod process;
mod resources;
mod runtime;
mod sandbox;
mod signal;
mod spec;
mod stats;
mod stream;
mod template;
mod time;
mod units;

pub mod egress;
pub mod lifecycle;

pub use capabilities::{Capabilities, EgressCapabilities, LimitCapabilities};
pub use command::{
    Command, MAX_ARGUMENT_BYTES, MAX_COMMAND_BYTES, MAX_COMMAND_TIMEOUT, Program, PtySize, Stdin,
};
pub use error::{Error, ErrorKind, Result};
pub use ext::{ExecOutput, MAX_EXEC_OUTPUT, MAX_READ_TO_BYTES, ProcessExt, SandboxExt};
pub use file::{
    FileChange, FileContent, FileEvent, FileInfo, FileKind, Link, LinkTarget, ListOptions,
    MakeDirOptions, ReadOptions, WatchOptions, WriteOptions, check_mode,
};
pub use guard::Guarded;
pub use id::{RuntimeName, SandboxId, SnapshotId, TemplateName, User};
pub use path::{MAX_NAME_BYTES, MAX_PATH_BYTES, SandboxPath};
pub use process::{
    Exit, ExitStatus, KillCause, OutputStream, Pid, Process, ProcessEvent, ProcessInfo,
};
pub use resources::Resources;
pub use runtime::{Health, Progress, Recovered, RecoveredState, Runtime, RuntimeEvent};
pub use sandbox::Sandbox;
pub use signal::Signal;
pub use spec::{
    MAX_ENV_BYTES, MAX_IMAGE_BYTES, MAX_METADATA_BYTES, MAX_METADATA_ENTRIES, SandboxSpec,
    SandboxSpecBuilder, Source,
};
pub use stats::Stats;
pub use stream::{BoxConnection, BoxStream, ByteStream, Connection, byte_stream};
pub use template::Template;
pub use time::Timestamp;
pub use units::{parse_duration, parse_size};
