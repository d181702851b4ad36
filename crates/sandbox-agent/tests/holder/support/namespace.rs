//! Network namespaces.
#![expect(unsafe_code, reason = "a thread enters a network namespace by setns")]

use std::fs::{self, File};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use sandbox_core::egress::Protocol;

use super::probe::reaches;

/// Addresses of the world beside the gateway's; every one answers.
const WORLD: [&str; 18] = [
    "10.77.0.9/24",
    "10.1.2.3/32",
    "198.18.0.1/32",
    "203.0.113.7/32",
    "203.0.113.8/32",
    "198.51.100.9/32",
    "169.254.169.254/32",
    "168.63.129.16/32",
    "9.9.9.9/32",
    "fd77::9/64",
    "2001:db8::7/128",
    "2001:db8::8/128",
    "fd00:ec2::254/128",
    "64:ff9b::a9fe:a9fe/128",
    "64:ff9b::cb00:7107/128",
    "2002:a9fe:a9fe::1/128",
    "2002:cb00:7107::1/128",
    "fec0::1/128",
];

/// Every address of the world.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let world = WORLD.iter().map(|net| net.split('/').next().unwrap());
    world
        .chain(["10.77.0.1", "fd77::1"])
        .map(|text| text.parse().unwrap())
        .collect()
}

fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "ip {arguments}: {said}");
}

/// A named network namespace, removed when dropped.
#[derive(Debug)]
pub(crate) struct Namespace(String);

impl Namespace {
    fn new(role: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("sbx-{role}-{}-{number}", std::process::id());
        ip(&format!("netns add {name}"));
        let namespace = Self(name);
        namespace.ip("link set lo up");
        namespace
    }

    pub(crate) fn ip(&self, arguments: &str) {
        ip(&format!("-n {} {arguments}", self.0));
    }

    /// The hardware address of its `eth0`.
    pub(crate) fn show_mac(&self) -> String {
        let arguments = ["-n", &self.0, "-o", "link", "show", "eth0"];
        let output = Command::new("ip").args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut words = text.split_whitespace();
        words.find(|word| *word == "link/ether").unwrap();
        words.next().unwrap().to_owned()
    }

    /// Enters it, with this thread.
    pub(crate) fn enter(&self) {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        // SAFETY: setns takes no pointers, and the descriptor is open.
        let code = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
        assert_eq!(code, 0, "{}", std::io::Error::last_os_error());
    }

    /// Does `work` in it, in a thread of its own.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter();
                work()
            });
            thread.join().unwrap()
        })
    }

    /// Starts `work` in it and leaves it running.
    pub(crate) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        let name = self.0.clone();
        let (ready, entered) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let namespace = std::mem::ManuallyDrop::new(Self(name));
            namespace.enter();
            ready.send(()).unwrap();
            work();
        });
        entered.recv().unwrap();
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).output();
    }
}

/// A sandbox's namespace and the world's, joined by a veth pair that is `eth0` in the sandbox.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) sandbox: Namespace,
    pub(crate) world: Namespace,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let (sandbox, world) = (Namespace::new("in"), Namespace::new("out"));
        sandbox.ip(&format!(
            "link add eth0 type veth peer name eth0 netns {}",
            world.0
        ));
        for address in ["10.77.0.2/24", "fd77::2/64 nodad"] {
            sandbox.ip(&format!("addr add {address} dev eth0"));
        }
        for address in ["10.77.0.1/24", "fd77::1/64 nodad"] {
            world.ip(&format!("addr add {address} dev eth0"));
        }
        for address in WORLD {
            // Addresses of whole subnets are on the link; the others are behind the gateway.
            let device = if address.ends_with("/24") || address.ends_with("/64") {
                "eth0"
            } else {
                "lo"
            };
            let nodad = if address.contains(':') { " nodad" } else { "" };
            world.ip(&format!("addr add {address} dev {device}{nodad}"));
        }
        for namespace in [&sandbox, &world] {
            namespace.run(|| {
                fs::write("/proc/sys/net/ipv4/ping_group_range", "0 0").unwrap();
            });
            namespace.ip("link set eth0 up");
        }
        sandbox.ip("route add default via 10.77.0.1");
        sandbox.ip("-6 route add default via fd77::1");
        let wire = Self { sandbox, world };
        wire.settle();
        wire
    }

    /// Waits until IPv6 is up, which the kernel gets round to by itself, and forgets whom it met:
    /// the tests see address resolution under the filter.
    fn settle(&self) {
        let gateway = "fd77::1".parse().unwrap();
        let up = (0..50).any(|_| reaches(&self.sandbox, gateway, Protocol::Icmp));
        assert!(up, "the link does not come up");
        for namespace in [&self.sandbox, &self.world] {
            namespace.ip("neigh flush all");
        }
    }
}
