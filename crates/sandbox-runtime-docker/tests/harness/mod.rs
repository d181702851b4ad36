//! What the suite has to be told about sandboxes on a Docker daemon.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use sandbox_core::{Command, Result, Runtime, Sandbox, SandboxExt, Source};
use sandbox_runtime_docker::{AgentMode, DockerConfig, DockerRuntime, PullPolicy};
use sandbox_testkit::conformance::{Harness, LAB_GREETING, LabHost, NetworkLab, Probe};

use crate::support::{self, IMAGE, Network};
use sandbox_testkit::netlab::{Addresses, GREETING, NetLab, OTHER_TCP, TCP, TICKS};

/// One namespace of one daemon, with hosts around it where the case is about them.
pub(crate) struct DockerHarness {
    config: DockerConfig,
    surroundings: Option<(NetLab, Network)>,
}

impl DockerHarness {
    pub(crate) fn new(agent: AgentMode) -> Self {
        let mut config = DockerConfig::default();
        config.namespace = support::namespace();
        config.agent = agent;
        // Images come from nowhere but this machine.
        config.pull = PullPolicy::Never;
        // Setting up hosts takes its time; the other cases do without.
        let about_reaching = thread::current()
            .name()
            .is_some_and(|name| name.contains("::egress::") || name.contains("reach"));
        let surroundings = about_reaching.then(|| {
            let net = NetLab::new();
            let network = support::wait_for(Network::new(net.addresses));
            net.plug_into(&network.bridge);
            config.dns = vec![net.addresses.resolver().into()];
            config.network = network.name.clone();
            (net, network)
        });
        Self {
            config,
            surroundings,
        }
    }
}

impl Drop for DockerHarness {
    fn drop(&mut self) {
        support::purge(self.config.clone());
    }
}

#[async_trait]
impl Harness for DockerHarness {
    async fn runtime(&self) -> Arc<dyn Runtime> {
        support::image().await;
        DockerRuntime::connect(self.config.clone()).await.unwrap()
    }

    fn source(&self) -> Source {
        Source::Image(IMAGE.into())
    }

    async fn network(&self) -> Option<Box<dyn NetworkLab>> {
        let (net, _) = self
            .surroundings
            .as_ref()
            .expect("this case was not expected to need hosts");
        assert_eq!(GREETING, LAB_GREETING);
        Some(Box::new(Surroundings {
            addresses: net.addresses,
            forbidden: net.forbidden(),
        }))
    }

    async fn reopen(&self) -> Option<Arc<dyn Runtime>> {
        Some(DockerRuntime::connect(self.config.clone()).await.unwrap())
    }
}

struct Surroundings {
    addresses: Addresses,
    forbidden: Vec<std::net::SocketAddr>,
}

fn host(v4: std::net::Ipv4Addr, v6: std::net::Ipv6Addr) -> LabHost {
    LabHost {
        v4,
        v6,
        tcp: TCP,
        other_tcp: OTHER_TCP,
        ticks: TICKS,
    }
}

#[async_trait]
impl NetworkLab for Surroundings {
    fn near(&self) -> LabHost {
        host(self.addresses.near(), self.addresses.near_v6())
    }

    fn far(&self) -> LabHost {
        host(self.addresses.far(), self.addresses.far_v6())
    }

    fn near_name(&self) -> String {
        "near.one.test".into()
    }

    fn far_name(&self) -> String {
        "far.two.test".into()
    }

    fn forbidden(&self) -> Vec<std::net::SocketAddr> {
        self.forbidden.clone()
    }

    async fn reaches(&self, sandbox: &dyn Sandbox, probe: &Probe) -> Result<bool> {
        let command = match probe {
            Probe::Tcp(to) => {
                let (address, port) = (to.ip().to_string(), to.port().to_string());
                // A refusal comes at once; what is allowed may take its time on a busy machine.
                Command::argv(["nc", "-w", "15", &address, &port])
            }
            Probe::Udp(to) => Command::argv(["udp-probe".into(), to.to_string()]),
            // BusyBox's ping needs raw sockets, which no sandbox has.
            Probe::Icmp(to) => Command::argv(["icmp-probe".into(), to.to_string()]),
            Probe::Lookup(name) => Command::argv(["nslookup", name]),
        };
        let output = sandbox.exec(command).await?;
        Ok(match probe {
            Probe::Tcp(_) => output.stdout == LAB_GREETING,
            Probe::Udp(_) | Probe::Icmp(_) | Probe::Lookup(_) => output.status.success(),
        })
    }

    async fn addresses(&self, sandbox: &dyn Sandbox) -> Result<Vec<IpAddr>> {
        let output = sandbox
            .exec(Command::shell("ip -o addr show scope global"))
            .await?;
        let text = output.stdout_lossy();
        let shown = text
            .split_ascii_whitespace()
            .filter_map(|word| word.split('/').next());
        Ok(shown.filter_map(|word| word.parse().ok()).collect())
    }
}
