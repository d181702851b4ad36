//! Snapshots.

use std::time::Duration;

use sandbox_api_types::{Snapshot, SnapshotList};
use sandbox_core::{Result, SnapshotId};

use super::SandboxCalls;
use crate::call::Call;
use crate::client::Client;
use crate::route::Route;

impl SandboxCalls {
    /// Keeps the file system as it is now. It outlives the sandbox.
    ///
    /// # Errors
    /// As [`Sandbox::snapshot`](sandbox_core::Sandbox::snapshot); `LimitExceeded` with field
    /// `snapshots`.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let call = Call::post("client.snapshot", self.route(["snapshots"]));
        self.client.fetch(call.works(Duration::ZERO)).await
    }
}

impl Client {
    /// The caller's snapshots, newest first.
    ///
    /// # Errors
    /// What a call may fail with.
    pub async fn list_snapshots(&self) -> Result<Vec<Snapshot>> {
        let call = Call::get("client.snapshots", Route::v1(["snapshots"]));
        let list: SnapshotList = self.fetch(call).await?;
        Ok(list.snapshots)
    }

    /// A snapshot.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get_snapshot(&self, id: &SnapshotId) -> Result<Snapshot> {
        let route = Route::v1(["snapshots", id.as_str()]);
        self.fetch(Call::get("client.snapshot", route)).await
    }

    /// Removes a snapshot.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn remove_snapshot(&self, id: &SnapshotId) -> Result<()> {
        let route = Route::v1(["snapshots", id.as_str()]);
        let call = Call::delete("client.remove_snapshot", route);
        self.run(call.works(Duration::ZERO)).await
    }
}
