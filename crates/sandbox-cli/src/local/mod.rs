//! Sandboxes without a server: an engine in this process, over this machine's Docker daemon or over
//! sandboxes in this process too.

mod request;
mod runs;

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{
    BoxStream, Command, Error, ErrorKind, Process, Progress, Result, Runtime, RuntimeName, Sandbox,
    SandboxId,
};
use sandbox_engine::Engine;
use sandbox_engine::templates::Templates;
use sandbox_runtime_docker::{DockerConfig, DockerRuntime};
use sandbox_runtime_wasm::WasmRuntime;

use self::runs::Run;
use crate::args::MakeArgs;
use crate::maker::Maker;

/// The names that the runtimes there are have.
const DOCKER: &str = "docker";
const WASM: &str = "wasm";

/// Makes sandboxes with an engine of its own, in memory.
#[derive(Debug)]
pub(crate) struct LocalMaker {
    engine: Engine,
    /// Held until the end, so that the next run sees what this one left behind.
    run: Option<Run>,
}

impl LocalMaker {
    /// An engine over the runtime that `asked` names; Docker's where it names none.
    ///
    /// # Errors
    /// `NotFound` with field `runtime` for a name that no runtime has; what starting it fails with.
    pub(crate) async fn named(asked: Option<&RuntimeName>) -> Result<Self> {
        match asked.map_or(DOCKER, RuntimeName::as_str) {
            DOCKER => Self::docker().await,
            WASM => {
                let runtime = WasmRuntime::builder().build()?;
                Self::over(WASM, Arc::new(runtime)).await
            }
            other => {
                let message = format!("there is no runtime {other}; known are {DOCKER} and {WASM}");
                let error = Error::new(ErrorKind::NotFound, "cli.run", message);
                Err(error.with_field("runtime"))
            }
        }
    }

    /// An engine over the Docker daemon here. It has a namespace of its own, so that it never
    /// touches the sandboxes of a server.
    ///
    /// # Errors
    /// `Unavailable` when no daemon answers, with what to do about it.
    async fn docker() -> Result<Self> {
        let mut config = DockerConfig::default();
        let run = Run::begin(&config.resolved_host())?;
        config.namespace = run.namespace().to_owned();
        let runtime = DockerRuntime::connect(config).await?;
        let mut maker = Self::over(DOCKER, runtime).await?;
        maker.run = Some(run);
        Ok(maker)
    }

    /// An engine over `runtime`, called `name`.
    ///
    /// # Errors
    /// What the engine fails to start with.
    async fn over(name: &str, runtime: Arc<dyn Runtime>) -> Result<Self> {
        let engine = Engine::builder()
            .runtime(name, runtime)
            .templates(Templates::builtin()?)
            .build()
            .await?;
        Ok(Self { engine, run: None })
    }
}

#[async_trait]
impl Maker for LocalMaker {
    async fn prepare(&self, args: &MakeArgs) -> Result<BoxStream<Result<Progress>>> {
        let request = request::create(args, None, self.engine.templates())?;
        let spec = self.engine.resolve(&request)?;
        let wanted = request.runtime.as_ref().or(self.engine.default_runtime());
        let mut runtimes = self.engine.runtimes();
        match runtimes.find(|(name, _)| Some(*name) == wanted) {
            Some((_, runtime)) => runtime.prepare(spec.source()).await,
            None => {
                let message = "there is no such runtime";
                let error = Error::new(ErrorKind::NotFound, "cli.run", message);
                Err(error.with_field("runtime"))
            }
        }
    }

    async fn create(&self, id: &SandboxId, args: &MakeArgs) -> Result<()> {
        let request = request::create(args, Some(id.clone()), self.engine.templates())?;
        self.engine.create(request).await.map(|_| ())
    }

    async fn spawn(&self, id: &SandboxId, command: Command) -> Result<Arc<dyn Process>> {
        self.engine.sandbox(id)?.spawn(command).await
    }

    async fn remove(&self, id: &SandboxId) -> Result<()> {
        match self.engine.destroy(id).await {
            // It was never begun.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map(|_| ()),
        }
    }

    async fn close(&mut self) {
        self.engine.shutdown().await;
        if let Some(run) = self.run.take() {
            run.end().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use sandbox_testkit::{FAKE_IMAGE, FakeRuntime};

    use super::*;
    use crate::args::{Args, Command as Wanted, RunArgs};
    use crate::commands;
    use crate::output::Printer;

    fn args(rest: &[&str]) -> RunArgs {
        let begin = ["sandbox", "run"];
        let parsed = Args::try_parse_from(begin.iter().chain(rest)).unwrap();
        match parsed.command {
            Wanted::Run(args) => args,
            other => panic!("{other:?}"),
        }
    }

    async fn run(runtime: &FakeRuntime, rest: &[&str]) -> Result<u8> {
        let maker = LocalMaker::over(DOCKER, Arc::new(runtime.clone())).await?;
        commands::run(maker, &args(rest), Printer::new(true)).await
    }

    #[tokio::test]
    async fn a_command_runs_without_a_server_and_leaves_nothing() {
        let runtime = FakeRuntime::new();
        for (rest, code) in [
            (&["--image", FAKE_IMAGE, "--", "sh", "-c", "exit 5"][..], 5),
            (
                &[
                    "--image",
                    FAKE_IMAGE,
                    "--timeout",
                    "100ms",
                    "--",
                    "sleep",
                    "600",
                ],
                124,
            ),
        ] {
            assert_eq!(run(&runtime, rest).await.unwrap(), code);
            assert!(runtime.daemon().sandboxes().is_empty());
        }
    }

    #[tokio::test]
    async fn what_cannot_be_made_or_started_leaves_nothing() {
        let runtime = FakeRuntime::new();
        for (rest, field) in [
            (&["--image", "none", "--", "true"][..], "image"),
            (&["--template", "pyton", "--", "true"], "template"),
            (
                &["--image", FAKE_IMAGE, "--runtime", "x", "--", "true"],
                "runtime",
            ),
            (
                &["--image", FAKE_IMAGE, "--size", "huge", "--", "true"],
                "size",
            ),
            (&["--image", FAKE_IMAGE, "--", "nosuch"], "command"),
        ] {
            let error = run(&runtime, rest).await.unwrap_err();
            assert_eq!(error.field(), Some(field), "{error:?}");
            assert!(runtime.daemon().sandboxes().is_empty());
        }
    }
}
