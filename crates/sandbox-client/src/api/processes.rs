//! Processes.

use std::time::Duration;

use bytes::Bytes;
use sandbox_api_types::{
    AttachQuery, OutputEvent, OutputQuery, Process, ProcessList, ProcessRef, Resize, SendSignal,
    StartProcess, StdinQuery, SystemProcess, SystemProcessList, WaitQuery,
};
use sandbox_core::{Pid, PtySize, Result, Signal};

use super::SandboxCalls;
use crate::call::Call;
use crate::route::Route;
use crate::{Attachment, EventStream};

impl SandboxCalls {
    /// Starts a process, which outlives this client. However often it is tried, one is started.
    ///
    /// # Errors
    /// As [`exec`](Self::exec); `LimitExceeded` with field `processes`.
    pub async fn start_process(&self, request: &StartProcess) -> Result<Process> {
        let call = Call::post("client.start", self.route(["processes"])).json(request)?;
        self.client.fetch(call.works(Duration::ZERO)).await
    }

    /// The processes that the server watches, oldest first.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn list_processes(&self) -> Result<Vec<Process>> {
        let call = Call::get("client.processes", self.route(["processes"]));
        let list: ProcessList = self.client.fetch(call).await?;
        Ok(list.processes)
    }

    fn process_route<const N: usize>(&self, process: &ProcessRef, parts: [&str; N]) -> Route {
        let process = process.to_string();
        let own = ["sandboxes", self.id.as_str(), "processes", &process];
        Route::v1(own.into_iter().chain(parts))
    }

    /// One of them.
    ///
    /// # Errors
    /// `NotFound` when the server does not know it.
    pub async fn get_process(&self, process: &ProcessRef) -> Result<Process> {
        let call = Call::get("client.process", self.process_route(process, []));
        self.client.fetch(call).await
    }

    /// Kills one of them.
    ///
    /// # Errors
    /// As [`get_process`](Self::get_process).
    pub async fn kill_process(&self, process: &ProcessRef) -> Result<()> {
        let call = Call::delete("client.kill", self.process_route(process, []));
        self.client.run(call).await
    }

    /// Gives bytes to its standard input, and then closes it if `close` says so. Returns when they
    /// were taken. It is tried once.
    ///
    /// # Errors
    /// `Conflict` when its input is not open.
    pub async fn write_stdin(&self, process: &ProcessRef, data: Bytes, close: bool) -> Result<()> {
        let route = self.process_route(process, ["stdin"]);
        let call = Call::post("client.stdin", route.query(&StdinQuery { close })?);
        let call = call.bytes(data).once().works(Duration::ZERO);
        self.client.run(call).await
    }

    /// Sends a signal to its process group.
    ///
    /// # Errors
    /// `NotFound` when it has ended.
    pub async fn signal_process(&self, process: &ProcessRef, signal: Signal) -> Result<()> {
        let route = self.process_route(process, ["signal"]);
        let signal = signal.into();
        let call = Call::post("client.signal", route).json(&SendSignal { signal })?;
        self.client.run(call).await
    }

    /// Changes the size of its terminal.
    ///
    /// # Errors
    /// `Conflict` when it has none.
    pub async fn resize_process(&self, process: &ProcessRef, size: PtySize) -> Result<()> {
        let route = self.process_route(process, ["resize"]);
        let call = Call::post("client.resize", route).json(&Resize::from(size))?;
        self.client.run(call).await
    }

    /// What it said, and will say.
    ///
    /// # Errors
    /// As [`get_process`](Self::get_process).
    pub async fn process_output(
        &self,
        process: &ProcessRef,
        query: OutputQuery,
    ) -> Result<EventStream<OutputEvent>> {
        let route = self.process_route(process, ["output"]).query(&query)?;
        let call = Call::get("client.output", route);
        self.client.events_of("client.output", call).await
    }

    /// Waits for its end, at most `timeout`; one that runs on is answered as it is.
    ///
    /// # Errors
    /// As [`get_process`](Self::get_process).
    pub async fn wait_process(
        &self,
        process: &ProcessRef,
        timeout: Option<Duration>,
    ) -> Result<Process> {
        let query = WaitQuery {
            timeout: timeout.map(Into::into),
        };
        let route = self.process_route(process, ["wait"]).query(&query)?;
        let call = Call::get("client.wait", route);
        let waits = timeout.unwrap_or(Duration::ZERO);
        self.client.fetch(call.works(waits)).await
    }

    /// Attaches to it: its output, its input, its end.
    ///
    /// # Errors
    /// As [`get_process`](Self::get_process).
    pub async fn attach_process(
        &self,
        process: &ProcessRef,
        query: AttachQuery,
    ) -> Result<Attachment> {
        let route = self.process_route(process, ["attach"]);
        self.client.attach_to(route, query).await
    }

    /// Every process there is, whoever started it, by id.
    ///
    /// # Errors
    /// `Conflict` when the sandbox does not run; `Unsupported` where the runtime cannot tell.
    pub async fn system_processes(&self) -> Result<Vec<SystemProcess>> {
        let route = self.route(["system", "processes"]);
        let list: SystemProcessList = self
            .client
            .fetch(Call::get("client.processes", route))
            .await?;
        Ok(list.processes)
    }

    /// Sends a signal to one process, whoever started it.
    ///
    /// # Errors
    /// `NotFound` with field `pid` when there is none.
    pub async fn signal_system_process(&self, pid: Pid, signal: Signal) -> Result<()> {
        let route = self.route(["system", "processes", &pid.to_string(), "signal"]);
        let signal = signal.into();
        let call = Call::post("client.signal", route).json(&SendSignal { signal })?;
        self.client.run(call).await
    }
}
