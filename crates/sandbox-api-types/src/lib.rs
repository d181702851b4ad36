#![doc = include_str!("../README.md")]

mod diagnostics;
mod duration;
mod egress;
mod error;
mod event;
mod exec;
mod file;
mod file_headers;
mod key;
mod organization;
mod output;
mod prepare;
mod process;
mod runtime;
mod sandbox;
mod signal;
mod snapshot;
mod socket;
mod sse;
mod stats;
mod template;
mod text;
mod time;
mod watch;

pub use diagnostics::Diagnostics;
pub use duration::DurationText;
pub use egress::{
    DestinationBody, DestinationProtocol, EgressMode, EgressPolicy, ExplainRequest, Explanation,
};
pub use error::{ErrorBody, ErrorDetail, codes};
pub use event::{Event, EventKind, EventQuery, EventStreamItem, SandboxEventQuery};
pub use exec::{
    CommandLine, DEFAULT_EXEC_TIMEOUT, ExecRequest, ExecResult, ExitStatus, MAX_EXEC_TIMEOUT,
};
pub use file::{
    DeleteQuery, DirectoryCreated, FileInfo, FileKind, FileLink, FileList, FileMode, FileQuery,
    LinkTarget, MakeDirectory, Rename, SEAL_GIVEN_UP, SEAL_WHOLE, WriteQuery,
};
pub use file_headers::FILE_SIZE;
pub use key::{ApiKey, ApiKeyList, CreateApiKey, CreatedApiKey, Scope};
pub use organization::{Organization, OrganizationUsage, Quotas, Usage, UsageQuery};
pub use output::{
    AttachQuery, Gap, OutputChunk, OutputEvent, OutputExit, OutputQuery, OutputStart,
};
pub use prepare::{Prepare, PrepareDone, PrepareEvent, Progress};
pub use process::{
    Process, ProcessList, ProcessRef, ProcessStatus, PtySize, Resize, SendSignal, StartProcess,
    StdinQuery, SystemProcess, SystemProcessList, WaitQuery,
};
pub use runtime::{
    Capabilities, EgressCapabilities, Health, LimitCapabilities, Runtime, RuntimeList,
};
pub use sandbox::{
    CreateSandbox, Environment, ListSandboxes, OnTimeout, Resources, ResourcesRequest, Sandbox,
    SandboxFailure, SandboxList, SandboxMode, SandboxStatus, SandboxView, TimeoutRequest,
};
pub use signal::SignalName;
pub use snapshot::{Snapshot, SnapshotList};
pub use socket::{ClientMessage, OutputFrame, OutputStream, ServerMessage};
pub use sse::SseEvent;
pub use stats::Stats;
pub use template::{Template, TemplateList};
pub use time::Time;
pub use watch::{FileChange, FileEvent, WatchEvent, WatchQuery, WatchReady};
