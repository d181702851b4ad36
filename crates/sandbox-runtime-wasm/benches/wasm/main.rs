//! `cargo bench -p sandbox-runtime-wasm`: what sandboxes cost, as a table with the aims and, where
//! there is one, the floor: bare wasmtime, set up alike, running the same module.
//!
//! It makes a runtime of its own in this process. Programs come out of the image `base`, and out of
//! `python` where that has been pulled.

mod floor;
mod memory;
mod neighbour;
mod table;

use std::sync::Arc;
use std::time::Instant;

use sandbox_core::{
    Command, Result, Runtime, Sandbox, SandboxExt, SandboxId, SandboxPath, SandboxSpec, Source,
    WriteOptions, byte_stream,
};
use sandbox_runtime_wasm::WasmRuntime;

use floor::Floor;
use table::Table;

/// How often each thing is done; the first tenth warms up.
const ROUNDS: usize = 2000;

/// A preview 1 program that writes three bytes and ends.
const SMALL: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\03\00\00\00")
  (data (i32.const 16) "hi\n")
  (func (export "_start")
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let runtime = WasmRuntime::builder().max_sandboxes(20_000).build()?;
    let mut table = Table::default();
    let ids = Ids::default();
    let sandbox = ids.create(&runtime, image("base")).await?;
    // First, while nothing that was freed could be used again.
    memory::measure(&mut table, &runtime, &ids).await?;
    creating(&mut table, &runtime, &ids).await?;
    let rounds = ROUNDS;
    let builtin = exec(&sandbox, Command::shell("echo hi"), "hi\n", rounds).await?;
    table.row("exec of a builtin: sh -c 'echo hi'", &builtin, 30.0, None);
    let pipe = exec(&sandbox, Command::shell("echo hi | wc -c"), "3\n", rounds).await?;
    table.row(
        "exec of a pipe: sh -c 'echo hi | wc -c'",
        &pipe,
        200.0,
        None,
    );
    small(&mut table, &sandbox).await?;
    python(&mut table, &runtime, &ids).await?;
    forking(&mut table, &runtime, &sandbox).await?;
    neighbour::measure(&mut table, &runtime, &ids).await?;
    rate(&mut table, &runtime, &ids).await?;
    table.print();
    Ok(())
}

fn image(name: &str) -> Source {
    Source::Image(name.into())
}

/// Hands out ids.
#[derive(Debug, Default)]
struct Ids(std::cell::Cell<u128>);

impl Ids {
    fn next(&self) -> SandboxId {
        self.0.set(self.0.get() + 1);
        SandboxId::from_random(self.0.get().to_be_bytes())
    }

    fn spec(&self, source: Source) -> Result<SandboxSpec> {
        SandboxSpec::builder(self.next(), source).build()
    }

    async fn create(&self, runtime: &WasmRuntime, source: Source) -> Result<Arc<dyn Sandbox>> {
        runtime.create(&self.spec(source)?).await
    }
}

/// Microseconds that each round of `command` took; what it prints is checked every time.
async fn exec(
    sandbox: &Arc<dyn Sandbox>,
    command: Command,
    expected: &str,
    rounds: usize,
) -> Result<Vec<f64>> {
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds + rounds / 10 {
        let command = command.clone();
        let began = Instant::now();
        let output = sandbox.exec(command).await?;
        let took = micros(began);
        assert_eq!(
            output.stdout_lossy(),
            expected,
            "{:?}",
            output.stderr_lossy()
        );
        if round >= rounds / 10 {
            times.push(took);
        }
    }
    Ok(times)
}

fn micros(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e6
}

async fn creating(table: &mut Table, runtime: &WasmRuntime, ids: &Ids) -> Result<()> {
    let mut times = Vec::new();
    for round in 0..ROUNDS + ROUNDS / 10 {
        let spec = ids.spec(image("base"))?;
        let began = Instant::now();
        let sandbox = runtime.create(&spec).await?;
        let took = micros(began);
        sandbox.destroy().await?;
        if round >= ROUNDS / 10 {
            times.push(took);
        }
    }
    table.row("create", &times, 5.0, None);
    Ok(())
}

async fn small(table: &mut Table, sandbox: &Arc<dyn Sandbox>) -> Result<()> {
    let wasm = wat::parse_str(SMALL).expect("it is a module");
    let path = SandboxPath::new("/tmp/small")?;
    let options = WriteOptions {
        mode: Some(0o755),
        ..WriteOptions::default()
    };
    sandbox
        .write(&path, byte_stream(wasm.clone()), options)
        .await?;
    // Turns, so that what else the machine does falls on both.
    let floor = Floor::new(&wasm);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let command = Command::argv(["/tmp/small"]);
        ours.extend(exec(sandbox, command, "hi\n", ROUNDS / 10).await?);
        bare.extend(floor.run(ROUNDS / 10).await);
    }
    let aim = 3.0 * table::median(&bare);
    table.row("exec of a small program", &ours, aim, Some(&bare));
    Ok(())
}

async fn python(table: &mut Table, runtime: &WasmRuntime, ids: &Ids) -> Result<()> {
    let name = "exec of python3 -c 'print(2+2)'";
    let sandbox = match ids.create(runtime, image("python")).await {
        Ok(sandbox) => sandbox,
        Err(error) => {
            table.note(format!("{name}: not measured: {error}"));
            return Ok(());
        }
    };
    let command = Command::argv(["python3", "-c", "print(2+2)"]);
    let times = exec(&sandbox, command, "4\n", ROUNDS / 10).await?;
    table.row(name, &times, 1000.0, None);
    sandbox.destroy().await
}

async fn forking(
    table: &mut Table,
    runtime: &WasmRuntime,
    sandbox: &Arc<dyn Sandbox>,
) -> Result<()> {
    let path = SandboxPath::new("/tmp/large")?;
    let large = byte_stream(vec![7; 100 << 20]);
    sandbox.write(&path, large, WriteOptions::default()).await?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let forks = runtime.fork(sandbox.id(), 1)?;
        times.push(micros(began));
        for fork in forks {
            fork.destroy().await?;
        }
    }
    table.row("fork with a file of 100 MB", &times, 5.0, None);
    sandbox.remove(&path, false).await
}

/// Commands a second, from as many callers as there are CPUs, each with a sandbox of its own.
async fn rate(table: &mut Table, runtime: &WasmRuntime, ids: &Ids) -> Result<()> {
    let callers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut sandboxes = Vec::new();
    for _ in 0..callers {
        sandboxes.push(ids.create(runtime, image("base")).await?);
    }
    let began = Instant::now();
    let threads = sandboxes.iter().map(|sandbox| {
        let sandbox = sandbox.clone();
        std::thread::spawn(move || {
            let own = tokio::runtime::Builder::new_current_thread().build();
            let own = own.expect("a thread's own runtime");
            own.block_on(exec(&sandbox, Command::shell("echo hi"), "hi\n", ROUNDS))
        })
    });
    let threads: Vec<_> = threads.collect();
    for thread in threads {
        thread.join().expect("it does not panic")?;
    }
    let commands = callers * (ROUNDS + ROUNDS / 10);
    let rate = commands as f64 / began.elapsed().as_secs_f64();
    table.note(format!(
        "{rate:.0} execs of a builtin a second from {callers} callers"
    ));
    for sandbox in sandboxes {
        sandbox.destroy().await?;
    }
    Ok(())
}
