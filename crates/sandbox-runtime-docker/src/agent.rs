//! The agent's side of a sandbox: its client over an attachment to the container.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::query_parameters::{AttachContainerOptionsBuilder, InspectContainerOptions};
use bytes::Bytes;
use futures_util::{StreamExt, future};
use sandbox_agent::{AgentClient, Connector, Defaults, Link};
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Command, Error, ErrorKind, FileContent, FileEvent,
    FileInfo, ListOptions, MakeDirOptions, Pid, Process, ProcessInfo, ReadOptions, Result,
    SandboxPath, Signal, User, WatchOptions, WriteOptions,
};
use tokio::sync::Mutex;
use tokio_util::io::StreamReader;

use crate::channel::Channel;
use crate::context::Context;
use crate::ending::Ending;
use crate::error::{docker, has_status};

/// Opens attachments to a container whose first process is the agent.
#[derive(Debug)]
struct Attachment {
    client: Docker,
    container: String,
}

#[async_trait]
impl Connector for Attachment {
    async fn open(&self) -> Result<Link> {
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        // The daemon attaches to a container that has ended, and then says nothing.
        let (running, attached) = tokio::join!(
            self.is_running(),
            self.client.attach_container(&self.container, Some(options)),
        );
        if !running? {
            return Err(ended());
        }
        let AttachContainerResults { output, input } = attached.map_err(|error| {
            let gone = has_status(&error, 404);
            let error = docker("docker.attach")(error);
            if gone {
                ended().with_source(error)
            } else {
                error
            }
        })?;
        let said = output.filter_map(|chunk| future::ready(standard_output(chunk)));
        Ok(Link {
            reader: Box::new(StreamReader::new(Box::pin(said))),
            writer: Box::new(input),
        })
    }
}

impl Attachment {
    async fn is_running(&self) -> Result<bool> {
        let inspected = self
            .client
            .inspect_container(&self.container, None::<InspectContainerOptions>)
            .await;
        match inspected {
            Ok(found) => Ok(found.state.and_then(|state| state.running) == Some(true)),
            Err(error) if has_status(&error, 404) => Ok(false),
            Err(error) => Err(docker("docker.attach")(error)),
        }
    }
}

fn ended() -> Error {
    Error::new(
        ErrorKind::NotFound,
        "docker.attach",
        "the sandbox has ended",
    )
}

/// The agent speaks on standard output; what it says elsewhere is for whoever debugs it.
fn standard_output(chunk: Result<LogOutput, bollard::errors::Error>) -> Option<io::Result<Bytes>> {
    match chunk {
        Ok(LogOutput::StdOut { message }) => Some(Ok(message)),
        Ok(other) => {
            tracing::debug!(said = %String::from_utf8_lossy(&other.into_bytes()), "agent");
            None
        }
        Err(error) => Some(Err(io::Error::other(error))),
    }
}

/// A sandbox reached through its agent.
#[derive(Debug)]
pub(crate) struct AgentChannel {
    attachment: Arc<Attachment>,
    context: Context,
    /// Opened when it is first needed, and again when it has been closed.
    client: Mutex<Option<AgentClient>>,
}

impl AgentChannel {
    pub(crate) fn new(client: Docker, container: String, context: Context) -> Self {
        Self {
            attachment: Arc::new(Attachment { client, container }),
            context,
            client: Mutex::new(None),
        }
    }

    async fn client(&self) -> Result<AgentClient> {
        let mut slot = self.client.lock().await;
        if let Some(client) = slot.as_ref().filter(|client| client.is_alive()) {
            return Ok(client.clone());
        }
        let connector: Arc<dyn Connector> = self.attachment.clone();
        let client = AgentClient::connect(connector)
            .await?
            .with_defaults(Defaults {
                user: Some(User::new(self.context.user())?),
                cwd: Some(self.context.default_workdir().clone()),
                env: self.context.default_env().clone(),
            });
        *slot = Some(client.clone());
        Ok(client)
    }
}

/// Whether something stands at `path`, links followed.
async fn exists(client: &AgentClient, path: &SandboxPath) -> Result<bool> {
    match client.stat(path).await {
        Ok(info) => Ok(info.link.is_none_or(|link| link.target.is_some())),
        // What else is wrong with the path, the write itself says.
        Err(error) if error.field() == Some("path") => Ok(false),
        Err(error) => Err(error),
    }
}

#[async_trait]
impl Channel for AgentChannel {
    async fn ready(&self) -> Result<()> {
        self.client().await.map(|_| ())
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        let process = self.client().await?.spawn(command).await?;
        Ok(Arc::new(Ending(process)))
    }

    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>> {
        let process = self.client().await?.attach(pid).await?;
        Ok(Arc::new(Ending(process)))
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        self.client().await?.processes().await
    }

    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()> {
        self.client().await?.signal(pid, signal).await
    }

    async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent> {
        self.client().await?.read(path, options).await
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        let client = self.client().await?;
        let keeps_owner = options.user.is_none() && exists(&client, path).await?;
        let client = if keeps_owner {
            // The client's defaults are for new files.
            client.with_defaults(Defaults::default())
        } else {
            client
        };
        client.write(path, body, options).await
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        self.client().await?.stat(path).await
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        self.client().await?.list(path, options).await
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        self.client().await?.make_dir(path, options).await
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        self.client().await?.rename(from, to).await
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        self.client().await?.remove(path, recursive).await
    }

    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        self.client().await?.watch(path, options).await
    }

    async fn connect(&self, port: u16) -> Result<BoxConnection> {
        self.client().await?.connect_port(port).await
    }
}
