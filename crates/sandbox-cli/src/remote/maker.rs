//! Making sandboxes on a server.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, future};
use sandbox_api_types::{Prepare, PrepareEvent};
use sandbox_client::Client;
use sandbox_core::{BoxStream, Command, ErrorKind, Process, Progress, Result, SandboxId};

use super::AttachedProcess;
use super::request::{for_one_command, make};
use crate::args::MakeArgs;
use crate::maker::Maker;

/// Makes sandboxes on a server.
#[derive(Debug)]
pub(crate) struct RemoteMaker(Client);

impl RemoteMaker {
    /// Makes them through `client`.
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Maker for RemoteMaker {
    async fn prepare(&self, args: &MakeArgs) -> Result<BoxStream<Result<Progress>>> {
        let wanted = make(args)?;
        let request = Prepare {
            template: wanted.template,
            image: wanted.image,
            snapshot: wanted.snapshot,
            runtime: wanted.runtime,
        };
        let events = self.0.prepare(&request).await?;
        let steps = events.filter_map(|event| {
            future::ready(match event {
                Ok(PrepareEvent::Progress(progress)) => Some(Ok(progress.into())),
                Ok(PrepareEvent::Done(_)) => None,
                Ok(PrepareEvent::Error(body)) => Some(Err(body.error.into_error("client.prepare"))),
                Err(error) => Some(Err(error)),
            })
        });
        Ok(steps.boxed())
    }

    async fn create(&self, id: &SandboxId, args: &MakeArgs) -> Result<()> {
        let request = for_one_command(args, id)?;
        self.0.create_sandbox(&request).await.map(|_| ())
    }

    async fn spawn(&self, id: &SandboxId, command: Command) -> Result<Arc<dyn Process>> {
        let calls = self.0.sandbox(id.clone());
        Ok(Arc::new(AttachedProcess::start(calls, command).await?))
    }

    async fn remove(&self, id: &SandboxId) -> Result<()> {
        match self.0.sandbox(id.clone()).destroy().await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    async fn close(&mut self) {}
}
