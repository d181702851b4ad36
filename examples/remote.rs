//! The same program on the Docker daemon of this machine and on a server far away: one line chooses.
//!
//! `cargo run --example remote --features client,docker` runs it here; with `SANDBOX_URL` and
//! `SANDBOX_API_KEY` it runs on that server. `SANDBOX_IMAGE` names another image than
//! `debian:12-slim`.

#![expect(clippy::print_stdout, reason = "it talks to a person")]

use std::sync::Arc;
use std::time::Duration;

use sandbox::client::{Client, RemoteConfig, RemoteRuntime};
use sandbox::docker::{DockerConfig, DockerRuntime};
use sandbox::{Command, Sandbox, SandboxExt, SandboxId, SandboxSpec, Source};

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", error.report());
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run() -> sandbox::Result<()> {
    // This is the line: everything below knows a `Runtime` and nothing else.
    let runtime = match std::env::var_os("SANDBOX_URL") {
        Some(_) => RemoteRuntime::connect(Client::from_env()?, RemoteConfig::default()).await?,
        None => DockerRuntime::connect(DockerConfig::default()).await?,
    };
    let sandbox = runtime.create(&spec()?).await?;
    let outcome = use_it(&sandbox).await;
    // Whatever came of it, nothing stays behind.
    sandbox.destroy().await?;
    outcome
}

fn spec() -> sandbox::Result<SandboxSpec> {
    let image = std::env::var("SANDBOX_IMAGE").unwrap_or_else(|_| "debian:12-slim".into());
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system has randomness");
    SandboxSpec::builder(SandboxId::from_random(random), Source::Image(image)).build()
}

async fn use_it(sandbox: &Arc<dyn Sandbox>) -> sandbox::Result<()> {
    let input = "3\n1\n2\n";
    let path = "/tmp/numbers".parse()?;
    sandbox.write_all(&path, input.into()).await?;
    let command = Command::argv(["sort", "/tmp/numbers"]).timeout(Duration::from_secs(10));
    let output = sandbox.exec(command).await?;
    println!("{} sorted:\n{}", sandbox.id(), output.stdout_lossy());
    Ok(())
}
