//! Snapshots.

use sandbox_core::{RuntimeName, SandboxId, SnapshotId};
use serde::{Deserialize, Serialize};

use crate::{Time, text};

/// The caller's snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SnapshotList {
    /// The snapshots, newest first.
    pub snapshots: Vec<Snapshot>,
}

/// A file system that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Snapshot {
    /// Its id, to be given as `snapshot` when a sandbox is created.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SnapshotId,
    /// The sandbox it was taken of, which may be gone.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sandbox_id: SandboxId,
    /// The runtime that has it; no other can make sandboxes from it.
    #[serde(with = "text")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub runtime: RuntimeName,
    /// When it was taken.
    pub created_at: Time,
}
