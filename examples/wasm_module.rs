//! A program of one's own, as WebAssembly, in a sandbox inside this process: its memory and time
//! are limited, and the network is behind a policy. No daemon is needed.
//!
//! `cargo run --features wasm --example wasm_module`

#![expect(clippy::print_stdout, reason = "it talks to a person")]

use std::process::ExitCode;
use std::time::Duration;

use sandbox::egress::EgressRules;
use sandbox::wasm::WasmRuntime;
use sandbox::{
    Command, Error, ErrorKind, Resources, Result, Runtime, Sandbox, SandboxExt, SandboxId,
    SandboxPath, SandboxSpec, Source, WriteOptions, byte_stream,
};

/// The program. It would come out of a compiler (`rustc --target wasm32-wasip1`, `clang`, TinyGo);
/// written by hand it greets its first argument and tries to connect to 192.0.2.1.
const PROGRAM: &str = r#"(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "sandbox_v0" "sock_open" (func $sock_open (param i32 i32 i32) (result i32)))
  (import "sandbox_v0" "sock_connect" (func $sock_connect (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "hello, ")
  (data (i32.const 120) "\n")
  (data (i32.const 130) "the way out is closed\n")
  (data (i32.const 160) "the way out is open\n")
  ;; IPv4, port 80, 192.0.2.1
  (data (i32.const 200) "\04\00\50\00\00\00\00\00\c0\00\02\01")
  (func $say (param $at i32) (param $len i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $len))
    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
      (then unreachable)))
  (func $length (param $at i32) (result i32) (local $len i32)
    (loop $next
      (if (i32.load8_u (i32.add (local.get $at) (local.get $len)))
        (then (local.set $len (i32.add (local.get $len) (i32.const 1))) (br $next))))
    (local.get $len))
  (func (export "_start") (local $name i32)
    (if (call $args_get (i32.const 1024) (i32.const 2048)) (then unreachable))
    (local.set $name (i32.load (i32.const 1028)))
    (call $say (i32.const 100) (i32.const 7))
    (call $say (local.get $name) (call $length (local.get $name)))
    (call $say (i32.const 120) (i32.const 1))
    (if (call $sock_open (i32.const 4) (i32.const 1) (i32.const 16)) (then unreachable))
    ;; 2 is EACCES.
    (if (i32.eq (call $sock_connect (i32.load (i32.const 16)) (i32.const 200)) (i32.const 2))
      (then (call $say (i32.const 130) (i32.const 22)))
      (else (call $say (i32.const 160) (i32.const 20))))))"#;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.report());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let runtime = WasmRuntime::builder().build()?;
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|_| {
        Error::new(
            ErrorKind::Unavailable,
            "example.run",
            "the host has no randomness",
        )
    })?;
    let id = SandboxId::from_random(random);
    let spec = SandboxSpec::builder(id, Source::Image("base".into()))
        .resources(Resources {
            memory: 64 << 20,
            ..Resources::default()
        })
        .egress(EgressRules::deny_all())
        .build()?;
    let sandbox = runtime.create(&spec).await?;
    let outcome = use_it(&*sandbox).await;
    sandbox.destroy().await?;
    outcome
}

async fn use_it(sandbox: &dyn Sandbox) -> Result<()> {
    let wasm = wat::parse_str(PROGRAM).map_err(|error| {
        Error::invalid("example.run", "program", "is not valid").with_source(error)
    })?;
    let path: SandboxPath = "/opt/own/greet.wasm".parse()?;
    let options = WriteOptions {
        mode: Some(0o755),
        ..WriteOptions::default()
    };
    sandbox.write(&path, byte_stream(wasm), options).await?;
    let greet = Command::argv([path.as_str(), "world"]).timeout(Duration::from_secs(10));
    let output = sandbox.exec(greet).await?;
    print!("{}", output.stdout_lossy());
    println!("It ended with {}.", output.status.shell_code());
    Ok(())
}
