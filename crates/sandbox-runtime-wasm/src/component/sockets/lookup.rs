//! `wasi:sockets/ip-name-lookup`.

use std::fmt;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::vec;

use wasmtime::Result as HostResult;
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::address::ip;
use super::{ErrorCode, Network, SocketError, SocketResult};
use crate::component::bindings::wasi::sockets::ip_name_lookup::{
    Host as LookupHost, HostResolveAddressStream, IpAddress,
};
use crate::component::state::Host;
use crate::kernel::{Errno, Result};
use crate::net;

type Lookup = Pin<Box<dyn Future<Output = Result<Vec<IpAddr>>> + Send>>;

/// The longest name that is looked at; longer ones are no names.
const NAME_BYTES: usize = 255;

/// The answer of a lookup, which may be on its way.
pub struct Addresses(State);

enum State {
    Waiting(Lookup),
    Found(vec::IntoIter<IpAddr>),
    Failed(Errno),
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            State::Waiting(_) => "Waiting",
            State::Found(_) => "Found",
            State::Failed(_) => "Failed",
        })
    }
}

impl Addresses {
    /// Waits for the answer.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let State::Waiting(lookup) = &mut self.0 {
            let found = std::task::ready!(lookup.as_mut().poll(cx));
            self.0 = match found {
                Ok(found) => State::Found(found.into_iter()),
                Err(errno) => State::Failed(errno),
            };
        }
        Poll::Ready(())
    }
}

#[async_trait]
impl Pollable for Addresses {
    async fn ready(&mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }
}

/// What a lookup failed with, by its name here.
fn lookup_error(errno: Errno) -> SocketError {
    match errno {
        Errno::NOENT => ErrorCode::NameUnresolvable.into(),
        Errno::AGAIN => ErrorCode::TemporaryResolverFailure.into(),
        errno => errno.into(),
    }
}

impl LookupHost for Host<'_> {
    fn resolve_addresses(
        &mut self,
        _network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<Addresses>> {
        if name.is_empty() || name.len() > NAME_BYTES {
            return Err(ErrorCode::InvalidArgument.into());
        }
        let machine = self.process.machine.clone();
        let lookup = async move {
            if name.eq_ignore_ascii_case(&machine.hostname) {
                // Its own name is itself, and nobody else's to answer.
                return net::Network::loopback(None);
            }
            net::Network::of(&machine)?.resolve(&name, None).await
        };
        let mut addresses = Addresses(State::Waiting(Box::pin(lookup)));
        // It begins now, not when somebody asks for the answer.
        let _begun = addresses.poll(&mut Context::from_waker(Waker::noop()));
        Ok(self.table.push(addresses)?)
    }
}

impl HostResolveAddressStream for Host<'_> {
    fn resolve_next_address(
        &mut self,
        addresses: Resource<Addresses>,
    ) -> SocketResult<Option<IpAddress>> {
        let addresses = self.table.get_mut(&addresses)?;
        let _ready = addresses.poll(&mut Context::from_waker(Waker::noop()));
        match &mut addresses.0 {
            State::Waiting(_) => Err(ErrorCode::WouldBlock.into()),
            State::Found(found) => Ok(found.next().map(ip)),
            State::Failed(errno) => Err(lookup_error(*errno)),
        }
    }

    fn subscribe(&mut self, addresses: Resource<Addresses>) -> HostResult<Resource<DynPollable>> {
        subscribe(self.table, addresses)
    }

    fn drop(&mut self, addresses: Resource<Addresses>) -> HostResult<()> {
        self.table.delete(addresses)?;
        Ok(())
    }
}
