//! Hosts around the sandboxes: a network namespace behind a cable, served by threads of this
//! process. All of it ends with the process, however it ends.
//!
//! It needs Linux, root, and the programs `ip`, `unshare` and `nsenter`; it says so and panics where
//! one is missing.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// What every greeting server says.
pub const GREETING: &str = "lab\n";
/// Sends the greeting.
pub const TCP: u16 = 7001;
/// Sends the greeting too.
pub const OTHER_TCP: u16 = 7002;
/// Sends a line every 50 ms.
pub const TICKS: u16 = 7003;
/// Sends the greeting, on the machine itself.
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// The lab's addresses, by the number that makes them this process's.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    number: u8,
}

impl Addresses {
    /// The near host.
    pub fn near(self) -> Ipv4Addr {
        Ipv4Addr::new(198, 51, 100, self.number)
    }

    /// The far host.
    pub fn far(self) -> Ipv4Addr {
        Ipv4Addr::new(203, 0, 113, self.number)
    }

    /// The near host over IPv6.
    pub fn near_v6(self) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, self.number.into())
    }

    /// The far host over IPv6.
    pub fn far_v6(self) -> Ipv6Addr {
        Ipv6Addr::new(0x2a0f, 0xdb8, 0, 0, 0, 0, 0, self.number.into())
    }

    /// Where the pods' resolvers ask.
    pub fn resolver(self) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, self.number)
    }

    /// The IPv6 subnet of the sandboxes' bridge.
    pub fn sandboxes(self) -> String {
        format!("fd00:5b:{:x}::/64", self.number)
    }

    /// The name of the sandboxes' bridge.
    pub fn bridge(self) -> String {
        format!("sbxbridge{}", self.number)
    }

    /// The machine's end of the cable.
    fn cable(self) -> [Ipv4Addr; 2] {
        [1, 2].map(|end| Ipv4Addr::new(10, 254, self.number, end))
    }

    fn cable_v6(self) -> [Ipv6Addr; 2] {
        [1, 2].map(|end| Ipv6Addr::new(0xfd00, 0xab, 0, 0, 0, 0, self.number.into(), end))
    }
}

/// The lab. Dropping it takes it down.
#[derive(Debug)]
pub struct NetLab {
    /// Where its hosts are.
    pub addresses: Addresses,
    /// A port of the machine itself that greets.
    pub host_port: u16,
    /// Keeps the namespace; ends with its standard input.
    keeper: Child,
}

impl NetLab {
    /// Sets one up around a network namespace that is new, and moves this thread into that: what the
    /// thread starts from then on has this lab around it and nothing else, not even the machine's own
    /// network. Threads that are there already stay where they are.
    ///
    /// Anybody may send echo requests in it.
    pub fn private() -> Self {
        let mut keeper = keep_namespace();
        enter(keeper.id());
        // It lives on in this thread.
        let _ = keeper.kill();
        let _ = keeper.wait();
        assert!(ip("link set lo up"), "the lab needs ip");
        std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").unwrap();
        Self::new()
    }

    /// Sets one up on this machine. Needs root, `ip`, `unshare` and `nsenter`.
    #[expect(clippy::new_without_default, reason = "it changes the machine")]
    pub fn new() -> Self {
        let keeper = keep_namespace();
        let addresses = connect(keeper.id());
        let host = TcpListener::bind("0.0.0.0:0").unwrap();
        let host_port = host.local_addr().unwrap().port();
        serve(host, greet);
        let (ready, served) = mpsc::channel();
        let pid = keeper.id();
        thread::spawn(move || {
            enter(pid);
            for port in [TCP, OTHER_TCP] {
                serve(
                    TcpListener::bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)).unwrap(),
                    greet,
                );
            }
            let ticks = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), TICKS);
            serve(TcpListener::bind(ticks).unwrap(), tick);
            for address in [
                addresses.near().into(),
                addresses.far().into(),
                addresses.resolver().into(),
                IpAddr::from(addresses.near_v6()),
                addresses.far_v6().into(),
            ] {
                let socket = UdpSocket::bind(SocketAddr::new(address, 53)).unwrap();
                thread::spawn(move || resolve(&socket, addresses));
            }
            ready.send(()).unwrap();
        });
        served.recv().expect("the lab's servers did not start");
        Self {
            addresses,
            host_port,
            keeper,
        }
    }

    /// Serves `port` of every host with `answer`, one thread a connection.
    pub fn serve(&self, port: u16, answer: fn(&mut TcpStream) -> std::io::Result<()>) {
        let pid = self.keeper.id();
        let (ready, served) = mpsc::channel();
        thread::spawn(move || {
            enter(pid);
            let address = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port);
            let listener = TcpListener::bind(address).unwrap();
            ready.send(()).unwrap();
            for mut connection in listener.incoming().flatten() {
                thread::spawn(move || {
                    // The other side may be gone; that is its business.
                    let _ = answer(&mut connection);
                });
            }
        });
        served.recv().expect("the lab's server did not start");
    }

    /// Answers questions for names at `address` too, an address of the machine itself: where its
    /// own resolver asks. For a lab that is [`private`](Self::private).
    pub fn serve_names(&self, address: IpAddr) {
        // Addresses of loopback are there already.
        ip(&format!("addr add {address} dev lo"));
        let socket = UdpSocket::bind(SocketAddr::new(address, 53)).unwrap();
        let addresses = self.addresses;
        thread::spawn(move || resolve(&socket, addresses));
    }

    /// Keeps `bridge` up while nothing else is on it, and waits until its IPv6 address is known to
    /// be nobody else's: until then it is not used.
    pub fn plug_into(&self, bridge: &str) {
        let (number, pid) = (self.addresses.number, self.keeper.id());
        let plug = format!("sbxplug{number}");
        let plugged = [
            ip(&format!(
                "link add {plug} type veth peer name plug netns {pid}"
            )),
            ip(&format!("link set {plug} master {bridge} up")),
        ];
        assert_eq!(plugged, [true, true]);
        inside(pid, "link set plug up");
        let looking = ["-6", "-o", "addr", "show", "dev", bridge, "scope", "global"];
        for _ in 0..100 {
            let shown = Command::new("ip").args(looking).output().unwrap().stdout;
            let shown = String::from_utf8(shown).unwrap();
            if shown.contains("inet6") && !shown.contains("tentative") {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the bridge has no IPv6 address");
    }

    /// Servers no sandbox may reach: a metadata service, and the machine at its own address.
    pub fn forbidden(&self) -> Vec<SocketAddr> {
        vec![
            SocketAddr::new(METADATA.into(), TCP),
            SocketAddr::new(self.addresses.cable()[0].into(), self.host_port),
        ]
    }
}

impl Drop for NetLab {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// A process in a network namespace of its own, which ends with its standard input.
fn keep_namespace() -> Child {
    let mut keeper = Command::new("unshare")
        .args(["--net", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the lab needs unshare");
    wait_for_namespace(&mut keeper);
    keeper
}

fn wait_for_namespace(keeper: &mut Child) {
    let own = std::fs::read_link("/proc/thread-self/ns/net").unwrap();
    for _ in 0..500 {
        let theirs = std::fs::read_link(format!("/proc/{}/ns/net", keeper.id()));
        if theirs.is_ok_and(|theirs| theirs != own) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("the lab needs root: there is no new network namespace");
}

fn enter(pid: u32) {
    let namespace = std::fs::File::open(format!("/proc/{pid}/ns/net")).unwrap();
    let kind = Some(LinkNameSpaceType::Network);
    move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind).unwrap();
}

/// Runs `ip` with `words`; `false` when it fails.
fn ip(words: &str) -> bool {
    let output = Command::new("ip")
        .args(words.split(' '))
        .output()
        .expect("the lab needs ip");
    output.status.success()
}

fn inside(pid: u32, words: &str) {
    let output = Command::new("nsenter")
        .args(["-t", &pid.to_string(), "-n", "ip"])
        .args(words.split(' '))
        .output()
        .expect("the lab needs nsenter");
    assert!(output.status.success(), "ip {words}: {output:?}");
}

/// Lays a cable, under the first number that nobody uses.
fn connect(pid: u32) -> Addresses {
    let start = u8::try_from(std::process::id() % 200).unwrap();
    for step in 0..200u8 {
        let addresses = Addresses {
            number: 1 + (start + step) % 200,
        };
        let cable = format!("sbxlab{}", addresses.number);
        if ip(&format!(
            "link add {cable} type veth peer name eth0 netns {pid}"
        )) {
            configure(&cable, addresses, pid);
            return addresses;
        }
    }
    panic!("the lab needs root: no cable can be laid");
}

fn configure(cable: &str, addresses: Addresses, pid: u32) {
    let [host, lab] = addresses.cable();
    let [host_v6, lab_v6] = addresses.cable_v6();
    let metric = u32::from(addresses.number) + 1000;
    let mut done = vec![
        ip(&format!("addr add {host}/30 dev {cable}")),
        ip(&format!("addr add {host_v6}/126 dev {cable} nodad")),
        ip(&format!("link set {cable} up")),
    ];
    inside(pid, "link set lo up");
    inside(pid, &format!("addr add {lab}/30 dev eth0"));
    inside(pid, &format!("addr add {lab_v6}/126 dev eth0 nodad"));
    inside(pid, "link set eth0 up");
    for address in [
        addresses.near(),
        addresses.far(),
        addresses.resolver(),
        METADATA,
    ] {
        inside(pid, &format!("addr add {address}/32 dev lo"));
        done.push(ip(&format!(
            "route add {address}/32 via {lab} metric {metric}"
        )));
    }
    for address in [addresses.near_v6(), addresses.far_v6()] {
        inside(pid, &format!("addr add {address}/128 dev lo nodad"));
        done.push(ip(&format!(
            "-6 route add {address}/128 via {lab_v6} metric {metric}"
        )));
    }
    inside(pid, &format!("route add default via {host}"));
    inside(pid, &format!("-6 route add default via {host_v6}"));
    assert!(
        done.iter().all(|ok| *ok),
        "the lab's network could not be set up: {done:?}"
    );
    // Needed for what comes from the sandboxes' bridge; the daemon does it for IPv4.
    let _ = std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1");
}

fn serve(listener: TcpListener, answer: fn(&mut dyn Write) -> std::io::Result<()>) {
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut connection = connection;
                // The other side may be gone; that is its business.
                let _ = answer(&mut connection);
                let _ = connection.shutdown(std::net::Shutdown::Write);
                let _ = connection.read(&mut [0; 64]);
            });
        }
    });
}

fn greet(to: &mut dyn Write) -> std::io::Result<()> {
    to.write_all(GREETING.as_bytes())
}

fn tick(to: &mut dyn Write) -> std::io::Result<()> {
    loop {
        to.write_all(b"tick\n")?;
        thread::sleep(Duration::from_millis(50));
    }
}

/// Answers every question: `far…` with the far host, everything else with the near one.
fn resolve(socket: &UdpSocket, addresses: Addresses) {
    let mut query = [0; 1500];
    while let Ok((length, from)) = socket.recv_from(&mut query) {
        if let Some(answer) = answer(&query[..length], addresses) {
            let _ = socket.send_to(&answer, from);
        }
    }
}

fn answer(query: &[u8], addresses: Addresses) -> Option<Vec<u8>> {
    let mut end = 12;
    while *query.get(end)? != 0 {
        end += 1 + usize::from(query[end]);
    }
    let question = query.get(12..end + 5)?;
    let kind = u16::from_be_bytes([question[question.len() - 4], question[question.len() - 3]]);
    let far = question.get(1..4) == Some(b"far");
    let data: Option<Vec<u8>> = match kind {
        1 if far => Some(addresses.far().octets().into()),
        1 => Some(addresses.near().octets().into()),
        28 if far => Some(addresses.far_v6().octets().into()),
        28 => Some(addresses.near_v6().octets().into()),
        _ => None,
    };
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(data.is_some()), 0, 0, 0, 0]);
    answer.extend(question);
    if let Some(data) = data {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).unwrap()]);
        answer.extend(data);
    }
    Some(answer)
}
