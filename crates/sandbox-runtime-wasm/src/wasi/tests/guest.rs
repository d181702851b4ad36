//! A machine with one program in it: `sandbox-guest-tests` of the guests' workspace.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use sandbox_core::{ExitStatus, OutputStream, ProcessEvent, Resources};

use crate::engine::{Engine, EngineOptions, Executable};
use crate::fs::{Caller, Contents, FileSystem, Limits, OpenOptions};
use crate::kernel::{
    HostCommand, HostProcess, Kernel, LoadError, Machine, MachineOptions, Programs,
};
use crate::wasi::cwd::mark;
use crate::wasi::devices;

const STUB: &str = "\0sandbox-program sha256:\
    0000000000000000000000000000000000000000000000000000000000000000 test\n";

/// The only program that there is, if any.
#[derive(Debug)]
struct Only(Option<Arc<Executable>>);

#[async_trait]
impl Programs for Only {
    fn ready(&self, _sha256: &str) -> Option<Arc<Executable>> {
        self.0.clone()
    }

    async fn load(&self, _sha256: &str) -> Result<Arc<Executable>, LoadError> {
        self.0.clone().ok_or(LoadError::Unknown)
    }

    async fn compile(&self, _wasm: Contents) -> Result<Arc<Executable>, LoadError> {
        Err(LoadError::TooLarge)
    }
}

/// A sandbox with a program as `/bin/test`, an empty `/tmp`, and devices.
pub(in crate::wasi) struct Guest {
    pub(in crate::wasi) machine: Arc<Machine>,
}

/// How a program was run, and what came of it.
#[derive(Debug)]
pub(in crate::wasi) struct Run {
    pub(in crate::wasi) status: ExitStatus,
    pub(in crate::wasi) out: String,
    pub(in crate::wasi) err: String,
}

/// A machine with these files' limits that runs no program.
pub(in crate::wasi) fn machine_without_program(limits: Limits) -> Arc<Machine> {
    static KERNEL: OnceLock<Arc<Kernel>> = OnceLock::new();
    let kernel = KERNEL.get_or_init(|| {
        let engine = Engine::new(&EngineOptions { processes: 64 }).unwrap();
        Kernel::new(Arc::new(engine), 1).unwrap()
    });
    Machine::new(kernel, options(limits, Arc::new(Only(None))))
}

fn options(limits: Limits, programs: Arc<dyn Programs>) -> MachineOptions {
    MachineOptions {
        files: files(limits),
        programs,
        resources: Resources::default(),
        env: Vec::new(),
        workdir: "/".to_owned(),
        user: (1000, 1000),
        hostname: "test".to_owned(),
        clock: None,
        entropy: None,
        network: None,
        events: None,
    }
}

impl Guest {
    /// The program that looks at a sandbox from the inside.
    pub(in crate::wasi) fn new() -> Self {
        Self::with(Limits::default(), &program("sandbox-guest-tests"))
    }

    pub(in crate::wasi) fn with(limits: Limits, wasm: &[u8]) -> Self {
        let engine = Arc::new(Engine::new(&EngineOptions { processes: 64 }).unwrap());
        let marked = mark(wasm).unwrap();
        let module = wasmtime::Module::new(engine.wasmtime(), &marked).unwrap();
        let code = Arc::new(engine.link(&module).unwrap());
        let kernel = Kernel::new(engine, 2).unwrap();
        let options = options(limits, Arc::new(Only(Some(code))));
        Self {
            machine: Machine::new(&kernel, options),
        }
    }

    /// Starts the program.
    pub(in crate::wasi) async fn start(&self, command: HostCommand) -> HostProcess {
        self.machine.spawn_command(command).await.unwrap()
    }

    /// Runs the program to its end.
    pub(in crate::wasi) async fn run(&self, command: HostCommand) -> Run {
        let process = self.start(command).await;
        finish(&process).await
    }

    /// Runs one area of the program, and expects nothing to be wrong.
    pub(in crate::wasi) async fn pass(&self, area: &str) {
        let run = self.run(command(&[area])).await;
        assert_eq!(run.status, ExitStatus::from_code(0), "{area}: {}", run.err);
    }
}

/// `/bin/test` with these arguments.
pub(in crate::wasi) fn command(args: &[&str]) -> HostCommand {
    let argv = ["test"].iter().chain(args).map(|arg| (*arg).to_owned());
    HostCommand {
        argv: argv.collect(),
        env: BTreeMap::from([("A".to_owned(), "1=2".to_owned())]),
        ..HostCommand::default()
    }
}

/// Everything that comes until the end.
pub(in crate::wasi) async fn finish(process: &HostProcess) -> Run {
    let output = process.take_output().unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(event) = output.next().await {
        match event {
            ProcessEvent::Output(OutputStream::Stdout, bytes) => out.extend(bytes),
            ProcessEvent::Output(_, bytes) => err.extend(bytes),
            _ => {}
        }
    }
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run {
        status: process.wait().await,
        out: text(out),
        err: text(err),
    }
}

fn files(limits: Limits) -> FileSystem {
    let by = Caller::default();
    let mut files = FileSystem::new(limits, by);
    for dir in ["/bin", "/tmp"] {
        files.make_dir(dir, 0o777, by).unwrap();
    }
    let options = OpenOptions {
        write: true,
        create: true,
        mode: 0o755,
        ..OpenOptions::default()
    };
    let stub = files.open("/bin/test", options, by).unwrap();
    files.write_at(stub, 0, STUB.as_bytes(), by).unwrap();
    files.close(stub).unwrap();
    devices::install(&mut files, by).unwrap();
    files
}

/// A program of the guests' workspace, built when it is not up to date.
pub(in crate::wasi) fn program(name: &str) -> Vec<u8> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| guests.join("../target"), PathBuf::from)
        .join("guests");
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--release",
            "--locked",
            "--target",
            "wasm32-wasip1",
        ])
        .args(["--package", "sandbox-guest-tests", "--target-dir"])
        .arg(&target)
        .current_dir(&guests)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .status()
        .expect("cargo can be run");
    assert!(
        built.success(),
        "the guests' tests need `rustup target add wasm32-wasip1`"
    );
    let file = target
        .join("wasm32-wasip1/release")
        .join(name)
        .with_extension("wasm");
    std::fs::read(file).unwrap()
}
