//! Finding again what is there.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use sandbox_api_types::{ListSandboxes, Sandbox, SandboxStatus};
use sandbox_core::{Error, ErrorKind, Recovered, RecoveredState, Result};

use super::note;
use super::runtime::RemoteRuntime;

/// How many sandboxes one answer lists.
const PAGE: usize = 200;
/// How many sandboxes are asked about at once.
const AT_ONCE: usize = 8;
const OPERATION: &str = "remote.recover";

impl RemoteRuntime {
    /// The sandboxes of the server's runtime that remote runtimes made.
    pub(super) async fn find(&self) -> Result<Vec<Recovered>> {
        let listed = self.list().await?;
        if listed.iter().any(|sandbox| !sandbox.available) {
            let message = "the server's runtime does not answer";
            return Err(Error::new(ErrorKind::Unavailable, OPERATION, message));
        }
        let found = stream::iter(listed).map(|sandbox| self.recovered(sandbox));
        let found: Vec<_> = found.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn list(&self) -> Result<Vec<Sandbox>> {
        let mut filter = ListSandboxes {
            limit: Some(PAGE),
            ..ListSandboxes::default()
        };
        let mut all = Vec::new();
        loop {
            let page = self.client.list_sandboxes(&filter).await?;
            let ours = page.sandboxes.into_iter();
            all.extend(ours.filter(|one| one.runtime == self.name && note::is_ours(one)));
            if page.next_cursor.is_none() {
                return Ok(all);
            }
            if page.next_cursor == filter.cursor {
                let message = "the server's list does not end";
                return Err(Error::new(ErrorKind::Internal, OPERATION, message));
            }
            filter.cursor = page.next_cursor;
        }
    }

    /// The sandbox that was listed; `None` when it has gone meanwhile.
    async fn recovered(&self, sandbox: Sandbox) -> Result<Option<Recovered>> {
        let state = match sandbox.status {
            SandboxStatus::Running => RecoveredState::Running,
            SandboxStatus::Suspended => RecoveredState::Paused,
            SandboxStatus::Creating | SandboxStatus::Failed => RecoveredState::Broken,
            SandboxStatus::Destroyed => return Ok(None),
        };
        let calls = self.client.sandbox(sandbox.id.clone());
        let env = match calls.environment().await {
            Ok(environment) => environment.env,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let id = sandbox.id.clone();
        let spec = note::spec(sandbox, env)?;
        Ok(Some(Recovered {
            id,
            state,
            sandbox: Arc::new(self.sandbox(spec)),
        }))
    }
}
