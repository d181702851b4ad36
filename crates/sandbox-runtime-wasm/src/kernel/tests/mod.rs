//! Processes as a sandbox's caller and its guests see them.

mod guest;
mod hostile;
mod limits;
mod pipes;
mod processes;
mod signals;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sandbox_core::{ExitStatus, OutputStream, Pid, ProcessEvent, Resources};

use super::{
    HostCommand, HostProcess, Kernel, LoadError, Machine, MachineEvents, MachineOptions, Programs,
};
use crate::engine::{Engine, EngineOptions, Executable};
use crate::fs::{Caller, Contents, FileSystem, Limits, OpenOptions};
use crate::lock::Lock;

/// Far longer than anything here takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

static KERNEL: LazyLock<Arc<Kernel>> = LazyLock::new(|| {
    let engine = Engine::new(&EngineOptions { processes: 600 }).unwrap();
    Kernel::new(Arc::new(engine), 2).unwrap()
});

/// Compiles at once, where it is asked, and remembers.
#[derive(Debug, Default)]
struct TestPrograms {
    compiled: Lock<HashMap<Bytes, Arc<Executable>>>,
    /// Programs of the image, by what their stubs say.
    image: HashMap<String, Bytes>,
}

#[async_trait]
impl Programs for TestPrograms {
    fn ready(&self, _sha256: &str) -> Option<Arc<Executable>> {
        None
    }

    async fn load(&self, sha256: &str) -> Result<Arc<Executable>, LoadError> {
        let wasm = self.image.get(sha256).ok_or(LoadError::Unknown)?;
        self.compile(Contents::from(&wasm[..])).await
    }

    async fn compile(&self, wasm: Contents) -> Result<Arc<Executable>, LoadError> {
        let wasm = Bytes::from(wasm.to_vec(1 << 20).ok_or(LoadError::TooLarge)?);
        let mut compiled = self.compiled.lock();
        if let Some(code) = compiled.get(&wasm) {
            return Ok(code.clone());
        }
        let engine = &KERNEL.engine;
        let module = wasmtime::Module::new(engine.wasmtime(), &wasm);
        let module = module.map_err(|e| LoadError::Invalid(format!("{e:#}")))?;
        let code = Arc::new(engine.link(&module).map_err(LoadError::Invalid)?);
        compiled.insert(wasm, code.clone());
        Ok(code)
    }
}

#[derive(Debug, Default)]
struct Heard(Lock<Vec<Pid>>);

impl MachineEvents for Heard {
    fn out_of_memory(&self, pid: Pid) {
        self.0.lock().push(pid);
    }
}

/// A sandbox whose programs are WAT in `/bin`.
struct Sandbox {
    machine: Arc<Machine>,
    heard: Arc<Heard>,
}

/// What a command came to.
#[derive(Debug)]
struct Finished {
    status: ExitStatus,
    stdout: String,
}

impl Sandbox {
    fn new(programs: &[(&str, &str)]) -> Self {
        Self::with(Resources::default(), programs)
    }

    fn with(resources: Resources, programs: &[(&str, &str)]) -> Self {
        let limits = Limits {
            bytes: 64 << 20,
            inodes: 10_000,
            file_bytes: 1 << 40,
        };
        let mut files = FileSystem::new(limits, Caller::default());
        for dir in ["/bin", "/tmp", "/work"] {
            files.make_dir(dir, 0o755, Caller::default()).unwrap();
        }
        let heard = Arc::new(Heard::default());
        let machine = Machine::new(
            &KERNEL,
            MachineOptions {
                files,
                programs: Arc::new(TestPrograms::default()),
                resources,
                env: vec![("PATH".into(), "/bin".into())],
                workdir: "/work".into(),
                user: (1000, 1000),
                hostname: "test".into(),
                clock: None,
                entropy: None,
                network: None,
                events: Some(heard.clone()),
            },
        );
        let sandbox = Self { machine, heard };
        for (name, body) in programs {
            sandbox.put(&format!("/bin/{name}"), &guest::module(body), 0o755);
        }
        sandbox
    }

    fn put(&self, path: &str, content: &[u8], mode: u32) {
        let by = Caller::default();
        let mut files = self.machine.files.lock();
        let options = OpenOptions {
            write: true,
            create: true,
            truncate: true,
            mode,
            ..OpenOptions::default()
        };
        let handle = files.open(path, options, by).unwrap();
        files.write_at(handle, 0, content, by).unwrap();
        files.close(handle).unwrap();
    }

    async fn spawn(&self, argv: &[&str]) -> HostProcess {
        self.machine.spawn_command(command(argv)).await.unwrap()
    }

    async fn run(&self, argv: &[&str]) -> Finished {
        self.run_command(command(argv)).await
    }

    async fn run_command(&self, command: HostCommand) -> Finished {
        finish(&self.machine.spawn_command(command).await.unwrap()).await
    }

    /// Waits until `done` of the processes there are.
    async fn until(&self, mut done: impl FnMut(&[super::ProcessRow]) -> bool) {
        let wait = async {
            while !done(&self.machine.processes()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        assert!(
            waited.is_ok(),
            "it never came to be: {:?}",
            self.machine.processes()
        );
    }

    /// Nothing is left of what ran.
    fn assert_clean(&self) {
        assert_eq!(self.machine.process_count(), 0);
        assert_eq!(self.machine.memory.used(), 0);
        assert_eq!(self.machine.files.lock().open_handles(), 0);
    }
}

fn command(argv: &[&str]) -> HostCommand {
    HostCommand {
        argv: argv.iter().map(ToString::to_string).collect(),
        ..HostCommand::default()
    }
}

/// Reads everything until the output ends.
async fn finish(process: &HostProcess) -> Finished {
    let reader = process.take_output().expect("nobody took it yet");
    let mut streams = BTreeMap::from([("out", Vec::new()), ("err", Vec::new())]);
    let mut status = None;
    let read = async {
        while let Some(event) = reader.next().await {
            match event {
                ProcessEvent::Output(OutputStream::Stderr, bytes) => {
                    streams.entry("err").or_default().extend(bytes);
                }
                ProcessEvent::Output(_, bytes) => streams.entry("out").or_default().extend(bytes),
                ProcessEvent::Exited(exited) => {
                    assert!(status.replace(exited).is_none(), "it ends once");
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, read)
        .await
        .expect("its output ends");
    let mut text = |name| String::from_utf8(streams.remove(name).unwrap()).unwrap();
    Finished {
        status: status.expect("it says how it ended"),
        stdout: text("out"),
    }
}
