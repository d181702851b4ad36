//! `wasi:sockets/udp`.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wasmtime::Result as HostResult;
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::address::{self, remote, shown, taken};
use super::options::{Options, buffer, positive};
use super::{ErrorCode, Network, SocketError, SocketResult, socket};
use crate::component::bindings::wasi::sockets::network::{IpAddressFamily, IpSocketAddress};
use crate::component::bindings::wasi::sockets::udp::{
    self, HostIncomingDatagramStream, HostOutgoingDatagramStream, HostUdpSocket, IncomingDatagram,
    OutgoingDatagram,
};
use crate::component::bindings::wasi::sockets::udp_create_socket;
use crate::component::state::Host;
use crate::kernel::Description;
use crate::net::{Family, SocketKind};

/// The most datagrams of one call.
const BATCH: u64 = 16;
/// The most bytes of a datagram.
const DATAGRAM_BYTES: usize = 64 << 10;

/// A UDP socket of a component.
#[derive(Debug)]
pub struct UdpSocket {
    description: Arc<Description>,
    family: Family,
    state: State,
    options: Options,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Binding,
    Bound,
}

/// The datagrams that a socket receives.
#[derive(Debug)]
pub struct IncomingDatagrams(Arc<Description>);

/// The datagrams that a socket sends.
#[derive(Debug)]
pub struct OutgoingDatagrams {
    description: Arc<Description>,
    family: Family,
    /// Whom the socket is connected to.
    peer: Option<SocketAddr>,
    /// What the component may send before it asks again.
    permit: u64,
}

/// A UDP socket does nothing that is waited for itself.
#[async_trait]
impl Pollable for UdpSocket {
    async fn ready(&mut self) {}
}

#[async_trait]
impl Pollable for IncomingDatagrams {
    async fn ready(&mut self) {
        poll_fn(|cx| self.0.poll_ready(cx, false)).await;
    }
}

#[async_trait]
impl Pollable for OutgoingDatagrams {
    async fn ready(&mut self) {
        poll_fn(|cx| self.description.poll_ready(cx, true)).await;
    }
}

impl OutgoingDatagrams {
    /// Sends one datagram; `false` when there is no room for it now.
    fn send(&self, datagram: &OutgoingDatagram) -> SocketResult<bool> {
        let to = match (datagram.remote_address, self.peer) {
            (Some(to), None) => Some(remote(to, self.family)?),
            (Some(to), Some(peer)) if remote(to, self.family)? != peer => {
                return Err(ErrorCode::InvalidArgument.into());
            }
            (_, Some(_)) => None,
            (None, None) => return Err(ErrorCode::InvalidArgument.into()),
        };
        let waker = Context::from_waker(Waker::noop());
        match socket(&self.description)?.poll_send(&waker, &datagram.data, to) {
            Poll::Ready(sent) => Ok(sent.map(|_| true)?),
            Poll::Pending => Ok(false),
        }
    }
}

impl Host<'_> {
    fn udp(&mut self, socket: &Resource<UdpSocket>) -> SocketResult<&mut UdpSocket> {
        Ok(self.table.get_mut(socket)?)
    }
}

impl udp::Host for Host<'_> {}

impl udp_create_socket::Host for Host<'_> {
    fn create_udp_socket(&mut self, family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        let (description, family) = self.open_socket(family, SocketKind::Datagram)?;
        Ok(self.table.push(UdpSocket {
            description,
            family,
            state: State::New,
            options: Options::default(),
        })?)
    }
}

impl HostUdpSocket for Host<'_> {
    fn start_bind(
        &mut self,
        this: Resource<UdpSocket>,
        _network: Resource<Network>,
        local: IpSocketAddress,
    ) -> SocketResult<()> {
        let udp = self.udp(&this)?;
        if udp.state != State::New {
            return Err(ErrorCode::InvalidState.into());
        }
        socket(&udp.description)?.bind(taken(local, udp.family)?)?;
        udp.state = State::Binding;
        Ok(())
    }

    fn finish_bind(&mut self, this: Resource<UdpSocket>) -> SocketResult<()> {
        let udp = self.udp(&this)?;
        if udp.state != State::Binding {
            return Err(ErrorCode::NotInProgress.into());
        }
        udp.state = State::Bound;
        Ok(())
    }

    fn stream(
        &mut self,
        this: Resource<UdpSocket>,
        to: Option<IpSocketAddress>,
    ) -> SocketResult<(Resource<IncomingDatagrams>, Resource<OutgoingDatagrams>)> {
        let udp = self.udp(&this)?;
        if udp.state != State::Bound {
            return Err(ErrorCode::InvalidState.into());
        }
        let (family, description) = (udp.family, udp.description.clone());
        let peer = to.map(|to| remote(to, family)).transpose()?;
        socket(&description)?.connect(peer)?;
        let incoming = self.table.push(IncomingDatagrams(description.clone()))?;
        let outgoing = self.table.push(OutgoingDatagrams {
            description,
            family,
            peer,
            permit: 0,
        })?;
        Ok((incoming, outgoing))
    }

    fn local_address(&mut self, this: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        let udp = self.udp(&this)?;
        if udp.state != State::Bound {
            return Err(ErrorCode::InvalidState.into());
        }
        Ok(shown(socket(&udp.description)?.name()))
    }

    fn remote_address(&mut self, this: Resource<UdpSocket>) -> SocketResult<IpSocketAddress> {
        let udp = self.udp(&this)?;
        Ok(shown(socket(&udp.description)?.peer()?))
    }

    fn address_family(&mut self, this: Resource<UdpSocket>) -> HostResult<IpAddressFamily> {
        Ok(address::family(self.table.get(&this)?.family))
    }

    fn unicast_hop_limit(&mut self, this: Resource<UdpSocket>) -> SocketResult<u8> {
        Ok(self.udp(&this)?.options.hop_limit)
    }

    fn set_unicast_hop_limit(&mut self, this: Resource<UdpSocket>, limit: u8) -> SocketResult<()> {
        self.udp(&this)?.options.hop_limit = positive(limit)?;
        Ok(())
    }

    fn receive_buffer_size(&mut self, this: Resource<UdpSocket>) -> SocketResult<u64> {
        Ok(self.udp(&this)?.options.receive_buffer)
    }

    fn set_receive_buffer_size(
        &mut self,
        this: Resource<UdpSocket>,
        bytes: u64,
    ) -> SocketResult<()> {
        self.udp(&this)?.options.receive_buffer = buffer(bytes)?;
        Ok(())
    }

    fn send_buffer_size(&mut self, this: Resource<UdpSocket>) -> SocketResult<u64> {
        Ok(self.udp(&this)?.options.send_buffer)
    }

    fn set_send_buffer_size(&mut self, this: Resource<UdpSocket>, bytes: u64) -> SocketResult<()> {
        self.udp(&this)?.options.send_buffer = buffer(bytes)?;
        Ok(())
    }

    fn subscribe(&mut self, this: Resource<UdpSocket>) -> HostResult<Resource<DynPollable>> {
        subscribe(self.table, this)
    }

    fn drop(&mut self, this: Resource<UdpSocket>) -> HostResult<()> {
        let closed = self.table.delete(this)?;
        drop(closed);
        Ok(())
    }
}

impl HostIncomingDatagramStream for Host<'_> {
    fn receive(
        &mut self,
        this: Resource<IncomingDatagrams>,
        most: u64,
    ) -> SocketResult<Vec<IncomingDatagram>> {
        let incoming = self.table.get(&this)?;
        let socket = socket(&incoming.0)?;
        let mut received = Vec::new();
        let mut buffer = vec![0; DATAGRAM_BYTES];
        let waker = Context::from_waker(Waker::noop());
        while (received.len() as u64) < most.min(BATCH) {
            match socket.poll_receive(&waker, &mut buffer, false) {
                Poll::Ready(Ok(datagram)) => received.push(IncomingDatagram {
                    data: buffer[..datagram.count].to_vec(),
                    remote_address: shown(datagram.from),
                }),
                // What came before is not lost with it.
                Poll::Ready(Err(errno)) if received.is_empty() => return Err(errno.into()),
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        Ok(received)
    }

    fn subscribe(
        &mut self,
        this: Resource<IncomingDatagrams>,
    ) -> HostResult<Resource<DynPollable>> {
        subscribe(self.table, this)
    }

    fn drop(&mut self, this: Resource<IncomingDatagrams>) -> HostResult<()> {
        let closed = self.table.delete(this)?;
        drop(closed);
        Ok(())
    }
}

impl HostOutgoingDatagramStream for Host<'_> {
    fn check_send(&mut self, this: Resource<OutgoingDatagrams>) -> SocketResult<u64> {
        let outgoing = self.table.get_mut(&this)?;
        let mut waker = Context::from_waker(Waker::noop());
        let room = outgoing.description.poll_ready(&mut waker, true);
        outgoing.permit = if room.is_ready() { BATCH } else { 0 };
        Ok(outgoing.permit)
    }

    fn send(
        &mut self,
        this: Resource<OutgoingDatagrams>,
        datagrams: Vec<OutgoingDatagram>,
    ) -> SocketResult<u64> {
        let outgoing = self.table.get_mut(&this)?;
        if datagrams.is_empty() {
            return Ok(0);
        }
        let count = datagrams.len() as u64;
        if count > outgoing.permit {
            let error = wasmtime::format_err!("more was sent than check-send allowed");
            return Err(SocketError::Trap(error));
        }
        outgoing.permit -= count;
        let mut sent = 0;
        for datagram in &datagrams {
            match outgoing.send(datagram) {
                Ok(true) => sent += 1,
                // What went before is not undone by it.
                Err(error) if sent == 0 => return Err(error),
                Ok(false) | Err(_) => break,
            }
        }
        Ok(sent)
    }

    fn subscribe(
        &mut self,
        this: Resource<OutgoingDatagrams>,
    ) -> HostResult<Resource<DynPollable>> {
        subscribe(self.table, this)
    }

    fn drop(&mut self, this: Resource<OutgoingDatagrams>) -> HostResult<()> {
        let closed = self.table.delete(this)?;
        drop(closed);
        Ok(())
    }
}
