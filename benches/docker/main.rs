//! `cargo bench --bench docker`: the Docker runtime beside the Engine API as it is, in one run.
//!
//! Needs a daemon (`DOCKER_HOST`). `SANDBOX_IMAGE` names the image, `debian:12-slim` without it;
//! `SANDBOX_BENCH_ROUNDS` how often each row is measured, 30 without it.

mod rival;
mod table;

use std::env;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bytes::Bytes;
use futures_util::StreamExt;
use rival::Rival;
use sandbox::docker::{DockerConfig, DockerRuntime};
use sandbox::egress::EgressRules;
use sandbox::{
    Command, ReadOptions, Runtime, Sandbox, SandboxExt, SandboxId, SandboxPath, SandboxSpec, Source,
};
use table::{Row, race, timed};

const TEN_MB: usize = 10 << 20;
const PRINT_TEN_MB: &str = "head -c 10485760 /dev/zero";

/// Both sides, ready to be measured.
struct Bench {
    docker: Docker,
    runtime: Arc<dyn Runtime>,
    image: String,
    rounds: usize,
    sandbox: Arc<dyn Sandbox>,
    rival: Rival,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bench = Bench::new().await?;
    let mut rows = vec![
        bench.exec_true().await,
        bench.create_and_exec().await,
        bench.create_and_destroy().await,
        bench.stdout().await,
        bench
            .write("write a file of 1 KB | PUT archive", 1 << 10, 1.0)
            .await,
        bench
            .read("read a file of 1 KB | GET archive", 1 << 10, 1.0)
            .await,
        bench
            .write("write a file of 10 MB | PUT archive", TEN_MB, 0.5)
            .await,
        bench
            .read("read a file of 10 MB | GET archive", TEN_MB, 0.5)
            .await,
        bench.pause_and_resume().await,
    ];
    let rate = bench.execs_per_second().await?;
    let mut out = std::io::stdout().lock();
    let rounds = bench.rounds;
    use std::io::Write;
    writeln!(
        out,
        "\nDocker, {rounds} rounds, `{}`; ours | floor, in turns of ten",
        bench.image
    )?;
    table::print(&mut rows, &mut out)?;
    writeln!(
        out,
        "\nexec of true over 4 sandboxes, 4 at once each: {rate:.0}/s (aim 1000)"
    )?;
    bench.finish().await?;
    Ok(())
}

fn spec(image: &str) -> sandbox::Result<SandboxSpec> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).expect("the system has randomness");
    SandboxSpec::builder(
        SandboxId::from_random(random),
        Source::Image(image.to_owned()),
    )
    .egress(EgressRules::deny_all())
    .build()
}

impl Bench {
    async fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let image = env::var("SANDBOX_IMAGE").unwrap_or_else(|_| "debian:12-slim".into());
        let rounds = match env::var("SANDBOX_BENCH_ROUNDS") {
            Ok(text) => text.parse()?,
            Err(_) => 30,
        };
        let mut config = DockerConfig::default();
        config.namespace = "bench".into();
        let host = config.resolved_host();
        let runtime: Arc<dyn Runtime> = DockerRuntime::connect(config).await?;
        let docker = Docker::connect_with_host(&host)?
            .negotiate_version()
            .await?;
        let sandbox = runtime.create(&spec(&image)?).await?;
        let rival = Rival::create(&docker, &image).await?;
        Ok(Self {
            docker,
            runtime,
            image,
            rounds,
            sandbox,
            rival,
        })
    }

    async fn finish(self) -> Result<(), Box<dyn std::error::Error>> {
        self.sandbox.destroy().await?;
        self.rival.remove().await?;
        Ok(())
    }

    async fn exec_true(&self) -> Row {
        let ours = |_| async {
            let (took, output) = timed(self.sandbox.exec(Command::argv(["true"]))).await;
            assert!(output.expect("it runs").status.success());
            took
        };
        let floor = |_| async { timed(self.rival.exec(&["true"])).await.0 };
        race(
            "exec true | docker exec",
            self.rounds * 3,
            1.0 / 30.0,
            ours,
            floor,
        )
        .await
    }

    async fn create_and_exec(&self) -> Row {
        let ours = |_| async {
            let (took, sandbox) = timed(async {
                let spec = spec(&self.image).expect("it is valid");
                let sandbox = self.runtime.create(&spec).await.expect("it is made");
                let output = sandbox
                    .exec(Command::argv(["true"]))
                    .await
                    .expect("it runs");
                assert!(output.status.success());
                sandbox
            })
            .await;
            sandbox.destroy().await.expect("it goes");
            took
        };
        let floor = |_| async {
            let (took, rival) = timed(Rival::create(&self.docker, &self.image)).await;
            rival.expect("it is made").remove().await.expect("it goes");
            took
        };
        // A pod is two containers; a pool of ready ones is what makes this row small.
        race(
            "create to first exec | raw create + start",
            self.rounds / 2,
            0.6,
            ours,
            floor,
        )
        .await
    }

    async fn create_and_destroy(&self) -> Row {
        let ours = |_| async {
            let spec = spec(&self.image).expect("it is valid");
            let sandbox = self.runtime.create(&spec).await.expect("it is made");
            timed(sandbox.destroy()).await.0
        };
        let floor = |_| async {
            let rival = Rival::create(&self.docker, &self.image)
                .await
                .expect("it is made");
            timed(rival.remove()).await.0
        };
        race(
            "destroy | raw remove with force",
            self.rounds / 3,
            2.0,
            ours,
            floor,
        )
        .await
    }

    async fn stdout(&self) -> Row {
        let ours = |_| async {
            let command = Command::shell(PRINT_TEN_MB);
            let (took, output) = timed(self.sandbox.exec(command)).await;
            assert_eq!(output.expect("it runs").stdout.len(), TEN_MB);
            took
        };
        let floor = |_| async {
            let (took, bytes) = timed(self.rival.exec(&["sh", "-c", PRINT_TEN_MB])).await;
            assert_eq!(bytes.expect("it runs"), TEN_MB);
            took
        };
        race(
            "10 MB of stdout | docker exec",
            self.rounds / 3,
            0.5,
            ours,
            floor,
        )
        .await
    }

    async fn write(&self, what: &'static str, size: usize, aim: f64) -> Row {
        let data = Bytes::from(vec![7; size]);
        let path: SandboxPath = "/var/tmp/bench".parse().expect("it is a path");
        let ours = |_| {
            let (data, path) = (data.clone(), path.clone());
            async move {
                let (took, written) = timed(self.sandbox.write_all(&path, data)).await;
                written.expect("it is written");
                took
            }
        };
        let floor = |_| async {
            let (took, put) = timed(self.rival.put("var/tmp/bench", &data)).await;
            put.expect("it is put");
            took
        };
        race(what, self.rounds / 3, aim, ours, floor).await
    }

    async fn read(&self, what: &'static str, size: usize, aim: f64) -> Row {
        let path: SandboxPath = "/var/tmp/bench".parse().expect("it is a path");
        let ours = |_| {
            let path = path.clone();
            async move {
                let (took, bytes) = timed(self.read_all(&path)).await;
                assert_eq!(bytes.expect("it is read"), size);
                took
            }
        };
        let floor = |_| async {
            let (took, bytes) = timed(self.rival.get("/var/tmp/bench")).await;
            assert!(bytes.expect("it is got") > size);
            took
        };
        race(what, self.rounds / 3, aim, ours, floor).await
    }

    async fn read_all(&self, path: &SandboxPath) -> sandbox::Result<usize> {
        let mut content = self.sandbox.read(path, ReadOptions::default()).await?;
        let mut bytes = 0;
        while let Some(chunk) = content.body.next().await {
            bytes += chunk?.len();
        }
        Ok(bytes)
    }

    async fn pause_and_resume(&self) -> Row {
        let ours = |_| async {
            self.sandbox.pause().await.expect("it pauses");
            let (took, output) = timed(async {
                self.sandbox.resume().await?;
                self.sandbox.exec(Command::argv(["true"])).await
            })
            .await;
            assert!(output.expect("it runs").status.success());
            took
        };
        let floor = |_| async {
            self.rival.pause().await.expect("it pauses");
            let (took, resumed) = timed(self.rival.unpause()).await;
            resumed.expect("it resumes");
            took
        };
        race(
            "resume to exec done | raw unpause",
            self.rounds / 3,
            1.3,
            ours,
            floor,
        )
        .await
    }

    /// Commands a second over several sandboxes.
    async fn execs_per_second(&self) -> sandbox::Result<f64> {
        const SANDBOXES: usize = 4;
        const TASKS: usize = 4;
        const EXECS: usize = 250;
        let mut sandboxes = Vec::new();
        for _ in 0..SANDBOXES {
            sandboxes.push(self.runtime.create(&spec(&self.image)?).await?);
        }
        let all = sandboxes.iter().flat_map(|sandbox| {
            (0..TASKS).map(|_| async {
                for _ in 0..EXECS {
                    sandbox.exec(Command::argv(["true"])).await?;
                }
                Ok::<(), sandbox::Error>(())
            })
        });
        let (took, done) = timed(futures_util::future::try_join_all(all)).await;
        done?;
        for sandbox in &sandboxes {
            sandbox.destroy().await?;
        }
        let execs = (SANDBOXES * TASKS * EXECS) as f64;
        Ok(execs / took.max(Duration::from_millis(1)).as_secs_f64())
    }
}
