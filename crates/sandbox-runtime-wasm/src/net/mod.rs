//! The network of a Wasm sandbox: sockets in the kernel of the sandbox, and a policy before every way
//! out of it.
//!
//! ```text
//!  guest ──► Socket ──┬─► StreamSocket ────┐
//!                     └─► DatagramSocket ──┤
//!                                          ▼
//!                          Gate::admit(address) ──denied──► EACCES, and a refusal is counted
//!                            │ Permit
//!             own loopback ──┴── everywhere else
//!                  │                  │
//!             Ports, Duplex      HostStream, HostDatagrams ──► the host's sockets
//! ```
//!
//! * Loopback is the sandbox's own: a listener is an entry of `ports`, a connection two pipes. No
//!   port of the host is ever listened on.
//! * A permit is made by the gate alone, borrows the policy it came from, and is what
//!   opening a socket of the host takes. What is open is known to the gate: a new policy cuts it.
//! * The address judged is the address connected to: names are resolved first, through the same gate,
//!   and every spelling of an address is brought to one.
//! * The host's sockets are polled by the guests' own tasks; one thread, started with the first of
//!   them, only watches which are ready. A sandbox that is paused reads nothing.

mod address;
mod config;
mod connection;
mod datagram;
mod denials;
mod duplex;
mod echo;
mod failure;
mod gate;
mod host_datagrams;
mod host_stream;
mod hub;
mod inbox;
mod limit;
mod listener;
mod network;
mod ports;
mod resolver;
mod socket;
mod stream;
mod surroundings;
#[cfg(test)]
mod tests;
mod waiters;

pub use config::NetworkConfig;
pub use resolver::{ResolveError, Resolver, SystemResolver};

pub(crate) use address::Family;
pub(crate) use hub::Hub;
pub(crate) use network::Network;
pub(crate) use socket::{Socket, SocketKind, Way};
