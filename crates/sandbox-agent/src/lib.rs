#![doc = include_str!("../README.md")]

#[cfg(all(feature = "agent", target_os = "linux"))]
pub mod agent;
#[cfg(feature = "client")]
mod client;
#[cfg(all(feature = "holder", target_os = "linux"))]
pub mod holder;
pub mod protocol;

#[cfg(feature = "client")]
pub use client::{AgentClient, ClientOptions, Connector, Defaults, Link};
