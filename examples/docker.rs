//! A sandbox from its creation to its end, on Docker, driven by the engine.
//!
//! `cargo run --features docker,engine --example docker`, or with another image than `debian:12-slim`:
//! `SANDBOX_IMAGE=alpine cargo run --features docker,engine --example docker`.

#![expect(clippy::print_stdout, reason = "it talks to a person")]

use std::time::Duration;

use sandbox::docker::{DockerConfig, DockerRuntime};
use sandbox::engine::{CreateRequest, Engine};
use sandbox::{Command, SandboxExt, Source};

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            // One line, the cause included: it says what to do when no daemon answers.
            eprintln!("{}", error.report());
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run() -> sandbox::Result<()> {
    let image = std::env::var("SANDBOX_IMAGE").unwrap_or_else(|_| "debian:12-slim".into());

    // Sandboxes of this program have a namespace of their own on the daemon.
    let mut config = DockerConfig::default();
    config.namespace = "example".into();
    let docker = DockerRuntime::connect(config).await?;
    let engine = Engine::builder().runtime("docker", docker).build().await?;

    println!("Creating a sandbox from {image} …");
    let source = Source::Image(image);
    let created = engine.create(CreateRequest::from_source(source)).await?;
    let id = created.id().clone();
    println!("{id} is {}.", created.state());

    let outcome = use_it(&engine, &id).await;

    engine.destroy(&id).await?;
    println!("{id} is destroyed.");
    engine.shutdown().await;
    outcome
}

async fn use_it(engine: &Engine, id: &sandbox::SandboxId) -> sandbox::Result<()> {
    let sandbox = engine.sandbox(id)?;
    let program = "echo \"the answer is $((6 * 7))\" | tee /tmp/answer\n";
    sandbox
        .write_all(&"/tmp/program.sh".parse()?, program.into())
        .await?;

    let command = Command::shell("sh /tmp/program.sh").timeout(Duration::from_secs(10));
    let output = sandbox.exec(command).await?;
    print!("It said: {}", output.stdout_lossy());

    let answer = sandbox.read_to_string(&"/tmp/answer".parse()?).await?;
    assert_eq!(answer, output.stdout_lossy());

    let paused = engine.pause(id).await?;
    println!("It is {}.", paused.state());
    let refused = sandbox.exec(Command::shell("true")).await.unwrap_err();
    println!("A command now: {refused}");
    let resumed = engine.resume(id).await?;
    println!("It is {} again.", resumed.state());
    Ok(())
}
