//! What is said about a runtime before it is made.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use sandbox_core::{Error, Result};

use crate::capabilities;
use crate::engine::{Engine, EngineOptions};
use crate::events::Events;
use crate::images::{ImageStore, Images, ImagesOptions};
use crate::kernel::Kernel;
use crate::net::{Hub, NetworkConfig};
use crate::programs::ModuleLimits;
use crate::runtime::WasmRuntime;
use crate::sandboxes::Sandboxes;
use crate::shared::Shared;
use crate::snapshots::Snapshots;

/// The most worker threads.
const MAX_WORKERS: usize = 1024;
/// The most processes over all sandboxes that can be asked for.
const MAX_PROCESSES: u32 = 65_536;

/// Builds a [`WasmRuntime`].
#[derive(Debug, Clone)]
#[must_use]
pub struct WasmBuilder {
    workers: Option<usize>,
    cache_dir: Option<PathBuf>,
    network: NetworkConfig,
    egress: bool,
    modules: ModuleLimits,
    settings: Settings,
}

/// What stays the same while a runtime lives.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) max_sandboxes: usize,
    pub(crate) max_snapshots: usize,
    pub(crate) max_processes: u32,
    pub(crate) default_disk: u64,
    pub(crate) max_disk: u64,
}

impl Default for WasmBuilder {
    fn default() -> Self {
        Self {
            workers: None,
            cache_dir: None,
            network: NetworkConfig::default(),
            egress: true,
            modules: ModuleLimits::default(),
            settings: Settings {
                max_sandboxes: 100_000,
                max_snapshots: 100_000,
                max_processes: EngineOptions::default().processes,
                default_disk: 1 << 30,
                max_disk: 64 << 30,
            },
        }
    }
}

impl WasmBuilder {
    /// How many threads run guests, from 1 to 1,024. Default: as many as the host has CPUs.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// The most sandboxes at a time, at least 1. Default: 100,000.
    pub fn max_sandboxes(mut self, max: usize) -> Self {
        self.settings.max_sandboxes = max;
        self
    }

    /// The most snapshots at a time. Default: 100,000.
    pub fn max_snapshots(mut self, max: usize) -> Self {
        self.settings.max_snapshots = max;
        self
    }

    /// The most processes at a time over all sandboxes, from 1 to 65,536. Address space is reserved
    /// for them; where the host does not give it, there may be fewer. Default: 4,000, near which
    /// Linux's usual `vm.max_map_count` ends.
    pub fn max_processes(mut self, max: u32) -> Self {
        self.settings.max_processes = max;
        self
    }

    /// The disk in bytes of a sandbox that asks for none, beside its image; it is memory of the
    /// host's as it is used. Default: 1 GiB.
    pub fn default_disk(mut self, bytes: u64) -> Self {
        self.settings.default_disk = bytes;
        self
    }

    /// The most disk in bytes that a sandbox may ask for. Default: 64 GiB.
    pub fn max_disk(mut self, bytes: u64) -> Self {
        self.settings.max_disk = bytes;
        self
    }

    /// Where fetched images and compiled programs are kept: a directory that is this user's alone,
    /// made when it is missing. Processes share it. Default: what `SANDBOX_IMAGES_DIR` and
    /// `SANDBOX_CACHE_DIR` name, else this user's directories for data and for caches.
    pub fn cache_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(directory.into());
        self
    }

    /// The largest program in bytes that a sandbox may bring; images may have larger ones.
    /// Default: 64 MiB.
    pub fn max_module_bytes(mut self, bytes: u64) -> Self {
        self.modules.bytes = bytes;
        self
    }

    /// All limits on programs that sandboxes bring. Default: [`ModuleLimits::default`].
    pub fn module_limits(mut self, limits: ModuleLimits) -> Self {
        self.modules = limits;
        self
    }

    /// The network around all sandboxes: who answers lookups, what no policy opens. Default:
    /// [`NetworkConfig::default`].
    pub fn network(mut self, network: NetworkConfig) -> Self {
        self.network = network;
        self
    }

    /// Whether sandboxes can reach the network at all, under their egress policies. Without it a
    /// policy that allows anything is refused; a sandbox's own loopback and connections to its
    /// ports work all the same. Default: true.
    pub fn egress(mut self, egress: bool) -> Self {
        self.egress = egress;
        self
    }

    /// Checks what can be checked without starting anything.
    ///
    /// # Errors
    /// `InvalidSpec` naming the field and its range.
    pub fn validate(&self) -> Result<()> {
        let in_range = |field: &str, value: u64, min: u64, max: u64| {
            if (min..=max).contains(&value) {
                return Ok(());
            }
            let message = format!("is {value}; it must be from {min} to {max}");
            Err(Error::invalid("wasm.build", field, message))
        };
        let settings = &self.settings;
        if let Some(workers) = self.workers {
            in_range("workers", workers as u64, 1, MAX_WORKERS as u64)?;
        }
        in_range("max_sandboxes", settings.max_sandboxes as u64, 1, u64::MAX)?;
        let processes = u64::from(settings.max_processes);
        in_range("max_processes", processes, 1, MAX_PROCESSES.into())?;
        in_range("max_module_size", self.modules.bytes, 1, 4 << 30)?;
        in_range("max_disk", settings.max_disk, 1 << 20, 1 << 50)?;
        in_range(
            "default_disk",
            settings.default_disk,
            1 << 20,
            settings.max_disk,
        )
    }

    /// Starts the threads and makes the runtime.
    ///
    /// # Errors
    /// `InvalidSpec` naming the field that is out of range; `Unavailable` when the host gives no
    /// threads or no address space.
    pub fn build(self) -> Result<WasmRuntime> {
        self.validate()?;
        let workers = self.workers.unwrap_or_else(|| {
            let cpus = thread::available_parallelism();
            cpus.map_or(1, usize::from).min(MAX_WORKERS)
        });
        let settings = self.settings;
        let engine = Engine::new(&EngineOptions {
            processes: settings.max_processes,
        })?;
        let engine = Arc::new(engine);
        // Guests go on meanwhile.
        let below = |name| self.cache_dir.as_ref().map(|dir| dir.join(name));
        let options = ImagesOptions {
            store: below("images").map(ImageStore::at),
            compiled: below("compiled"),
            modules: self.modules,
            threads: workers.div_ceil(2),
        };
        let images = Images::new(engine.clone(), options);
        let kernel = Kernel::new(engine, workers)?;
        let shared = Shared {
            kernel,
            capabilities: capabilities::of(workers, settings.max_disk, self.egress),
            sandboxes: Sandboxes::new(settings.max_sandboxes),
            snapshots: Snapshots::new(settings.max_snapshots),
            catalogue: Arc::new(images),
            events: Events::new(),
            hub: Hub::new(self.network),
            settings,
        };
        Ok(WasmRuntime::over(Arc::new(shared)))
    }
}
