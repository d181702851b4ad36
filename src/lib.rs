#![doc = include_str!("../README.md")]

pub use sandbox_core::*;

#[cfg(feature = "engine")]
pub use sandbox_engine as engine;
#[cfg(feature = "docker")]
pub use sandbox_runtime_docker as docker;
