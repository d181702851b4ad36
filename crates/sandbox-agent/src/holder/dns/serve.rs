//! Listening on the namespace's loopback.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::super::policy::Policy;
use super::clients::Clients;
use super::resolve::resolve;
use super::slots::Slots;
use super::upstream::{read_framed_by, write_framed};

/// Where programs in the namespace find the resolver.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 53);
const MAX_QUERY: usize = 1_024;
/// How long a TCP client may take to send a question, silence before it included, and to take an
/// answer.
const PATIENCE: Duration = Duration::from_secs(3);
const STACK: usize = 128 << 10;
/// Lookups in one TCP connection.
const PER_CONNECTION: usize = 100;

/// Starts answering. Returns where.
pub(crate) fn start(policy: &Arc<Policy>) -> io::Result<String> {
    let address = SocketAddr::from(LISTEN);
    let udp = Arc::new(UdpSocket::bind(address)?);
    let tcp = TcpListener::bind(address)?;
    let slots = Slots::new();
    let (policy_udp, slots_udp) = (Arc::clone(policy), Arc::clone(&slots));
    spawn(move || serve_udp(&udp, &policy_udp, &slots_udp))?;
    let policy = Arc::clone(policy);
    spawn(move || serve_tcp(&tcp, &policy, &slots))?;
    Ok(address.to_string())
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().stack_size(STACK).spawn(work)?;
    Ok(())
}

fn serve_udp(socket: &Arc<UdpSocket>, policy: &Arc<Policy>, slots: &Arc<Slots>) {
    let mut buffer = [0; MAX_QUERY];
    loop {
        // Before anything is received: what comes meanwhile is kept by the socket and not lost.
        let slot = slots.take();
        // An error here is about an earlier answer (its asker is gone) or passes.
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let query = buffer.get(..length).unwrap_or_default().to_vec();
        let (socket, policy) = (Arc::clone(socket), Arc::clone(policy));
        // Without a thread there is no answer, and the program asks again.
        let _ = spawn(move || {
            let _slot = slot;
            if let Some(answer) = resolve(&query, &policy) {
                // The asker may be gone.
                let _ = socket.send_to(answer.over_udp(), from);
            }
        });
    }
}

fn serve_tcp(listener: &TcpListener, policy: &Arc<Policy>, slots: &Arc<Slots>) {
    let clients = Arc::new(Clients::default());
    loop {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let Ok(client) = clients.admit(&stream) else {
            continue;
        };
        let (policy, slots) = (Arc::clone(policy), Arc::clone(slots));
        // As above: the client sees the connection close.
        let _ = spawn(move || {
            let _client = client;
            let _ = serve_stream(stream, &policy, &slots);
        });
    }
}

fn serve_stream(mut stream: TcpStream, policy: &Policy, slots: &Arc<Slots>) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    for _ in 0..PER_CONNECTION {
        let query = read_framed_by(&mut stream, Instant::now() + PATIENCE)?;
        // A client that is merely connected takes no lookup from others.
        let _slot = slots.take();
        match resolve(&query, policy) {
            Some(answer) => write_framed(&mut stream, answer.over_tcp())?,
            None => return Ok(()),
        }
    }
    Ok(())
}
