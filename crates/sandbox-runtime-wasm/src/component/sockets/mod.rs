//! `wasi:sockets` over the sandbox's own network: every connect, send and lookup goes through its
//! one policy, as it does for preview 1.

mod address;
mod lookup;
mod options;
mod tcp;
mod udp;

use std::sync::Arc;

use wasmtime::Result as HostResult;
use wasmtime::component::{Resource, ResourceTableError};

pub use lookup::Addresses;
pub use tcp::TcpSocket;
pub use udp::{IncomingDatagrams, OutgoingDatagrams, UdpSocket};

use super::bindings::wasi::sockets::network::{ErrorCode, IpAddressFamily};
use super::bindings::wasi::sockets::{instance_network, network};
use super::error::StreamFailure;
use super::state::Host;
use crate::kernel::{Description, Errno, Object, Result};
use crate::net::{self, Family, Socket, SocketKind};

/// The right to the network, which every component has: what it may reach its policy says.
#[derive(Debug)]
pub struct Network;

/// Why a call failed: an error that the component sees, or one that ends it.
#[derive(Debug)]
pub enum SocketError {
    /// The component sees it.
    Code(ErrorCode),
    /// It ends the component, which broke a rule or has used what it does not have.
    Trap(wasmtime::Error),
}

/// What a call answers.
type SocketResult<T> = std::result::Result<T, SocketError>;

impl From<ErrorCode> for SocketError {
    fn from(code: ErrorCode) -> Self {
        Self::Code(code)
    }
}

impl From<Errno> for SocketError {
    fn from(errno: Errno) -> Self {
        Self::Code(error_code(errno))
    }
}

impl From<ResourceTableError> for SocketError {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}

fn error_code(errno: Errno) -> ErrorCode {
    match errno {
        Errno::ACCES | Errno::PERM => ErrorCode::AccessDenied,
        Errno::ADDRINUSE => ErrorCode::AddressInUse,
        Errno::ADDRNOTAVAIL => ErrorCode::AddressNotBindable,
        Errno::AFNOSUPPORT | Errno::NOTSUP | Errno::NOSYS => ErrorCode::NotSupported,
        Errno::AGAIN => ErrorCode::WouldBlock,
        Errno::ALREADY => ErrorCode::ConcurrencyConflict,
        Errno::CONNABORTED => ErrorCode::ConnectionAborted,
        Errno::CONNREFUSED => ErrorCode::ConnectionRefused,
        Errno::CONNRESET | Errno::PIPE => ErrorCode::ConnectionReset,
        Errno::DESTADDRREQ | Errno::INVAL => ErrorCode::InvalidArgument,
        Errno::HOSTUNREACH | Errno::NETUNREACH => ErrorCode::RemoteUnreachable,
        Errno::ISCONN | Errno::NOTCONN => ErrorCode::InvalidState,
        Errno::MFILE | Errno::NFILE => ErrorCode::NewSocketLimit,
        Errno::MSGSIZE => ErrorCode::DatagramTooLarge,
        Errno::NOBUFS | Errno::NOMEM => ErrorCode::OutOfMemory,
        Errno::TIMEDOUT => ErrorCode::Timeout,
        _ => ErrorCode::Unknown,
    }
}

/// The socket that a description is.
fn socket(description: &Description) -> Result<&Socket> {
    match &description.object {
        Object::Socket(socket) => socket.as_any().downcast_ref().ok_or(Errno::NOTSOCK),
        _ => Err(Errno::NOTSOCK),
    }
}

impl Host<'_> {
    fn open_socket(
        &mut self,
        family: IpAddressFamily,
        kind: SocketKind,
    ) -> Result<(Arc<Description>, Family)> {
        let family = match family {
            IpAddressFamily::Ipv4 => Family::V4,
            IpAddressFamily::Ipv6 => Family::V6,
        };
        let machine = &self.process.machine;
        let network = net::Network::of(machine)?;
        let socket = Socket::open(&network, &machine.memory, family, kind)?;
        let description = Description::new(Object::Socket(socket), true, true);
        Ok((description, family))
    }
}

impl network::Host for Host<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> HostResult<ErrorCode> {
        match error {
            SocketError::Code(code) => Ok(code),
            SocketError::Trap(error) => Err(error),
        }
    }

    fn network_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> HostResult<Option<ErrorCode>> {
        let failure = self.table.get(&error)?.downcast_ref::<StreamFailure>();
        Ok(failure.map(|failure| error_code(failure.0)))
    }
}

impl network::HostNetwork for Host<'_> {
    fn drop(&mut self, network: Resource<Network>) -> HostResult<()> {
        self.table.delete(network)?;
        Ok(())
    }
}

impl instance_network::Host for Host<'_> {
    fn instance_network(&mut self) -> HostResult<Resource<Network>> {
        Ok(self.table.push(Network)?)
    }
}
