//! The policy of a pod: the spec's rules in the place where the pod is.

use std::net::IpAddr;

use bollard::query_parameters::InspectContainerOptions;
use sandbox_core::egress::Environment;
use sandbox_core::{Result, SandboxSpec};

use crate::error::docker;
use crate::holder::{self, Policy};
use crate::network;
use crate::shared::Shared;

/// The policy of `spec` in the place where the pod of `holder` is.
pub(crate) async fn of(shared: &Shared, spec: &SandboxSpec, holder: &str) -> Result<Policy> {
    let surroundings = network::environment(&shared.daemon);
    let (own, environment) = tokio::try_join!(addresses(shared, holder), surroundings)?;
    Ok(with(shared, spec, own, environment))
}

/// The policy of `spec` for a pod with the addresses `own`.
pub(crate) fn with(
    shared: &Shared,
    spec: &SandboxSpec,
    own: Vec<IpAddr>,
    environment: Environment,
) -> Policy {
    Policy {
        rules: spec.egress().clone(),
        environment: Environment { own, ..environment },
        dns_upstreams: network::upstreams(&shared.daemon, &shared.config),
    }
}

/// The addresses of a running holder.
pub(crate) async fn addresses(shared: &Shared, holder: &str) -> Result<Vec<IpAddr>> {
    let inspected = shared
        .daemon
        .docker
        .inspect_container(holder, None::<InspectContainerOptions>)
        .await
        .map_err(docker("docker.holder"))?;
    let running = inspected.state.and_then(|state| state.running);
    if running != Some(true) {
        return Err(holder::gone());
    }
    let networks = inspected
        .network_settings
        .and_then(|settings| settings.networks);
    let addresses = networks.unwrap_or_default().into_values().flat_map(|end| {
        [end.ip_address, end.global_ipv6_address]
            .into_iter()
            .flatten()
            .filter_map(|text| text.parse().ok())
    });
    Ok(addresses.collect())
}
