//! The tokio client.

mod channel;
mod connection;
mod driver;
mod exec;
mod files;
mod guard;
mod lines;
mod link;
mod outbox;
mod state;

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use sandbox_core::{
    BoxConnection, Command, Error, ErrorKind, FileInfo, Pid, Process, ProcessInfo, Result,
    SandboxPath, Signal, Stats, User,
};

use self::guard::ChannelGuard;
use self::state::Shared;
use crate::protocol::{MAX_PROCESSES, Reply, Request};

pub use self::link::{Connector, Link};

/// What a client fills in where a request does not say.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Who runs commands and owns new files; without one, the agent's own user.
    pub user: Option<User>,
    /// Where commands start; without one, where the agent was started.
    pub cwd: Option<SandboxPath>,
    /// Environment variables of every command, over the agent's own.
    pub env: BTreeMap<String, String>,
}

/// How a client deals with its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// How long an agent may take to answer on a new link. Default: 10 seconds.
    pub hello_timeout: Duration,
    /// For how long a broken link is opened again and again before the client gives up. Default:
    /// a minute.
    pub reconnect_for: Duration,
    /// How long a request waits for a link that is being opened again, before it fails with
    /// `Unavailable`. Default: a second.
    pub wait_for_link: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            hello_timeout: Duration::from_secs(10),
            reconnect_for: Duration::from_secs(60),
            wait_for_link: Duration::from_secs(1),
        }
    }
}

/// A client of one agent: the methods of `sandbox_core::Sandbox` that happen inside the sandbox,
/// with the same contracts.
///
/// Cheap to clone; all clones share one link. When the link breaks it is opened again, and
/// everything under way goes on where it stopped: no byte of output, input or a file is lost or
/// repeated. Only requests that had not been answered fail, with
/// [`ErrorKind::Unavailable`]: nobody knows whether they were carried out. When another client
/// takes the sandbox over, or the link cannot be opened again, the client is closed.
///
/// The agent is believed nothing: it runs among untrusted code. Whatever it sends, memory is
/// bounded by the windows of open channels, and nothing panics.
#[derive(Debug, Clone)]
pub struct AgentClient {
    session: Arc<Session>,
    defaults: Arc<Defaults>,
}

/// Closes the client when the last handle, process or stream is gone.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    processes: std::sync::Mutex<std::collections::HashMap<Pid, Weak<exec::Shared>>>,
    attaching: tokio::sync::Mutex<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
    }
}

impl Session {
    fn close(&self) {
        // Acknowledgements that wait for company: what was read is not to be read again.
        self.shared.kick();
        let message = "the client was closed";
        let reason = Error::new(ErrorKind::Unavailable, "agent.close", message);
        self.shared.close(&reason);
    }
}

impl AgentClient {
    /// Opens a link and takes the sandbox over from whoever had it.
    ///
    /// # Errors
    /// What `connector` fails with; `Unavailable` when the agent does not answer in time;
    /// `Unsupported` when it speaks another version of the protocol.
    pub async fn connect(connector: Arc<dyn Connector>) -> Result<Self> {
        Self::connect_with(connector, ClientOptions::default()).await
    }

    /// As [`connect`](Self::connect), with other [`ClientOptions`].
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(
        connector: Arc<dyn Connector>,
        options: ClientOptions,
    ) -> Result<Self> {
        let shared = driver::start(connector, options).await?;
        Ok(Self {
            session: Arc::new(Session {
                shared,
                processes: std::sync::Mutex::default(),
                attaching: tokio::sync::Mutex::default(),
            }),
            defaults: Arc::default(),
        })
    }

    /// A client over the same link that fills in `defaults`.
    #[must_use]
    pub fn with_defaults(&self, defaults: Defaults) -> Self {
        Self {
            session: Arc::clone(&self.session),
            defaults: Arc::new(defaults),
        }
    }

    /// Asks for an answer, and nothing else.
    ///
    /// # Errors
    /// `Unavailable` when the link is broken. There is no time limit: a paused agent does not
    /// answer.
    pub async fn ping(&self) -> Result<()> {
        self.done("agent.ping", Request::Ping).await
    }

    /// Whether the client has not been closed. Its link may be broken for the moment.
    pub fn is_alive(&self) -> bool {
        self.session.shared.closed_reason().is_none()
    }

    /// Waits until the client is closed, and says why.
    pub async fn closed(&self) -> Error {
        self.session.shared.closed().await
    }

    /// Closes the client: whatever waits fails with `Unavailable`, processes go on.
    ///
    /// What processes that are not dropped before this say from now on is kept, as far as the
    /// window goes, for the next client that attaches to them; a server that ends in an orderly
    /// way closes first and drops then.
    pub fn close(&self) {
        self.session.close();
    }

    /// As `Sandbox::spawn`.
    ///
    /// # Errors
    /// As `Sandbox::spawn`.
    pub async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        command.validate()?;
        let command = self.filled_in(command);
        exec::spawn(&self.session, command).await
    }

    fn filled_in(&self, mut command: Command) -> Command {
        for (name, value) in &self.defaults.env {
            let given = command.env.entry(name.clone());
            given.or_insert_with(|| value.clone());
        }
        command.user = command.user.or_else(|| self.defaults.user.clone());
        command.cwd = command.cwd.or_else(|| self.defaults.cwd.clone());
        command
    }

    /// As `Sandbox::attach`. A process that this client has already is shared: its events go to
    /// whoever took them first.
    ///
    /// # Errors
    /// As `Sandbox::attach`.
    pub async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>> {
        exec::attach(&self.session, pid).await
    }

    /// As `Sandbox::processes`. The agent's own are left out.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        const LIMIT: usize = 1 << 22;
        let operation = "agent.processes";
        let request = Request::Processes;
        let session = &self.session;
        let mut list: Vec<ProcessInfo> =
            lines::collect(session, operation, &request, LIMIT, MAX_PROCESSES).await?;
        list.sort_by_key(|info| info.pid);
        Ok(list)
    }

    /// As `Sandbox::signal`.
    ///
    /// # Errors
    /// As `Sandbox::signal`.
    pub async fn signal(&self, pid: Pid, signal: Signal) -> Result<()> {
        let request = Request::Signal { pid, signal };
        self.done("agent.signal", request).await
    }

    /// As `Sandbox::stat`.
    ///
    /// # Errors
    /// As `Sandbox::stat`.
    pub async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        let request = Request::Stat { path: path.clone() };
        match self.request("agent.stat", request).await? {
            Reply::File(info) => Ok(*info),
            _ => Err(nonsense("agent.stat")),
        }
    }

    /// As `Sandbox::rename`.
    ///
    /// # Errors
    /// As `Sandbox::rename`; `Unsupported` with field `to` across file systems.
    pub async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        let (from, to) = (from.clone(), to.clone());
        self.done("agent.rename", Request::Rename { from, to })
            .await
    }

    /// As `Sandbox::remove`.
    ///
    /// # Errors
    /// As `Sandbox::remove`.
    pub async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        let path = path.clone();
        self.done("agent.remove", Request::Remove { path, recursive })
            .await
    }

    /// As `Sandbox::connect`.
    ///
    /// # Errors
    /// As `Sandbox::connect`.
    pub async fn connect_port(&self, port: u16) -> Result<BoxConnection> {
        connection::connect(&self.session, port).await
    }

    /// As `Sandbox::stats`, from the files that the control group shows inside the sandbox.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn stats(&self) -> Result<Stats> {
        match self.request("agent.stats", Request::Stats).await? {
            Reply::Stats(stats) => Ok(stats),
            _ => Err(nonsense("agent.stats")),
        }
    }

    async fn request(&self, operation: &'static str, request: Request) -> Result<Reply> {
        let channel = ChannelGuard::open(&self.session, operation, &request).await?;
        channel.reply().await
    }

    async fn done(&self, operation: &'static str, request: Request) -> Result<()> {
        match self.request(operation, request).await? {
            Reply::Done => Ok(()),
            _ => Err(nonsense(operation)),
        }
    }
}

/// The agent answered with something that is no answer.
pub(crate) fn nonsense(operation: &'static str) -> Error {
    let message = "the agent's answer makes no sense";
    Error::new(ErrorKind::Internal, operation, message)
}
