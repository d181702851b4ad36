//! Opening, naming and connecting sockets, datagrams with addresses, and lookups. Accepting, streams
//! and shutting down are preview 1's.

use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use wasmtime::{Caller, Linker};

use super::MODULE;
use crate::engine::ProcessState;
use crate::kernel::{Description, Descriptor, Errno, Fd, Object, Process, Result};
use crate::net::{Family, Network, Socket, SocketKind, Way};
use crate::wasi::memory::Guest;

/// An address as the guest has it: u16 family, u16 port, u32 zero, 16 bytes address.
const ADDRESS_BYTES: u32 = 24;
const V4: u16 = 4;
const V6: u16 = 6;
/// The longest name that is looked at; longer ones are no names.
const NAME_BYTES: u32 = 255;
/// The most addresses of one answer.
const ANSWERS: u32 = 256;

type Answer<'a> = Box<dyn Future<Output = i32> + Send + 'a>;

macro_rules! plain {
    ($linker:ident: $($name:ident($($arg:ident: $kind:ty),*);)*) => {
        $($linker.func_wrap(MODULE, stringify!($name), |caller: Caller<'_, ProcessState>, $($arg: $kind),*| {
            Errno::answer($name(caller, $($arg),*))
        })?;)*
    };
}

macro_rules! waiting {
    ($linker:ident: $($name:ident($($arg:ident: $kind:ty),*);)*) => {
        $($linker.func_wrap_async(
            MODULE,
            stringify!($name),
            |caller: Caller<'_, ProcessState>, ($($arg,)*): ($($kind,)*)| -> Answer<'_> {
                Box::new(async move { Errno::answer($name(caller, $($arg),*).await) })
            },
        )?;)*
    };
}

/// Adds the socket calls.
pub(super) fn add_to_linker(linker: &mut Linker<ProcessState>) -> wasmtime::Result<()> {
    plain! { linker:
        sock_open(family: u32, kind: u32, out: u32);
        sock_bind(fd: u32, address: u32);
        sock_listen(fd: u32, backlog: u32);
        sock_name(fd: u32, out: u32);
        sock_peer(fd: u32, out: u32);
        sock_set_timeout(fd: u32, way: u32, nanos: u64);
    }
    waiting! { linker:
        sock_connect(fd: u32, address: u32);
        sock_sendto(fd: u32, bytes: u32, len: u32, address: u32, out: u32);
        sock_recvfrom(fd: u32, buffer: u32, len: u32, address: u32, out: u32);
        resolve(name: u32, len: u32, family: u32, out: u32, max: u32, count: u32);
    }
    Ok(())
}

/// A descriptor that is a socket of this network.
struct Open(Arc<Description>);

impl Open {
    /// # Errors
    /// `BADF`, `NOTSOCK`.
    fn of(process: &Process, fd: Fd) -> Result<Self> {
        let description = process.descriptors.lock().get(fd)?.description.clone();
        let open = Self(description);
        open.socket().map(drop)?;
        Ok(open)
    }

    fn socket(&self) -> Result<&Socket> {
        match &self.0.object {
            Object::Socket(socket) => socket.as_any().downcast_ref().ok_or(Errno::NOTSOCK),
            _ => Err(Errno::NOTSOCK),
        }
    }

    /// What `poll` has, unless it would wait and may not.
    fn or_again<T>(&self, poll: Poll<Result<T>>) -> Poll<Result<T>> {
        match poll {
            Poll::Pending if self.0.is_nonblocking() => Poll::Ready(Err(Errno::AGAIN)),
            poll => poll,
        }
    }
}

fn sock_open(mut caller: Caller<'_, ProcessState>, family: u32, kind: u32, out: u32) -> Result<()> {
    Guest::of(&mut caller)?.bytes(out, 4)?;
    let family = match family {
        4 => Family::V4,
        6 => Family::V6,
        _ => return Err(Errno::AFNOSUPPORT),
    };
    let kind = match kind {
        1 => SocketKind::Stream,
        2 => SocketKind::Datagram,
        3 => SocketKind::Echo,
        _ => return Err(Errno::PROTONOSUPPORT),
    };
    let process = &caller.data().process;
    let network = Network::of(&process.machine)?;
    let socket = Socket::open(&network, &process.machine.memory, family, kind)?;
    let description = Description::new(Object::Socket(socket), true, true);
    let inserted = process
        .descriptors
        .lock()
        .insert(Descriptor::new(description), 0);
    let fd = inserted?;
    Guest::of(&mut caller)?.write_u32(out, fd)
}

fn sock_bind(mut caller: Caller<'_, ProcessState>, fd: u32, address: u32) -> Result<()> {
    let address = read_address(&Guest::of(&mut caller)?, address)?;
    let address = address.ok_or(Errno::AFNOSUPPORT)?;
    Open::of(&caller.data().process, fd)?
        .socket()?
        .bind(address)
}

fn sock_listen(caller: Caller<'_, ProcessState>, fd: u32, backlog: u32) -> Result<()> {
    Open::of(&caller.data().process, fd)?
        .socket()?
        .listen(backlog)
}

fn sock_name(mut caller: Caller<'_, ProcessState>, fd: u32, out: u32) -> Result<()> {
    let name = Open::of(&caller.data().process, fd)?.socket()?.name();
    Guest::of(&mut caller)?.write(out, &encode(name))
}

fn sock_peer(mut caller: Caller<'_, ProcessState>, fd: u32, out: u32) -> Result<()> {
    let peer = Open::of(&caller.data().process, fd)?.socket()?.peer()?;
    Guest::of(&mut caller)?.write(out, &encode(peer))
}

fn sock_set_timeout(caller: Caller<'_, ProcessState>, fd: u32, way: u32, nanos: u64) -> Result<()> {
    let way = match way {
        0 => Way::Receive,
        1 => Way::Send,
        _ => return Err(Errno::INVAL),
    };
    let open = Open::of(&caller.data().process, fd)?;
    open.socket()?.set_timeout(way, Duration::from_nanos(nanos));
    Ok(())
}

async fn sock_connect(mut caller: Caller<'_, ProcessState>, fd: u32, address: u32) -> Result<()> {
    let to = read_address(&Guest::of(&mut caller)?, address)?;
    let process = caller.data().process.clone();
    let open = Open::of(&process, fd)?;
    let socket = open.socket()?;
    if socket.connect(to)? {
        return Ok(());
    }
    if open.0.is_nonblocking() {
        return Err(Errno::INPROGRESS);
    }
    let connected = poll_fn(|cx| {
        let connected = socket.poll_connected(cx);
        socket.in_time(cx, Way::Send, connected)
    });
    match process.interruptible(connected).await {
        Err(Errno::AGAIN) => Err(Errno::TIMEDOUT),
        connected => connected,
    }
}

async fn sock_sendto(
    mut caller: Caller<'_, ProcessState>,
    fd: u32,
    bytes: u32,
    len: u32,
    address: u32,
    out: u32,
) -> Result<()> {
    let memory = Guest::of(&mut caller)?;
    memory.bytes(out, 4)?;
    let to = read_address(&memory, address)?;
    let process = caller.data().process.clone();
    let open = Open::of(&process, fd)?;
    let socket = open.socket()?;
    let sent = poll_fn(|cx| {
        let memory = Guest::of(&mut caller)?;
        let sent = socket.poll_send(cx, memory.bytes(bytes, len)?, to);
        open.or_again(socket.in_time(cx, Way::Send, sent))
    });
    let sent = match process.interruptible(sent).await {
        Err(Errno::PIPE) => return Err(process.broken_pipe()),
        sent => sent?,
    };
    Guest::of(&mut caller)?.write_u32(out, sent as u32)
}

async fn sock_recvfrom(
    mut caller: Caller<'_, ProcessState>,
    fd: u32,
    buffer: u32,
    len: u32,
    address: u32,
    out: u32,
) -> Result<()> {
    let memory = Guest::of(&mut caller)?;
    memory.bytes(out, 4)?;
    memory.bytes(address, ADDRESS_BYTES)?;
    let process = caller.data().process.clone();
    let open = Open::of(&process, fd)?;
    let socket = open.socket()?;
    let received = poll_fn(|cx| {
        let mut memory = Guest::of(&mut caller)?;
        let received = socket.poll_receive(cx, memory.bytes_mut(buffer, len)?, false);
        open.or_again(socket.in_time(cx, Way::Receive, received))
    });
    let received = process.interruptible(received).await?;
    let mut memory = Guest::of(&mut caller)?;
    memory.write(address, &encode(received.from))?;
    memory.write_u32(out, received.count as u32)
}

async fn resolve(
    mut caller: Caller<'_, ProcessState>,
    name: u32,
    len: u32,
    family: u32,
    out: u32,
    max: u32,
    count: u32,
) -> Result<()> {
    let family = match family {
        0 => None,
        4 => Some(Family::V4),
        6 => Some(Family::V6),
        _ => return Err(Errno::AFNOSUPPORT),
    };
    let process = caller.data().process.clone();
    let max = max.min(ANSWERS);
    let memory = Guest::of(&mut caller)?;
    memory.bytes(count, 4)?;
    memory.bytes(out, max * ADDRESS_BYTES)?;
    if len > NAME_BYTES {
        return Err(Errno::NAMETOOLONG);
    }
    let name = std::str::from_utf8(memory.bytes(name, len)?).map_err(|_| Errno::NOENT)?;
    let name = name.to_owned();
    let found = async {
        if name.eq_ignore_ascii_case(&process.machine.hostname) {
            // Its own name is itself, and nobody else's to answer.
            return Network::loopback(family);
        }
        Network::of(&process.machine)?.resolve(&name, family).await
    };
    let found = process.interruptible(found).await?;
    let mut memory = Guest::of(&mut caller)?;
    let shown = found.iter().take(max as usize);
    let mut written = 0;
    for address in shown {
        let record = encode(SocketAddr::new(*address, 0));
        memory.write(out + written * ADDRESS_BYTES, &record)?;
        written += 1;
    }
    memory.write_u32(count, written)
}

/// The address at `at`; none for family 0.
///
/// # Errors
/// `FAULT`; `AFNOSUPPORT` for other families.
fn read_address(memory: &Guest<'_>, at: u32) -> Result<Option<SocketAddr>> {
    decode(memory.bytes(at, ADDRESS_BYTES)?)
}

fn decode(record: &[u8]) -> Result<Option<SocketAddr>> {
    let (head, ip) = record.split_first_chunk::<8>().ok_or(Errno::FAULT)?;
    let ip: [u8; 16] = ip.try_into().map_err(|_| Errno::FAULT)?;
    let port = u16::from_le_bytes([head[2], head[3]]);
    let ip = match u16::from_le_bytes([head[0], head[1]]) {
        0 => return Ok(None),
        V4 => IpAddr::V4(Ipv4Addr::new(ip[0], ip[1], ip[2], ip[3])),
        V6 => IpAddr::V6(Ipv6Addr::from(ip)),
        _ => return Err(Errno::AFNOSUPPORT),
    };
    Ok(Some(SocketAddr::new(ip, port)))
}

fn encode(address: SocketAddr) -> [u8; ADDRESS_BYTES as usize] {
    let mut record = [0; ADDRESS_BYTES as usize];
    record[2..4].copy_from_slice(&address.port().to_le_bytes());
    match address.ip() {
        IpAddr::V4(v4) => {
            record[..2].copy_from_slice(&V4.to_le_bytes());
            record[8..12].copy_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            record[..2].copy_from_slice(&V6.to_le_bytes());
            record[8..].copy_from_slice(&v6.octets());
        }
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_went() {
        for text in ["127.0.0.1:80", "[2001:db8::1]:65535", "0.0.0.0:0"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(decode(&encode(address)), Ok(Some(address)));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let mut record = encode("127.0.0.1:80".parse().unwrap());
        record[0] = 0;
        assert_eq!(decode(&record), Ok(None));
        record[1] = 1;
        assert_eq!(decode(&record), Err(Errno::AFNOSUPPORT));
        assert_eq!(decode(&record[..23]), Err(Errno::FAULT));
    }
}
