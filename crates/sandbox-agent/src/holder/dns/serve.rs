//! Listening on the namespace's loopback.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::super::policy::Policy;
use super::clients::Clients;
use super::resolve::resolve;
use super::upstream::{read_framed_by, write_framed};

/// Where programs in the namespace find the resolver.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 53);
/// Lookups at once, over UDP and TCP. More are dropped, and programs ask again: a sandbox cannot
/// make the holder grow. With the TCP clients, the threads stay below 60.
const MAX_LOOKUPS: usize = 40;
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
    let busy = Arc::new(AtomicUsize::new(0));
    let (policy_udp, busy_udp) = (Arc::clone(policy), Arc::clone(&busy));
    spawn(move || serve_udp(&udp, &policy_udp, &busy_udp))?;
    let policy = Arc::clone(policy);
    spawn(move || serve_tcp(&tcp, &policy, &busy))?;
    Ok(address.to_string())
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().stack_size(STACK).spawn(work)?;
    Ok(())
}

/// One of the lookups that may be under way.
struct Slot(Arc<AtomicUsize>);

impl Slot {
    fn take(busy: &Arc<AtomicUsize>) -> Option<Self> {
        let slot = Self(Arc::clone(busy));
        (busy.fetch_add(1, Ordering::Relaxed) < MAX_LOOKUPS).then_some(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn serve_udp(socket: &Arc<UdpSocket>, policy: &Arc<Policy>, busy: &Arc<AtomicUsize>) {
    let mut buffer = [0; MAX_QUERY];
    loop {
        // An error here is about an earlier answer (its asker is gone) or passes.
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let Some(slot) = Slot::take(busy) else {
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

fn serve_tcp(listener: &TcpListener, policy: &Arc<Policy>, busy: &Arc<AtomicUsize>) {
    let clients = Arc::new(Clients::default());
    loop {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let Ok(client) = clients.admit(&stream) else {
            continue;
        };
        let (policy, busy) = (Arc::clone(policy), Arc::clone(busy));
        // As above: the client sees the connection close.
        let _ = spawn(move || {
            let _client = client;
            let _ = serve_stream(stream, &policy, &busy);
        });
    }
}

fn serve_stream(mut stream: TcpStream, policy: &Policy, busy: &Arc<AtomicUsize>) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    for _ in 0..PER_CONNECTION {
        let query = read_framed_by(&mut stream, Instant::now() + PATIENCE)?;
        // A client that is merely connected takes no lookup from others.
        let Some(_slot) = Slot::take(busy) else {
            return Ok(());
        };
        match resolve(&query, policy) {
            Some(answer) => write_framed(&mut stream, answer.over_tcp())?,
            None => return Ok(()),
        }
    }
    Ok(())
}
