#![doc = include_str!("../README.md")]

pub use sandbox_core::*;

#[cfg(feature = "api")]
pub use sandbox_api as api;
#[cfg(feature = "client")]
pub use sandbox_client as client;
#[cfg(feature = "engine")]
pub use sandbox_engine as engine;
#[cfg(feature = "docker")]
pub use sandbox_runtime_docker as docker;
#[cfg(feature = "wasm")]
pub use sandbox_runtime_wasm as wasm;
