//! What the agent costs over a pair of pipes: a table of medians.
#![expect(clippy::print_stdout, reason = "the table is the point")]

use std::process::{Child, ChildStdin, ChildStdout, Command as Program, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use sandbox_agent::{AgentClient, Connector, Link};
use sandbox_core::{
    Command, Error, ErrorKind, ProcessEvent, ReadOptions, Result, SandboxPath, WriteOptions,
    byte_stream,
};

#[derive(Debug)]
struct Pipes(Mutex<Option<(ChildStdin, ChildStdout)>>);

#[async_trait]
impl Connector for Pipes {
    async fn open(&self) -> Result<Link> {
        let gone = |_| Error::new(ErrorKind::NotFound, "bench.open", "the agent is gone");
        let taken = self.0.lock().ok().and_then(|mut pipes| pipes.take());
        let (stdin, stdout) = taken.ok_or(()).map_err(gone)?;
        let failed = |error: std::io::Error| {
            Error::new(ErrorKind::Internal, "bench.open", "no pipe").with_source(error)
        };
        Ok(Link {
            reader: Box::new(tokio::process::ChildStdout::from_std(stdout).map_err(failed)?),
            writer: Box::new(tokio::process::ChildStdin::from_std(stdin).map_err(failed)?),
        })
    }
}

fn start() -> (Child, Arc<dyn Connector>) {
    // Another build of the program, such as the static one, can be measured too.
    let program = std::env::var("SANDBOX_AGENT_PROGRAM");
    let program = program.unwrap_or_else(|_| env!("CARGO_BIN_EXE_sandbox-agent").to_owned());
    let mut child = Program::new(program)
        .arg("agent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let stdin = child.stdin.take().expect("piped");
    let stdout = child.stdout.take().expect("piped");
    (child, Arc::new(Pipes(Mutex::new(Some((stdin, stdout))))))
}

async fn exec(client: &AgentClient, command: Command) -> usize {
    let process = client.spawn(command).await.expect("starts");
    let mut events = process.events().expect("first reader");
    let mut bytes = 0;
    while let Some(event) = events.next().await {
        match event.expect("link holds") {
            ProcessEvent::Output(_, data) => bytes += data.len(),
            ProcessEvent::Exited(_) => break,
        }
    }
    bytes
}

async fn row<F: Future<Output = ()>>(name: &str, times: usize, mut run: impl FnMut() -> F) {
    let mut taken = Vec::with_capacity(times);
    for _ in 0..times {
        let start = Instant::now();
        run().await;
        taken.push(start.elapsed());
    }
    taken.sort_unstable();
    let at = |percent: usize| taken[(times - 1) * percent / 100].as_secs_f64() * 1e3;
    println!("{name:<34} p50 {:>8.3} ms   p95 {:>8.3} ms", at(50), at(95));
}

/// The floor: the same without any agent.
fn bare() {
    let mut program = Program::new("/bin/true");
    let _ = program.status();
}

async fn measure(client: &AgentClient) {
    let truth = || Command::argv(["/bin/true"]);
    let limited = || truth().timeout(Duration::from_secs(30));
    row("fork and exec of true, no agent", 500, || async { bare() }).await;
    row("ping", 2000, || async {
        client.ping().await.expect("answers")
    })
    .await;
    row("exec true", 1000, || async {
        exec(client, truth()).await;
    })
    .await;
    row("exec true with a time limit", 1000, || async {
        exec(client, limited()).await;
    })
    .await;
    row("exec sh -c 'echo hi'", 500, || async {
        exec(client, Command::shell("echo hi")).await;
    })
    .await;
    row("10 MB of zeros", 20, || async {
        let command = Command::shell("head -c 10000000 /dev/zero");
        assert_eq!(exec(client, command).await, 10_000_000);
    })
    .await;
    row("10 MB of text", 20, || async {
        let command = Command::shell("head -c 10000000 /dev/zero | tr '\\0' x");
        assert_eq!(exec(client, command).await, 10_000_000);
    })
    .await;
    row("the same into /dev/null, no agent", 20, || async {
        let line = "head -c 10000000 /dev/zero | tr '\\0' x | cat > /dev/null";
        let _ = Program::new("sh").args(["-c", line]).status();
    })
    .await;
    files(client).await;
}

async fn files(client: &AgentClient) {
    let name = format!(
        "{}/agent-bench-{}",
        std::env::temp_dir().display(),
        std::process::id()
    );
    let path = SandboxPath::new(name).expect("a path");
    let path = &path;
    for (size, times) in [(1000, 500), (10_000_000, 20)] {
        let data = &Bytes::from(vec![7; size]);
        row(&format!("write of {size} bytes"), times, || async {
            let body = byte_stream(data.clone());
            let written = client.write(path, body, WriteOptions::default()).await;
            drop(written.expect("writes"));
        })
        .await;
        row(&format!("read of {size} bytes"), times, || async {
            let mut content = client
                .read(path, ReadOptions::default())
                .await
                .expect("opens");
            let mut read = 0;
            while let Some(chunk) = content.body.next().await {
                read += chunk.expect("reads").len();
            }
            assert_eq!(read, size);
        })
        .await;
    }
    client.remove(path, false).await.expect("removes");
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (mut child, connector) = start();
        let client = AgentClient::connect(connector).await.expect("connects");
        measure(&client).await;
        let _ = child.kill();
        let _ = child.wait();
    });
}
