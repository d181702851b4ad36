//! `wasi:sockets/tcp`.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wasmtime::Result as HostResult;
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::address::{self, remote, shown, taken};
use super::options::{Options, buffer, positive};
use super::{ErrorCode, Network, SocketResult, socket};
use crate::component::bindings::wasi::sockets::network::{IpAddressFamily, IpSocketAddress};
use crate::component::bindings::wasi::sockets::tcp::{self, HostTcpSocket, ShutdownType};
use crate::component::bindings::wasi::sockets::tcp_create_socket;
use crate::component::state::Host;
use crate::component::streams::{Cursor, Reader, Writer};
use crate::kernel::{Description, Result};
use crate::net::{Family, SocketKind};

/// Connections that wait, as long as nobody says how many.
const BACKLOG: u32 = 128;

/// A TCP socket of a component.
#[derive(Debug)]
pub struct TcpSocket {
    description: Arc<Description>,
    family: Family,
    state: State,
    backlog: u32,
    options: Options,
}

/// Where a socket is in what the interface does in two steps.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    New,
    Binding,
    Bound,
    Connecting,
    /// How connecting ended, before the component has asked.
    Tried(Result<()>),
    Connected,
    Starting,
    Listening,
    /// It failed to connect, and is of no use any more.
    Broken,
}

type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);

impl TcpSocket {
    fn new(description: Arc<Description>, family: Family, state: State, options: Options) -> Self {
        Self {
            description,
            family,
            state,
            backlog: BACKLOG,
            options,
        }
    }

    /// Waits until the next step can be taken.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.state {
            State::Connecting => {
                let connected = socket(&self.description).map(|socket| socket.poll_connected(cx));
                let connected = match connected {
                    Ok(Poll::Pending) => return Poll::Pending,
                    Ok(Poll::Ready(connected)) => connected,
                    Err(errno) => Err(errno),
                };
                self.state = State::Tried(connected);
                Poll::Ready(())
            }
            State::Listening => self.description.poll_ready(cx, false).map(|_| ()),
            _ => Poll::Ready(()),
        }
    }

    /// Goes from one of two steps to what comes after it.
    fn finish(&mut self, from: State, to: State) -> SocketResult<()> {
        if self.state != from {
            return Err(ErrorCode::NotInProgress.into());
        }
        self.state = to;
        Ok(())
    }
}

#[async_trait]
impl Pollable for TcpSocket {
    async fn ready(&mut self) {
        poll_fn(|cx| self.poll_step(cx)).await;
    }
}

impl Host<'_> {
    fn tcp(&mut self, socket: &Resource<TcpSocket>) -> SocketResult<&mut TcpSocket> {
        Ok(self.table.get_mut(socket)?)
    }

    fn options(&mut self, socket: &Resource<TcpSocket>) -> SocketResult<&mut Options> {
        Ok(&mut self.tcp(socket)?.options)
    }

    fn streams(&mut self, description: &Arc<Description>) -> SocketResult<Streams> {
        let reader: DynInputStream = Box::new(Reader::new(description.clone(), Cursor::Shared));
        let writer = Writer::new(self.process, Some(description.clone()), Cursor::Shared);
        let writer: DynOutputStream = Box::new(writer);
        Ok((self.table.push(reader)?, self.table.push(writer)?))
    }
}

impl tcp::Host for Host<'_> {}

impl tcp_create_socket::Host for Host<'_> {
    fn create_tcp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        let (description, family) = self.open_socket(family, SocketKind::Stream)?;
        let socket = TcpSocket::new(description, family, State::New, Options::default());
        Ok(self.table.push(socket)?)
    }
}

impl HostTcpSocket for Host<'_> {
    fn start_bind(
        &mut self,
        this: Resource<TcpSocket>,
        _network: Resource<Network>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        let tcp = self.tcp(&this)?;
        if tcp.state != State::New {
            return Err(ErrorCode::InvalidState.into());
        }
        socket(&tcp.description)?.bind(taken(local, tcp.family)?)?;
        tcp.state = State::Binding;
        Ok(())
    }

    fn finish_bind(&mut self, this: Resource<TcpSocket>) -> SocketResult<()> {
        self.tcp(&this)?.finish(State::Binding, State::Bound)
    }

    fn start_connect(
        &mut self,
        this: Resource<TcpSocket>,
        _network: Resource<Network>,
        to: IpSocketAddress,
    ) -> SocketResult<()> {
        let tcp = self.tcp(&this)?;
        match tcp.state {
            State::New | State::Bound => {}
            State::Connecting | State::Tried(_) => {
                return Err(ErrorCode::ConcurrencyConflict.into());
            }
            _ => return Err(ErrorCode::InvalidState.into()),
        }
        let to = remote(to, tcp.family)?;
        tcp.state = match socket(&tcp.description)?.connect(Some(to)) {
            Ok(true) => State::Tried(Ok(())),
            Ok(false) => State::Connecting,
            Err(errno) => State::Tried(Err(errno)),
        };
        Ok(())
    }

    fn finish_connect(&mut self, this: Resource<TcpSocket>) -> SocketResult<Streams> {
        let tcp = self.tcp(&this)?;
        let _ready = tcp.poll_step(&mut Context::from_waker(Waker::noop()));
        match tcp.state {
            State::Connecting => return Err(ErrorCode::WouldBlock.into()),
            State::Tried(Ok(())) => tcp.state = State::Connected,
            State::Tried(Err(errno)) => {
                tcp.state = State::Broken;
                return Err(errno.into());
            }
            _ => return Err(ErrorCode::NotInProgress.into()),
        }
        let description = tcp.description.clone();
        self.streams(&description)
    }

    fn start_listen(&mut self, this: Resource<TcpSocket>) -> SocketResult<()> {
        let tcp = self.tcp(&this)?;
        if tcp.state != State::Bound {
            return Err(ErrorCode::InvalidState.into());
        }
        socket(&tcp.description)?.listen(tcp.backlog)?;
        tcp.state = State::Starting;
        Ok(())
    }

    fn finish_listen(&mut self, this: Resource<TcpSocket>) -> SocketResult<()> {
        self.tcp(&this)?.finish(State::Starting, State::Listening)
    }

    fn accept(
        &mut self,
        this: Resource<TcpSocket>,
    ) -> SocketResult<(
        Resource<TcpSocket>,
        Resource<DynInputStream>,
        Resource<DynOutputStream>,
    )> {
        let tcp = self.tcp(&this)?;
        if tcp.state != State::Listening {
            return Err(ErrorCode::InvalidState.into());
        }
        let (family, options) = (tcp.family, tcp.options);
        let waker = Context::from_waker(Waker::noop());
        let (accepted, _) = match socket(&tcp.description)?.poll_accept(&waker) {
            Poll::Ready(accepted) => accepted?,
            Poll::Pending => return Err(ErrorCode::WouldBlock.into()),
        };
        let object = crate::kernel::Object::Socket(accepted);
        let description = Description::new(object, true, true);
        let (reader, writer) = self.streams(&description)?;
        let accepted = TcpSocket::new(description, family, State::Connected, options);
        Ok((self.table.push(accepted)?, reader, writer))
    }

    fn local_address(&mut self, this: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        let tcp = self.tcp(&this)?;
        if let State::New | State::Binding | State::Broken = tcp.state {
            return Err(ErrorCode::InvalidState.into());
        }
        Ok(shown(socket(&tcp.description)?.name()))
    }

    fn remote_address(&mut self, this: Resource<TcpSocket>) -> SocketResult<IpSocketAddress> {
        let tcp = self.tcp(&this)?;
        if tcp.state != State::Connected {
            return Err(ErrorCode::InvalidState.into());
        }
        Ok(shown(socket(&tcp.description)?.peer()?))
    }

    fn is_listening(&mut self, this: Resource<TcpSocket>) -> HostResult<bool> {
        Ok(self.table.get(&this)?.state == State::Listening)
    }

    fn address_family(&mut self, this: Resource<TcpSocket>) -> HostResult<IpAddressFamily> {
        Ok(address::family(self.table.get(&this)?.family))
    }

    fn set_listen_backlog_size(
        &mut self,
        this: Resource<TcpSocket>,
        size: u64,
    ) -> SocketResult<()> {
        let size = positive(size)?;
        let tcp = self.tcp(&this)?;
        match tcp.state {
            State::Connecting | State::Tried(_) | State::Connected | State::Broken => {
                return Err(ErrorCode::InvalidState.into());
            }
            _ => tcp.backlog = u32::try_from(size).unwrap_or(u32::MAX),
        }
        Ok(())
    }

    fn keep_alive_enabled(&mut self, this: Resource<TcpSocket>) -> SocketResult<bool> {
        Ok(self.options(&this)?.keep_alive)
    }

    fn set_keep_alive_enabled(
        &mut self,
        this: Resource<TcpSocket>,
        enabled: bool,
    ) -> SocketResult<()> {
        self.options(&this)?.keep_alive = enabled;
        Ok(())
    }

    fn keep_alive_idle_time(&mut self, this: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(self.options(&this)?.keep_alive_idle)
    }

    fn set_keep_alive_idle_time(
        &mut self,
        this: Resource<TcpSocket>,
        nanos: u64,
    ) -> SocketResult<()> {
        self.options(&this)?.keep_alive_idle = positive(nanos)?;
        Ok(())
    }

    fn keep_alive_interval(&mut self, this: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(self.options(&this)?.keep_alive_interval)
    }

    fn set_keep_alive_interval(
        &mut self,
        this: Resource<TcpSocket>,
        nanos: u64,
    ) -> SocketResult<()> {
        self.options(&this)?.keep_alive_interval = positive(nanos)?;
        Ok(())
    }

    fn keep_alive_count(&mut self, this: Resource<TcpSocket>) -> SocketResult<u32> {
        Ok(self.options(&this)?.keep_alive_count)
    }

    fn set_keep_alive_count(&mut self, this: Resource<TcpSocket>, count: u32) -> SocketResult<()> {
        self.options(&this)?.keep_alive_count = positive(count)?;
        Ok(())
    }

    fn hop_limit(&mut self, this: Resource<TcpSocket>) -> SocketResult<u8> {
        Ok(self.options(&this)?.hop_limit)
    }

    fn set_hop_limit(&mut self, this: Resource<TcpSocket>, limit: u8) -> SocketResult<()> {
        self.options(&this)?.hop_limit = positive(limit)?;
        Ok(())
    }

    fn receive_buffer_size(&mut self, this: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(self.options(&this)?.receive_buffer)
    }

    fn set_receive_buffer_size(
        &mut self,
        this: Resource<TcpSocket>,
        bytes: u64,
    ) -> SocketResult<()> {
        self.options(&this)?.receive_buffer = buffer(bytes)?;
        Ok(())
    }

    fn send_buffer_size(&mut self, this: Resource<TcpSocket>) -> SocketResult<u64> {
        Ok(self.options(&this)?.send_buffer)
    }

    fn set_send_buffer_size(&mut self, this: Resource<TcpSocket>, bytes: u64) -> SocketResult<()> {
        self.options(&this)?.send_buffer = buffer(bytes)?;
        Ok(())
    }

    fn subscribe(&mut self, this: Resource<TcpSocket>) -> HostResult<Resource<DynPollable>> {
        subscribe(self.table, this)
    }

    fn shutdown(&mut self, this: Resource<TcpSocket>, how: ShutdownType) -> SocketResult<()> {
        let tcp = self.tcp(&this)?;
        if tcp.state != State::Connected {
            return Err(ErrorCode::InvalidState.into());
        }
        let (read, write) = match how {
            ShutdownType::Receive => (true, false),
            ShutdownType::Send => (false, true),
            ShutdownType::Both => (true, true),
        };
        crate::kernel::Socket::shut_down(socket(&tcp.description)?, read, write)?;
        Ok(())
    }

    fn drop(&mut self, this: Resource<TcpSocket>) -> HostResult<()> {
        let closed = self.table.delete(this)?;
        drop(closed);
        Ok(())
    }
}
