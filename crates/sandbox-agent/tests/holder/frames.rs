//! Packet sockets, which walk past the IP stack's hooks.
#![expect(unsafe_code, reason = "std has no packet sockets' addresses")]

use std::mem;
use std::thread;
use std::time::Duration;

use serde_json::json;
use socket2::{Domain, Protocol, SockAddr, SockAddrStorage, Socket, Type};

use crate::support::{Wire, World, start};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;

fn mac(namespace: &crate::support::Namespace) -> [u8; 6] {
    let text = namespace.show_mac();
    let bytes: Vec<u8> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}

fn checksum(bytes: &[u8]) -> [u8; 2] {
    let sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (!u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()).to_be_bytes()
}

/// A UDP datagram to port 80 in a frame.
struct Frame<'a> {
    from: [u8; 4],
    to: [u8; 4],
    payload: &'a [u8],
    options: &'a [u8],
}

impl Frame<'_> {
    fn packet(&self) -> Vec<u8> {
        let header = 20 + self.options.len();
        let total = u16::try_from(header + 8 + self.payload.len()).unwrap();
        let mut packet = vec![0x40 | u8::try_from(header / 4).unwrap(), 0];
        packet.extend(total.to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0]);
        packet.extend(self.from);
        packet.extend(self.to);
        packet.extend(self.options);
        let sum = checksum(&packet);
        packet[10..12].copy_from_slice(&sum);
        packet.extend(5000u16.to_be_bytes());
        packet.extend(80u16.to_be_bytes());
        packet.extend((total - u16::try_from(header).unwrap()).to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(self.payload);
        packet
    }

    fn bytes(&self, wire: &Wire, ethertype: &[u8]) -> Vec<u8> {
        let mut frame = mac(&wire.world).to_vec();
        frame.extend(mac(&wire.sandbox));
        frame.extend(ethertype);
        frame.extend(self.packet());
        frame
    }
}

fn address(protocol: u16) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: a sockaddr_ll is a kind of sockaddr_storage, smaller than it.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = libc::AF_PACKET as u16;
    link.sll_protocol = protocol.to_be();
    // SAFETY: the name is a string with its end.
    link.sll_ifindex = unsafe { libc::if_nametoindex(c"eth0".as_ptr()) }.cast_signed();
    link.sll_halen = 6;
    let length = mem::size_of::<libc::sockaddr_ll>();
    // SAFETY: the family is set, and the length is that of the address written.
    unsafe { SockAddr::new(storage, length as libc::socklen_t) }
}

/// Sends a frame from the sandbox by a packet socket that claims it to be of `protocol`.
fn send(wire: &Wire, frame: &[u8], protocol: u16, bypass: bool) {
    wire.sandbox.run(|| {
        let kind = Some(Protocol::from(0));
        let socket = Socket::new(Domain::PACKET, Type::RAW, kind).unwrap();
        if bypass {
            let on: libc::c_int = 1;
            // SAFETY: the value is an int, and its size is given.
            let code = unsafe {
                libc::setsockopt(
                    std::os::fd::AsRawFd::as_raw_fd(&socket),
                    libc::SOL_PACKET,
                    libc::PACKET_QDISC_BYPASS,
                    (&raw const on).cast(),
                    mem::size_of_val(&on) as libc::socklen_t,
                )
            };
            assert_eq!(code, 0);
        }
        // A refusal is what the tests are about.
        let _ = socket.send_to(frame, &address(protocol));
    });
    thread::sleep(Duration::from_millis(50));
}

const OWN: [u8; 4] = [10, 77, 0, 2];
const GATEWAY: [u8; 4] = [10, 77, 0, 1];
const ALLOWED: [u8; 4] = [203, 0, 113, 7];

fn frame(to: [u8; 4], payload: &[u8]) -> Frame<'_> {
    Frame {
        from: OWN,
        to,
        payload,
        options: &[],
    }
}

fn open_sandbox() -> (Wire, World, crate::support::Holder) {
    let (wire, world, mut holder) = start();
    holder.set(&json!({"mode": "allow_all"}));
    (wire, world, holder)
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_packet_socket_reaches_what_the_policy_allows_and_nothing_else() {
    let (wire, world, mut holder) = open_sandbox();
    for bypass in [false, true] {
        let ethertype = IPV4.to_be_bytes();
        let good = frame(ALLOWED, b"good").bytes(&wire, &ethertype);
        send(&wire, &good, IPV4, bypass);
        assert!(world.saw(b"good"), "the way is open");
        world.datagrams.lock().unwrap().clear();
        let bad = frame(GATEWAY, b"bad").bytes(&wire, &ethertype);
        send(&wire, &bad, IPV4, bypass);
        assert!(!world.saw(b"bad"), "bypass: {bypass}");
    }
    assert_eq!(holder.count("link_protected"), 2);
    holder.set(&json!({"mode": "deny_all"}));
    let late = frame(ALLOWED, b"late").bytes(&wire, &IPV4.to_be_bytes());
    send(&wire, &late, IPV4, false);
    assert!(!world.saw(b"late"));
}

#[test]
#[ignore = "needs root and network namespaces"]
fn without_a_holder_such_frames_arrive() {
    let wire = Wire::new();
    let world = World::start(&wire.world);
    for protocol in [IPV4, ARP, 0x88cc] {
        let payload = protocol.to_be_bytes();
        let frame = frame(GATEWAY, &payload).bytes(&wire, &IPV4.to_be_bytes());
        send(&wire, &frame, protocol, false);
        assert!(world.saw(&payload), "{protocol:x}");
    }
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_frame_that_claims_another_protocol_than_its_bytes_have_is_dropped() {
    let (wire, world, mut holder) = open_sandbox();
    for (claimed, to) in [
        (ARP, GATEWAY),
        (0x86dd, GATEWAY),
        (0x88cc, GATEWAY),
        (ARP, ALLOWED),
    ] {
        let lie = frame(to, b"lie").bytes(&wire, &IPV4.to_be_bytes());
        send(&wire, &lie, claimed, false);
        assert!(!world.saw(b"lie"), "{claimed:x}");
    }
    assert!(holder.count("link_frame") >= 4);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_tagged_frame_is_dropped() {
    let (wire, world, mut holder) = open_sandbox();
    let tagged = frame(ALLOWED, b"tagged").bytes(&wire, &[0x81, 0, 0, 1, 8, 0]);
    send(&wire, &tagged, 0x8100, false);
    send(&wire, &tagged, IPV4, false);
    assert!(!world.saw(b"tagged"));
    assert_eq!(holder.count("link_frame"), 2);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_frame_under_a_foreign_address_is_dropped() {
    let (wire, world, mut holder) = open_sandbox();
    let spoofed = Frame {
        from: [10, 77, 0, 66],
        ..frame(ALLOWED, b"spoof")
    };
    let spoofed = spoofed.bytes(&wire, &IPV4.to_be_bytes());
    send(&wire, &spoofed, IPV4, false);
    assert!(!world.saw(b"spoof"));
    assert_eq!(holder.count("link_spoofed"), 1);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_source_route_is_dropped() {
    let (wire, _world, mut holder) = open_sandbox();
    let routed = Frame {
        options: &[131, 7, 4, 169, 254, 169, 254, 0],
        ..frame(ALLOWED, b"route")
    };
    let routed = routed.bytes(&wire, &IPV4.to_be_bytes());
    send(&wire, &routed, IPV4, false);
    assert_eq!(holder.count("link_source_route"), 1);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn a_routing_header_behind_another_header_is_dropped() {
    let (wire, _world, mut holder) = open_sandbox();
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let mut frame = mac(&wire.world).to_vec();
    frame.extend(mac(&wire.sandbox));
    frame.extend(IPV6.to_be_bytes());
    frame.extend([0x60, 0, 0, 0, 0, 40, 60, 64]);
    frame.extend(address("fd77::2"));
    frame.extend(address("2001:db8::7"));
    // Destination options with padding alone, a routing header with one more stop, and UDP.
    frame.extend([43, 0, 1, 4, 0, 0, 0, 0]);
    frame.extend([17, 2, 4, 1, 0, 0, 0, 0]);
    frame.extend(address("fd77::9"));
    frame.extend([19, 136, 0, 80, 0, 8, 0, 0]);
    send(&wire, &frame, IPV6, false);
    assert_eq!(holder.count("link_source_route"), 1);
    assert_eq!(holder.count("link_allow_all"), 0);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn an_advertisement_of_a_foreign_ipv6_address_is_dropped() {
    let (wire, _world, mut holder) = open_sandbox();
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let advertisement = |target: &str| {
        let mut frame = mac(&wire.world).to_vec();
        frame.extend(mac(&wire.sandbox));
        frame.extend(IPV6.to_be_bytes());
        frame.extend([0x60, 0, 0, 0, 0, 32, 58, 255]);
        frame.extend(address("fd77::2"));
        frame.extend(address("ff02::1"));
        frame.extend([136, 0, 0, 0, 0x20, 0, 0, 0]);
        frame.extend(address(target));
        frame.extend([2, 1]);
        frame.extend(mac(&wire.sandbox));
        frame
    };
    send(&wire, &advertisement("fd77::2"), IPV6, false);
    assert_eq!(holder.count("link_advertisement"), 0, "its own");
    for foreign in ["fd77::9", "fd77::1"] {
        send(&wire, &advertisement(foreign), IPV6, false);
    }
    assert_eq!(holder.count("link_advertisement"), 2);
}

#[test]
#[ignore = "needs root and network namespaces"]
fn arp_resolves_the_gateway_and_leaves_neighbours_alone() {
    let (wire, _world, mut holder) = open_sandbox();
    let arp = |from: [u8; 4], to: [u8; 4]| {
        let mut frame = vec![0xff; 6];
        frame.extend(mac(&wire.sandbox));
        frame.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        frame.extend(mac(&wire.sandbox));
        frame.extend(from);
        frame.extend([0; 6]);
        frame.extend(to);
        frame
    };
    send(&wire, &arp(OWN, GATEWAY), ARP, false);
    assert_eq!(holder.count("link_arp"), 0);
    send(&wire, &arp(OWN, [10, 77, 0, 9]), ARP, false);
    send(&wire, &arp(GATEWAY, GATEWAY), ARP, false);
    assert_eq!(
        holder.count("link_arp"),
        2,
        "a neighbour's, and one in the gateway's name"
    );
}
