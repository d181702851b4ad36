//! The network of a sandbox.

use sandbox_api_types::{DestinationBody, EgressPolicy, ExplainRequest, Explanation};
use sandbox_core::egress::EgressRules;
use sandbox_core::{BoxConnection, Result};

use super::SandboxCalls;
use crate::call::Call;

impl SandboxCalls {
    /// What the sandbox may connect to.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn egress(&self) -> Result<EgressPolicy> {
        let call = Call::get("client.egress", self.route(["egress"]));
        self.client.fetch(call).await
    }

    /// Replaces what it may connect to; in force when this returns, for what is connected already
    /// too.
    ///
    /// # Errors
    /// As [`Sandbox::set_egress`](sandbox_core::Sandbox::set_egress).
    pub async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        let call = Call::put("client.egress", self.route(["egress"]));
        self.client
            .run(call.json(&EgressPolicy::from(rules))?)
            .await
    }

    /// Whether it may go to `destination`, and why.
    ///
    /// # Errors
    /// `InvalidSpec` with a field below `destination`.
    pub async fn explain_egress(&self, destination: DestinationBody) -> Result<Explanation> {
        let call = Call::post("client.explain", self.route(["egress", "explain"]));
        self.client
            .fetch(call.json(&ExplainRequest { destination })?)
            .await
    }

    /// Connects to a TCP port on which a process of the sandbox listens.
    ///
    /// # Errors
    /// `Unavailable` with field `port` when nothing listens there.
    pub async fn connect(&self, port: u16) -> Result<BoxConnection> {
        let route = self.route(["ports", &port.to_string(), "connect"]);
        self.client.connect_to(route).await
    }
}
