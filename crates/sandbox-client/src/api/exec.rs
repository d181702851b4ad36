//! Commands that run to their end.

use std::time::Duration;

use sandbox_api_types::{
    AttachQuery, DEFAULT_EXEC_TIMEOUT, ExecRequest, ExecResult, OutputEvent, StartProcess,
};
use sandbox_core::Result;

use super::SandboxCalls;
use crate::call::Call;
use crate::{Attachment, EventStream};

/// What a command says while it runs: `start` first, then its output, then `exit`.
pub type ExecStream = EventStream<OutputEvent>;

impl SandboxCalls {
    /// Runs a command to its end. However often it is tried, it is run once. A command that fails is
    /// an `Ok` with its status.
    ///
    /// # Errors
    /// `InvalidSpec` naming the field; `NotFound` with field `command`, `cwd` or `user`;
    /// `Conflict` when the sandbox does not run.
    pub async fn exec(&self, request: &ExecRequest) -> Result<ExecResult> {
        let runs = request.timeout.map_or(DEFAULT_EXEC_TIMEOUT, Duration::from);
        let call = Call::post("client.exec", self.route(["exec"])).json(request)?;
        self.client.fetch(call.works(runs)).await
    }

    /// Runs a command and streams what it says. Dropping the stream kills nothing.
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    pub async fn exec_stream(&self, request: &ExecRequest) -> Result<ExecStream> {
        let route = self.route(["exec", "stream"]);
        let call = Call::post("client.exec", route).json(request)?.once();
        self.client.events_of("client.exec", call).await
    }

    /// Starts a process and attaches to it at once.
    ///
    /// # Errors
    /// As [`exec`](Self::exec).
    pub async fn start_attached(
        &self,
        request: StartProcess,
        query: AttachQuery,
    ) -> Result<Attachment> {
        let route = self.route(["exec", "attach"]);
        self.client.start_attached(route, request, query).await
    }
}
