//! What the sandboxes of one runtime share.

use std::sync::Arc;

use sandbox_core::{Capabilities, Health, Result, SandboxId, SandboxSpec, Source};

use crate::builder::Settings;
use crate::events::{Events, SandboxEvents};
use crate::fs::{Caller, FileTime};
use crate::kernel::{Kernel, Machine, MachineOptions};
use crate::net::{Hub, Network};
use crate::origin::{self, Catalogue, Origin};
use crate::sandbox::WasmSandbox;
use crate::sandboxes::Sandboxes;
use crate::snapshots::Snapshots;

/// Search path of commands where neither image nor spec has one.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// One runtime.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) kernel: Arc<Kernel>,
    pub(crate) capabilities: Capabilities,
    pub(crate) settings: Settings,
    pub(crate) sandboxes: Sandboxes,
    pub(crate) snapshots: Snapshots,
    pub(crate) events: Events,
    pub(crate) catalogue: Arc<dyn Catalogue>,
    pub(crate) hub: Arc<Hub>,
}

impl Shared {
    /// Makes the sandbox that `spec` describes.
    ///
    /// # Errors
    /// As [`Runtime::create`](sandbox_core::Runtime::create).
    pub(crate) async fn create(self: &Arc<Self>, spec: &SandboxSpec) -> Result<Arc<WasmSandbox>> {
        // Before an image is fetched for nothing; asked again when it is there.
        self.sandboxes.check_free([spec.id()].into_iter())?;
        let origin = match spec.source() {
            Source::Image(name) => self.catalogue.origin(name).await?,
            Source::Snapshot(id) => self.snapshots.get(id)?,
        };
        let sandbox = self.assemble(spec.clone(), origin)?;
        self.sandboxes.add(std::slice::from_ref(&sandbox))?;
        Ok(sandbox)
    }

    /// Makes sandboxes called `ids` with the files that `of` has now, its limits, variables and
    /// egress policy: all of them, or none.
    ///
    /// # Errors
    /// `Conflict` with field `id` for an id that is taken, `LimitExceeded` with field `sandboxes`;
    /// `NotFound` or `Conflict` for a sandbox that was destroyed or is paused.
    pub(crate) fn fork(
        self: &Arc<Self>,
        of: &WasmSandbox,
        ids: impl IntoIterator<Item = SandboxId>,
    ) -> Result<Vec<Arc<WasmSandbox>>> {
        let origin = Arc::new(of.origin_now("wasm.fork")?);
        let egress = of.egress();
        let make = |id| {
            let spec = of
                .spec()
                .to_builder()
                .id(id)
                .egress(egress.clone())
                .build()?;
            self.assemble(spec, Arc::clone(&origin))
        };
        let forks: Vec<_> = ids.into_iter().map(make).collect::<Result<_>>()?;
        self.sandboxes.add(&forks)?;
        Ok(forks)
    }

    /// What runs sandboxes here.
    pub(crate) fn health(&self) -> Health {
        let kernel = &self.kernel;
        let processes = kernel.engine.capacity.limit();
        let asked = self.settings.max_processes;
        let mut notes = Vec::new();
        if processes < asked {
            notes.push(format!(
                "the host gives address space for {processes} processes, and {asked} were asked \
                 for: see `ulimit -v` and `vm.overcommit_memory`"
            ));
        }
        let workers = kernel.executor.workers();
        Health {
            version: format!("wasm {}, {workers} workers", env!("CARGO_PKG_VERSION")),
            notes,
        }
    }

    /// A sandbox that nobody knows of yet.
    fn assemble(
        self: &Arc<Self>,
        spec: SandboxSpec,
        origin: Arc<Origin>,
    ) -> Result<Arc<WasmSandbox>> {
        let disk = spec.resources().disk.unwrap_or(self.settings.default_disk);
        let mut files = origin.open(disk)?;
        let by = Caller {
            now: FileTime::from_nanos(self.kernel.clock.realtime()),
            ..Caller::default()
        };
        let workdir = origin::workdir(&origin, &spec, &mut files, by)?;
        let hostname = hostname(&spec);
        let events = Arc::new(self.events.of(spec.id()));
        let network = self.network(&spec, &events);
        let machine = Machine::new(
            &self.kernel,
            MachineOptions {
                files,
                programs: Arc::clone(&origin.programs),
                resources: spec.resources().clone(),
                env: environment(&origin, &spec, &hostname),
                workdir: workdir.as_str().to_owned(),
                user: (0, 0),
                hostname,
                clock: None,
                entropy: None,
                network: Some(network.clone()),
                events: Some(events),
            },
        );
        Ok(Arc::new(WasmSandbox::new(
            spec, machine, network, origin, self,
        )))
    }
}

impl Shared {
    /// The network of a sandbox, with its policy in force.
    fn network(&self, spec: &SandboxSpec, events: &Arc<SandboxEvents>) -> Arc<Network> {
        let events = Arc::clone(events);
        let denied = Box::new(move |count| events.egress_denied(count));
        let network = Network::new(Arc::clone(&self.hub), spec.resources().open_files, denied);
        network.set_egress(Some(spec.egress()));
        network
    }
}

/// Variables of every command: what every login has, the image's over them, the spec's over those.
fn environment(origin: &Origin, spec: &SandboxSpec, hostname: &str) -> Vec<(String, String)> {
    let mut env = std::collections::BTreeMap::from([
        ("HOME", "/root"),
        ("HOSTNAME", hostname),
        ("PATH", PATH),
        ("USER", "root"),
    ]);
    env.extend(
        origin
            .env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    env.extend(
        spec.env()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    env.into_iter().map(owned).collect()
}

/// The host name inside: what the spec says, or the id in letters that host names may have.
fn hostname(spec: &SandboxSpec) -> String {
    spec.hostname().map_or_else(
        || {
            let mut name = spec.id().as_str().replace('_', "-");
            name.truncate(63);
            name.trim_end_matches('-').to_owned()
        },
        str::to_owned,
    )
}

/// Nobody can reach the processes of a runtime that is gone: they end with it.
impl Drop for Shared {
    fn drop(&mut self) {
        for sandbox in self.sandboxes.all() {
            sandbox.machine.kill_all();
        }
    }
}
