//! The section `wasm`.

use std::path::PathBuf;

use sandbox_runtime_wasm::{WasmBuilder, WasmRuntime};
use serde::{Deserialize, Serialize};

use super::units::Bytes;

/// What the Wasm runtime is told: [`WasmBuilder`], as it is written. What is left out is the
/// builder's own default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WasmSection {
    pub(crate) cache_dir: Option<PathBuf>,
    pub(crate) workers: Option<usize>,
    pub(crate) max_sandboxes: usize,
    pub(crate) max_processes: u32,
    pub(crate) default_disk: Bytes,
    pub(crate) max_disk: Bytes,
    pub(crate) max_module_size: Bytes,
}

impl Default for WasmSection {
    fn default() -> Self {
        Self {
            cache_dir: None,
            workers: None,
            max_sandboxes: 100_000,
            max_processes: 4000,
            default_disk: Bytes(1 << 30),
            max_disk: Bytes(64 << 30),
            max_module_size: Bytes(64 << 20),
        }
    }
}

impl WasmSection {
    /// What makes the runtime.
    pub(crate) fn builder(&self) -> WasmBuilder {
        let mut builder = WasmRuntime::builder()
            .max_sandboxes(self.max_sandboxes)
            .max_processes(self.max_processes)
            .default_disk(self.default_disk.0)
            .max_disk(self.max_disk.0)
            .max_module_bytes(self.max_module_size.0);
        if let Some(directory) = &self.cache_dir {
            builder = builder.cache_dir(directory);
        }
        if let Some(workers) = self.workers {
            builder = builder.workers(workers);
        }
        builder
    }
}
