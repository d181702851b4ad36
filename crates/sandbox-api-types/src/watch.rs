//! Changes of files, as Server-Sent Events.

use sandbox_core::SandboxPath;
use serde::{Deserialize, Serialize};

use crate::ErrorBody;
use crate::sse::sse_events;
use crate::text::{self, is_false};

/// What to watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct WatchQuery {
    /// The directory.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", param(value_type = String))]
    pub path: SandboxPath,
    /// Whether directories below are watched too, those made later included.
    #[serde(default, skip_serializing_if = "is_false")]
    pub recursive: bool,
}

/// What a watch says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// The watch is in place: what happens from now on is told.
    Ready(WatchReady),
    /// A file changed.
    Change(FileEvent),
    /// The watch cannot go on, and ends.
    Error(ErrorBody),
}

sse_events!(WatchEvent {
    Ready = "ready",
    Change = "change",
    Error = "error",
});

/// A watch is in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WatchReady {
    /// The directory that is watched.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub path: SandboxPath,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// It appeared: made, or moved here.
    Create,
    /// Its content changed.
    Write,
    /// Its attributes changed.
    Chmod,
    /// It was moved away.
    Rename,
    /// It was removed.
    Remove,
    /// Events were lost because they came faster than they were read.
    Overflow,
}

impl From<sandbox_core::FileChange> for FileChange {
    fn from(change: sandbox_core::FileChange) -> Self {
        match change {
            sandbox_core::FileChange::Create => Self::Create,
            sandbox_core::FileChange::Write => Self::Write,
            sandbox_core::FileChange::Chmod => Self::Chmod,
            sandbox_core::FileChange::Rename => Self::Rename,
            sandbox_core::FileChange::Remove => Self::Remove,
            sandbox_core::FileChange::Overflow => Self::Overflow,
        }
    }
}

impl From<FileChange> for sandbox_core::FileChange {
    fn from(change: FileChange) -> Self {
        match change {
            FileChange::Create => Self::Create,
            FileChange::Write => Self::Write,
            FileChange::Chmod => Self::Chmod,
            FileChange::Rename => Self::Rename,
            FileChange::Remove => Self::Remove,
            FileChange::Overflow => Self::Overflow,
        }
    }
}

/// One change under a watched directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileEvent {
    /// What happened.
    pub change: FileChange,
    /// Where; for `overflow`, the watched directory.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub path: SandboxPath,
}

impl From<sandbox_core::FileEvent> for FileEvent {
    fn from(event: sandbox_core::FileEvent) -> Self {
        Self {
            change: event.change.into(),
            path: event.path,
        }
    }
}

impl From<FileEvent> for sandbox_core::FileEvent {
    fn from(event: FileEvent) -> Self {
        Self {
            change: event.change.into(),
            path: event.path,
        }
    }
}
