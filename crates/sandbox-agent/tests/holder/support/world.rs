//! Servers in the world: echoes on every address, and an upstream resolver.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use super::Namespace;
use super::namespace::addresses;

/// Ports that echo, over TCP and UDP.
pub(crate) const PORTS: [u16; 2] = [80, 443];

/// What arrived at the world.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    /// Datagrams on the echo ports.
    pub(crate) datagrams: Arc<Mutex<Vec<Vec<u8>>>>,
    /// Names the upstream resolver was asked for.
    pub(crate) questions: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub(crate) fn start(namespace: &Namespace) -> Self {
        let world = Self::default();
        for port in PORTS {
            let (datagrams, bound) = (Arc::clone(&world.datagrams), bound());
            let ready = bound.0;
            namespace.spawn(move || {
                let tcp = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).unwrap();
                // One socket an address, so that answers come from where questions went.
                for address in addresses() {
                    let udp = UdpSocket::bind((address, port)).unwrap();
                    let datagrams = Arc::clone(&datagrams);
                    thread::spawn(move || echo_datagrams(&udp, &datagrams));
                }
                ready.send(()).unwrap();
                for stream in tcp.incoming() {
                    thread::spawn(move || echo_stream(stream.unwrap()));
                }
            });
            bound.1.recv().unwrap();
        }
        let (questions, bound) = (Arc::clone(&world.questions), bound());
        let ready = bound.0;
        namespace.spawn(move || {
            let udp = UdpSocket::bind("9.9.9.9:53").unwrap();
            let tcp = TcpListener::bind("9.9.9.9:53").unwrap();
            ready.send(()).unwrap();
            let asked = Arc::clone(&questions);
            thread::spawn(move || answer_datagrams(&udp, &asked));
            for stream in tcp.incoming() {
                answer_stream(stream.unwrap(), &questions);
            }
        });
        bound.1.recv().unwrap();
        world
    }

    pub(crate) fn saw(&self, datagram: &[u8]) -> bool {
        self.datagrams
            .lock()
            .unwrap()
            .iter()
            .any(|seen| seen.starts_with(datagram))
    }

    pub(crate) fn was_asked(&self, name: &str) -> bool {
        self.questions.lock().unwrap().iter().any(|q| q == name)
    }
}

fn bound() -> (std::sync::mpsc::Sender<()>, std::sync::mpsc::Receiver<()>) {
    std::sync::mpsc::channel()
}

fn echo_datagrams(socket: &UdpSocket, seen: &Mutex<Vec<Vec<u8>>>) {
    let mut buffer = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        seen.lock().unwrap().push(buffer[..length].to_vec());
        let _ = socket.send_to(&buffer[..length], from);
    }
}

fn echo_stream(mut stream: TcpStream) {
    let mut buffer = [0; 2048];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        if stream.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

fn zone() -> BTreeMap<&'static str, Vec<IpAddr>> {
    let ip = |text: &str| text.parse().unwrap();
    BTreeMap::from([
        ("a.example.com", vec![ip("203.0.113.7"), ip("2001:db8::7")]),
        ("alias.example.com", vec![ip("203.0.113.8")]),
        ("lossy.example.com", vec![ip("203.0.113.8")]),
        ("big.example.com", vec![ip("198.51.100.9")]),
        (
            "evil.example.com",
            vec![
                ip("169.254.169.254"),
                ip("10.77.0.1"),
                ip("10.77.0.9"),
                ip("10.1.2.3"),
                ip("fd00:ec2::254"),
            ],
        ),
        ("other.test", vec![ip("203.0.113.8")]),
    ])
}

/// A small authoritative answer: the addresses of the queried type; `alias` through a CNAME.
fn answer(query: &[u8], over_tcp: bool, asked: &Mutex<Vec<String>>) -> Vec<u8> {
    let (name, end) = read_name(query);
    asked.lock().unwrap().push(name.clone());
    let kind = query[end + 1];
    let mut response = query[..end + 4].to_vec();
    response[2] = 0x81;
    response[3] = 0x80;
    response[11] = 0;
    if name == "big.example.com" && !over_tcp {
        response[2] |= 2;
        return response;
    }
    let mut owner = vec![0xc0, 12];
    if name == "alias.example.com" {
        response[7] += 1;
        response.extend(&owner);
        response.extend([0, 5, 0, 1, 0, 0, 0, 60, 0, 10]);
        owner = b"\x03cdn\x04test\x00".to_vec();
        response.extend(&owner);
    }
    let known = if name.starts_with("lossy") {
        "lossy.example.com"
    } else {
        name.as_str()
    };
    for address in zone().remove(known).unwrap_or_default() {
        let data = match (address, kind) {
            (IpAddr::V4(v4), 1) => v4.octets().to_vec(),
            (IpAddr::V6(v6), 28) => v6.octets().to_vec(),
            _ => continue,
        };
        response[7] += 1;
        response.extend(&owner);
        response.extend([0, kind, 0, 1, 0, 0, 0, 60, 0]);
        response.push(u8::try_from(data.len()).unwrap());
        response.extend(data);
    }
    response
}

fn read_name(query: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8(query[at + 1..=at + length].to_vec()).unwrap());
        at += length + 1;
    }
    (labels.join(".").to_ascii_lowercase(), at + 1)
}

fn answer_datagrams(socket: &UdpSocket, asked: &Mutex<Vec<String>>) {
    let mut buffer = [0; 2048];
    while let Ok((length, from)) = socket.recv_from(&mut buffer) {
        let answer = answer(&buffer[..length], false, asked);
        if !is_lost(&buffer[..length], asked) {
            let _ = socket.send_to(&answer, from);
        }
    }
}

/// The first two datagrams about each name that begins so do not come through.
fn is_lost(query: &[u8], asked: &Mutex<Vec<String>>) -> bool {
    let (name, _) = read_name(query);
    let times = asked.lock().unwrap().iter().filter(|q| **q == name).count();
    name.starts_with("lossy") && times <= 2
}

fn answer_stream(mut stream: TcpStream, asked: &Mutex<Vec<String>>) {
    let mut length = [0; 2];
    if stream.read_exact(&mut length).is_err() {
        return;
    }
    let mut query = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut query).unwrap();
    let response = answer(&query, true, asked);
    let length = u16::try_from(response.len()).unwrap();
    stream.write_all(&length.to_be_bytes()).unwrap();
    stream.write_all(&response).unwrap();
}
