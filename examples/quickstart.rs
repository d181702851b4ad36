//! A sandbox from its creation to its end, inside this process: no daemon, no privileges.
//!
//! `cargo run --example quickstart`. Python is fetched the first time, and compiled once.

#![expect(clippy::print_stdout, reason = "it talks to a person")]

use std::io::Write;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use sandbox::wasm::WasmRuntime;
use sandbox::{
    Command, Result, Runtime, Sandbox, SandboxExt, SandboxId, SandboxPath, SandboxSpec, Source,
};

const PROGRAM: &str = "\
import json, sys
numbers = json.load(open('numbers.json'))
print('python', sys.version.split()[0], 'says the sum is', sum(numbers))
open('sum', 'w').write(str(sum(numbers)))
";

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // One line, the cause included: it says what to do.
            eprintln!("{}", error.report());
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let runtime = WasmRuntime::builder().build()?;
    let python = Source::Image("python".into());
    prepare(&runtime, &python).await?;

    let began = Instant::now();
    let spec = SandboxSpec::builder(SandboxId::from_random([7; 16]), python)
        .workdir("/tmp".parse()?)
        .build()?;
    let sandbox = runtime.create(&spec).await?;
    println!("Created {} in {:?}.", sandbox.id(), began.elapsed());

    let numbers: SandboxPath = "/tmp/numbers.json".parse()?;
    sandbox.write_all(&numbers, "[2, 3, 37]".into()).await?;
    say(&*sandbox, "tr -d '[],' < numbers.json | wc -w").await?;
    sandbox
        .write_all(&"/tmp/sum.py".parse()?, PROGRAM.into())
        .await?;
    say(&*sandbox, "python3 sum.py").await?;
    let sum = sandbox.read_to_string(&"/tmp/sum".parse()?).await?;
    println!("It left {sum:?} in a file.");

    let began = Instant::now();
    let forks = runtime.fork(sandbox.id(), 100)?;
    println!("Forked it {} times in {:?}.", forks.len(), began.elapsed());
    forks[0].write_all(&numbers, "[1, 1]".into()).await?;
    say(&*forks[0], "python3 sum.py").await?;
    say(&*sandbox, "python3 sum.py").await?;

    for one in forks.iter().chain([&sandbox]) {
        one.destroy().await?;
    }
    println!("All are destroyed.");
    Ok(())
}

/// Fetches and compiles an image that is not here yet.
async fn prepare(runtime: &WasmRuntime, image: &Source) -> Result<()> {
    let mut progress = runtime.prepare(image).await?;
    let mut last = String::new();
    while let Some(step) = progress.next().await {
        let step = step?;
        if step.message != last {
            println!("{} …", step.message);
            last = step.message;
        }
    }
    Ok(())
}

/// Runs a line of shell and prints what it says and how long it took.
async fn say(sandbox: &dyn Sandbox, line: &str) -> Result<()> {
    let command = Command::shell(line).timeout(Duration::from_secs(10));
    let began = Instant::now();
    let output = sandbox.exec(command).await?;
    print!(
        "$ {line}  ({:?})\n{}",
        began.elapsed(),
        output.stdout_lossy()
    );
    std::io::stdout().flush().ok();
    if !output.stderr.is_empty() {
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
