//! Sandboxes and their lives.

use std::time::Duration;

use sandbox_api_types::{
    CreateSandbox, Diagnostics, Environment, ListSandboxes, Sandbox, SandboxList, Stats,
    TimeoutRequest,
};
use sandbox_core::Result;

use super::SandboxCalls;
use crate::call::Call;
use crate::client::Client;
use crate::route::Route;

impl Client {
    /// Makes a sandbox and, unless `request` says otherwise, waits until it runs. However often it
    /// is tried, one is made.
    ///
    /// # Errors
    /// `InvalidSpec`, `Unsupported` or `LimitExceeded` naming a field; `NotFound` with field
    /// `template`, `image`, `runtime` or `source.snapshot`; `Conflict` with field `id`.
    pub async fn create_sandbox(&self, request: &CreateSandbox) -> Result<Sandbox> {
        let call = Call::post("client.create", Route::v1(["sandboxes"])).json(request)?;
        self.fetch(call.works(Duration::ZERO)).await
    }

    /// A part of the list of sandboxes, newest first.
    ///
    /// # Errors
    /// `InvalidSpec` with field `limit` or `cursor`.
    pub async fn list_sandboxes(&self, filter: &ListSandboxes) -> Result<SandboxList> {
        let route = Route::v1(["sandboxes"]).query(&filter.to_pairs())?;
        self.fetch(Call::get("client.list", route)).await
    }
}

impl SandboxCalls {
    /// The sandbox as it is now. This is no use of it.
    ///
    /// # Errors
    /// `NotFound`; `PermissionDenied` for another organisation's.
    pub async fn get(&self) -> Result<Sandbox> {
        self.client
            .fetch(Call::get("client.get", self.route([])))
            .await
    }

    /// The environment variables that the sandbox was made with.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn environment(&self) -> Result<Environment> {
        let route = self.route(["environment"]);
        self.client
            .fetch(Call::get("client.environment", route))
            .await
    }

    /// Destroys it and waits until it is gone. Idempotent.
    ///
    /// # Errors
    /// As [`get`](Self::get); what the runtime fails with, and it is tried again in the background.
    pub async fn destroy(&self) -> Result<()> {
        let call = Call::delete("client.destroy", self.route([]));
        self.client.run(call.works(Duration::ZERO)).await
    }

    /// Lets an ephemeral sandbox live at least this long from now.
    ///
    /// # Errors
    /// `Conflict` when it is not ephemeral, or does not run.
    pub async fn keepalive(&self, timeout: Duration) -> Result<Sandbox> {
        self.extend("client.keepalive", "keepalive", timeout).await
    }

    /// Lets an ephemeral sandbox live exactly this long from now.
    ///
    /// # Errors
    /// `Conflict` when it is not ephemeral, failed or is being destroyed.
    pub async fn set_timeout(&self, timeout: Duration) -> Result<Sandbox> {
        self.extend("client.timeout", "timeout", timeout).await
    }

    async fn extend(
        &self,
        operation: &'static str,
        route: &str,
        timeout: Duration,
    ) -> Result<Sandbox> {
        let timeout = timeout.into();
        let call = Call::post(operation, self.route([route]));
        let call = call.json(&TimeoutRequest { timeout })?;
        self.client.fetch(call).await
    }

    /// Suspends it and waits until it is suspended. Idempotent.
    ///
    /// # Errors
    /// `Unsupported` where the runtime cannot; `Conflict` when it failed or is being destroyed.
    pub async fn suspend(&self) -> Result<Sandbox> {
        self.work("client.suspend", "suspend").await
    }

    /// Wakes it and waits until it runs. Idempotent.
    ///
    /// # Errors
    /// `Conflict` when it failed or is being destroyed.
    pub async fn wake(&self) -> Result<Sandbox> {
        self.work("client.wake", "wake").await
    }

    async fn work(&self, operation: &'static str, route: &str) -> Result<Sandbox> {
        let call = Call::post(operation, self.route([route]));
        self.client.fetch(call.works(Duration::ZERO)).await
    }

    /// What it uses. This is no use of it.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn stats(&self) -> Result<Stats> {
        let call = Call::get("client.stats", self.route(["stats"]));
        self.client.fetch(call).await
    }

    /// Checks that it really works.
    ///
    /// # Errors
    /// As [`get`](Self::get); what does not work is in the answer.
    pub async fn diagnostics(&self) -> Result<Diagnostics> {
        let call = Call::get("client.diagnostics", self.route(["diagnostics"]));
        self.client.fetch(call.works(Duration::ZERO)).await
    }
}
