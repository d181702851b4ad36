//! The network that egress policies are tested in, by connecting.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use sandbox_core::{Command, Error, ErrorKind, Result, Sandbox, SandboxExt};

/// What [`LabHost::tcp`] and [`LabHost::other_tcp`] say to whoever connects.
pub const LAB_GREETING: &str = "lab\n";

/// A host of the lab, the same at both of its addresses.
///
/// It answers ping, and DNS queries for any name on UDP port 53.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabHost {
    /// Its IPv4 address, not a private one: names must be able to open it.
    pub v4: Ipv4Addr,
    /// Its IPv6 address, likewise.
    pub v6: Ipv6Addr,
    /// A TCP port that sends [`LAB_GREETING`] and closes.
    pub tcp: u16,
    /// Another one.
    pub other_tcp: u16,
    /// A TCP port that sends a line every 100 ms or faster until the other side goes away.
    pub ticks: u16,
}

/// Something a sandbox may reach, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A TCP connection, which gets [`LAB_GREETING`].
    Tcp(SocketAddr),
    /// A datagram, which gets an answer.
    Udp(SocketAddr),
    /// An echo request, which gets an answer.
    Icmp(IpAddr),
    /// A name, which resolves.
    Lookup(String),
}

/// Hosts around the sandboxes, and how to reach for them from inside.
#[async_trait]
pub trait NetworkLab: Send + Sync {
    /// A host.
    fn near(&self) -> LabHost;

    /// Another host, in another network: /16 in IPv4, /32 in IPv6.
    fn far(&self) -> LabHost;

    /// A name that resolves to [`near`](Self::near), for sandboxes that may look it up.
    fn near_name(&self) -> String;

    /// A name that resolves to [`far`](Self::far), in another domain than the first.
    fn far_name(&self) -> String;

    /// TCP servers that send [`LAB_GREETING`] at addresses no sandbox may ever reach: a metadata
    /// service and the machine that runs the sandboxes, at the least.
    fn forbidden(&self) -> Vec<SocketAddr>;

    /// Whether `probe` gets through from inside `sandbox`. By default it asks BusyBox's `nc`,
    /// `nslookup` and `ping`; UDP goes to port 53 then, whatever the probe says.
    ///
    /// # Errors
    /// When the sandbox could not even try.
    async fn reaches(&self, sandbox: &dyn Sandbox, probe: &Probe) -> Result<bool> {
        let command = match probe {
            Probe::Tcp(to) => {
                let (host, port) = (to.ip().to_string(), to.port().to_string());
                Command::argv(["nc", "-w", "3", &host, &port])
            }
            Probe::Udp(to) => Command::argv(["nslookup", "probe.lab", &to.ip().to_string()]),
            Probe::Icmp(to) => Command::argv(["ping", "-c", "1", "-W", "3", &to.to_string()]),
            Probe::Lookup(name) => Command::argv(["nslookup", name]),
        };
        let trying = sandbox.exec(command);
        let Ok(output) = tokio::time::timeout(Duration::from_secs(20), trying).await else {
            return Ok(false);
        };
        let output = output?;
        Ok(match probe {
            Probe::Tcp(_) => output.stdout == LAB_GREETING,
            Probe::Udp(_) | Probe::Icmp(_) | Probe::Lookup(_) => output.status.success(),
        })
    }

    /// A command that connects to `to` and prints what comes for as long as it comes. Default:
    /// `nc`.
    fn follow(&self, to: SocketAddr) -> Command {
        Command::argv(["nc", &to.ip().to_string(), &to.port().to_string()])
    }

    /// A command that listens on `port` of all the sandbox's addresses and sends
    /// [`LAB_GREETING`] to the first who connects. Default: `nc`.
    fn greeter(&self, port: u16) -> Command {
        let greeting = LAB_GREETING.trim_end();
        Command::shell(format!("echo {greeting} | nc -l -p {port}"))
    }

    /// The addresses of a sandbox in its network; none for one that has no network of its own.
    /// Default: what `hostname -i` or `ip addr` prints.
    ///
    /// # Errors
    /// `Internal` when the default finds none; as [`Sandbox::spawn`].
    async fn addresses(&self, sandbox: &dyn Sandbox) -> Result<Vec<IpAddr>> {
        let line = "hostname -i 2> /dev/null; ip addr 2> /dev/null";
        let output = sandbox.exec(Command::shell(line)).await?;
        let text = output.stdout_lossy();
        let addresses: Vec<IpAddr> = text
            .split_whitespace()
            .filter_map(|word| word.split('/').next()?.parse().ok())
            .filter(|address: &IpAddr| !address.is_loopback() && !address.is_unspecified())
            .collect();
        if addresses.is_empty() {
            let message = "the sandbox does not tell its addresses; find them another way";
            return Err(Error::new(ErrorKind::Internal, "lab.addresses", message));
        }
        Ok(addresses)
    }
}
