//! Components as a sandbox's caller sees them.

mod hostile;
mod limits;
mod network;
mod programs;

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use sandbox_core::egress::EgressRules;
use sandbox_core::{ExitStatus, OutputStream, ProcessEvent, Resources};

use crate::engine::{Engine, EngineOptions, Executable};
use crate::fs::{Caller, FileSystem, Limits, OpenOptions};
use crate::kernel::{HostCommand, HostProcess, Kernel, Machine, MachineOptions};
use crate::net::{Hub, Network, NetworkConfig};
use crate::programs::{Compiler, ModuleLimits, ProgramSet, SandboxPrograms};

/// Far longer than anything here takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

static KERNEL: LazyLock<Arc<Kernel>> = LazyLock::new(|| {
    let options = EngineOptions { processes: 64 };
    Kernel::new(Arc::new(Engine::new(&options).unwrap()), 2).unwrap()
});

/// The program in `guests/components`, as a component.
static PROBE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let target = target.join("guests");
    let build = Command::new(env!("CARGO"))
        .args(["build", "--release", "--target", "wasm32-wasip2"])
        .args(["--package", "sandbox-guest-component", "--target-dir"])
        .arg(&target)
        .current_dir(root.join("guests"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&build.stderr);
    let hint = "is the target there? `rustup target add wasm32-wasip2`";
    assert!(build.status.success(), "{error}\n{hint}");
    std::fs::read(target.join("wasm32-wasip2/release/sandbox-guest-component.wasm")).unwrap()
});

static COMPILER: LazyLock<Arc<Compiler<Engine>>> = LazyLock::new(|| {
    let engine = KERNEL.engine.clone();
    Arc::new(Compiler::new(engine, None, ModuleLimits::default(), 2))
});

/// Compiles and links a component.
fn compile(wasm: &[u8]) -> Result<Executable, String> {
    let engine = &KERNEL.engine;
    let component = wasmtime::component::Component::new(engine.wasmtime(), wasm);
    engine.link_component(&component.map_err(|error| format!("{error:#}"))?)
}

/// A sandbox with the probe in `/bin/probe`.
struct Sandbox {
    machine: Arc<Machine>,
}

/// What a command came to.
#[derive(Debug)]
struct Finished {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Sandbox {
    fn new() -> Self {
        Self::with(Resources::default())
    }

    fn with(resources: Resources) -> Self {
        let limits = Limits {
            bytes: 64 << 20,
            inodes: 10_000,
            file_bytes: 1 << 30,
        };
        let by = Caller::default();
        let mut files = FileSystem::new(limits, by);
        for dir in ["/bin", "/tmp", "/work"] {
            files.make_dir(dir, 0o755, by).unwrap();
        }
        crate::wasi::devices::install(&mut files, by).unwrap();
        let hub = Hub::new(NetworkConfig::default());
        let network = Network::new(hub, resources.open_files, Box::new(|_| {}));
        network.set_egress(Some(&EgressRules::default()));
        let options = MachineOptions {
            files,
            programs: Arc::new(SandboxPrograms::new(
                ProgramSet::default(),
                COMPILER.clone(),
            )),
            resources,
            env: vec![("A".into(), "b=c".into())],
            workdir: "/work".into(),
            user: (1000, 1000),
            hostname: "probe-host".into(),
            clock: None,
            entropy: None,
            network: Some(network),
            events: None,
        };
        let sandbox = Self {
            machine: Machine::new(&KERNEL, options),
        };
        sandbox.put("/bin/probe", &PROBE);
        sandbox
    }

    fn put(&self, path: &str, content: &[u8]) {
        let by = Caller::default();
        let mut files = self.machine.files.lock();
        let options = OpenOptions {
            write: true,
            create: true,
            mode: 0o755,
            ..OpenOptions::default()
        };
        let handle = files.open(path, options, by).unwrap();
        files.write_at(handle, 0, content, by).unwrap();
        files.close(handle).unwrap();
    }

    async fn spawn(&self, words: &[&str]) -> HostProcess {
        self.machine.spawn_command(command(words)).await.unwrap()
    }

    /// Runs the probe.
    async fn run(&self, words: &[&str]) -> Finished {
        finish(&self.spawn(words).await).await
    }

    /// What the probe prints when all goes well.
    async fn says(&self, words: &[&str]) -> String {
        let finished = self.run(words).await;
        assert!(finished.status.success(), "{words:?}: {finished:?}");
        finished.stdout
    }

    /// Nothing is left of what ran.
    fn assert_clean(&self) {
        assert_eq!(self.machine.process_count(), 0);
        assert_eq!(self.machine.memory.used(), 0);
    }
}

fn command(words: &[&str]) -> HostCommand {
    let argv = ["/bin/probe"].iter().chain(words);
    HostCommand {
        argv: argv.map(ToString::to_string).collect(),
        ..HostCommand::default()
    }
}

/// Reads everything until the output ends.
async fn finish(process: &HostProcess) -> Finished {
    let reader = process.take_output().expect("nobody took it yet");
    let (mut stdout, mut stderr, mut status) = (Vec::new(), Vec::new(), None);
    let read = async {
        while let Some(event) = reader.next().await {
            match event {
                ProcessEvent::Output(OutputStream::Stderr, bytes) => stderr.extend(bytes),
                ProcessEvent::Output(_, bytes) => stdout.extend(bytes),
                ProcessEvent::Exited(exited) => status = Some(exited),
            }
        }
    };
    let read = tokio::time::timeout(PATIENCE, read).await;
    read.expect("its output ends");
    Finished {
        status: status.expect("it says how it ended"),
        stdout: String::from_utf8(stdout).unwrap(),
        stderr: String::from_utf8(stderr).unwrap(),
    }
}
