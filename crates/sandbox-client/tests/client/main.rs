//! The client against servers that are away, hostile or cut off.

mod hostile;
mod keys;
mod retries;
mod script;
mod sockets;
mod streams;
