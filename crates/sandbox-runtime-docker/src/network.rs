//! The bridge the pods are on, and what on it is out of bounds for every sandbox.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use bollard::models::{NetworkCreateRequest, NetworkInspect};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptionsBuilder};
use ipnet::IpNet;
use sandbox_core::egress::Environment;
use sandbox_core::{Error, Result};

use crate::config::DockerConfig;
use crate::daemon::Daemon;
use crate::error::{docker, has_status, nonsense};
use crate::host;
use crate::labels;

/// Public resolvers, for machines whose own ones nobody else can reach.
const PUBLIC_DNS: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(1, 1, 1, 1)),
    IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)),
];

/// The network that every daemon has, and the only one without a resolver of the daemon's own.
const DEFAULT_BRIDGE: &str = "bridge";

/// Whether containers on `network` are told to ask the daemon's resolver, which knows no policy and
/// which the pod's packet filter keeps them from.
pub(crate) fn has_resolver(network: &str) -> bool {
    network != DEFAULT_BRIDGE
}

/// The id of the configured network; it is made when it is missing.
pub(crate) async fn ensure(daemon: &Daemon, config: &DockerConfig) -> Result<String> {
    let inspected = daemon
        .docker
        .inspect_network(&config.network, None::<InspectNetworkOptions>)
        .await;
    match inspected {
        // By its name: joining it by its id counts as joining a user's own network.
        Ok(network) if has_resolver(&config.network) => check(network, config),
        Ok(network) => check(network, config).map(|_| DEFAULT_BRIDGE.to_owned()),
        Err(error) if has_status(&error, 404) => make(daemon, config).await,
        Err(error) => Err(docker("docker.network")(error)),
    }
}

fn check(network: NetworkInspect, config: &DockerConfig) -> Result<String> {
    let driver = network.driver.unwrap_or_default();
    if driver != "bridge" {
        let message = format!(
            "{:?} is a {driver} network; it must be a bridge",
            config.network
        );
        return Err(Error::invalid("docker.network", "network", message));
    }
    network
        .id
        .ok_or_else(|| nonsense("docker.network", "a network without an id"))
}

async fn make(daemon: &Daemon, config: &DockerConfig) -> Result<String> {
    let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let request = NetworkCreateRequest {
        name: config.network.clone(),
        driver: Some("bridge".to_owned()),
        options: Some(HashMap::from([option(
            "com.docker.network.bridge.enable_icc",
            "false",
        )])),
        labels: Some(HashMap::from([option(
            labels::VERSION,
            labels::CURRENT_VERSION,
        )])),
        ..NetworkCreateRequest::default()
    };
    let made = daemon.docker.create_network(request).await;
    match made {
        Ok(made) => settle(daemon, config, made.id).await,
        // Somebody else was first.
        Err(error) if has_status(&error, 409) => {
            let network = daemon
                .docker
                .inspect_network(&config.network, None::<InspectNetworkOptions>)
                .await
                .map_err(docker("docker.network"))?;
            check(network, config)
        }
        Err(error) => Err(docker("docker.network")(error)),
    }
}

/// Daemons before 25 let two makers at once make two networks of one name. Everybody keeps the
/// one with the smallest id, and removes its own when that is another.
async fn settle(daemon: &Daemon, config: &DockerConfig, made: String) -> Result<String> {
    let filter = HashMap::from([("name", vec![config.network.as_str()])]);
    let options = ListNetworksOptionsBuilder::new().filters(&filter).build();
    let found = daemon
        .docker
        .list_networks(Some(options))
        .await
        .map_err(docker("docker.network"))?;
    let same = found
        .into_iter()
        .filter(|network| network.name.as_deref() == Some(&config.network));
    let kept = same
        .filter_map(|network| network.id)
        .min()
        .unwrap_or_else(|| made.clone());
    if kept != made
        && let Err(error) = daemon.docker.remove_network(&made).await
    {
        tracing::warn!(%error, network = made, "a second network of one name stays behind");
    }
    Ok(kept)
}

/// What no sandbox may reach: this machine, its containers' networks and their gateways. Its own
/// addresses are not in it.
pub(crate) async fn environment(daemon: &Daemon) -> Result<Environment> {
    let networks = daemon
        .docker
        .list_networks(None::<bollard::query_parameters::ListNetworksOptions>)
        .await
        .map_err(docker("docker.network"))?;
    let mut environment = Environment::namespace();
    let configs = networks
        .into_iter()
        .filter_map(|network| network.ipam?.config)
        .flatten();
    for config in configs {
        let subnet = config.subnet.and_then(|text| text.parse::<IpNet>().ok());
        let gateway = config.gateway.as_deref().and_then(address);
        environment.neighbours.extend(subnet);
        environment.gateway.extend(gateway.map(IpNet::from));
    }
    if daemon.is_local() {
        environment.host = host::addresses().into_iter().map(IpNet::from).collect();
    } else if let Some(remote) = remote_address(&daemon.host) {
        environment.host.push(remote.into());
    }
    Ok(environment)
}

/// An address that may have a prefix length behind it, as some drivers write gateways.
fn address(text: &str) -> Option<IpAddr> {
    text.split('/').next()?.parse().ok()
}

/// The address of a remote daemon that is named by one.
fn remote_address(host: &str) -> Option<IpAddr> {
    let rest = host.split_once("://")?.1;
    let rest = rest.split('/').next()?;
    let (name, _) = rest.rsplit_once(':').unwrap_or((rest, ""));
    name.trim_matches(['[', ']']).parse().ok()
}

/// Whom the pods' resolvers ask.
pub(crate) fn upstreams(daemon: &Daemon, config: &DockerConfig) -> Vec<IpAddr> {
    if !config.dns.is_empty() {
        return config.dns.clone();
    }
    let mut found = if daemon.is_local() {
        host::name_servers()
    } else {
        Vec::new()
    };
    if found.is_empty() {
        found.extend(PUBLIC_DNS);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_daemons_address_is_read_from_its_url() {
        let parsed = |host| remote_address(host).map(|address| address.to_string());
        assert_eq!(parsed("tcp://192.0.2.7:2375").as_deref(), Some("192.0.2.7"));
        assert_eq!(
            parsed("tcp://[2001:db8::1]:2375").as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(parsed("tcp://docker.example:2375"), None);
    }
}
