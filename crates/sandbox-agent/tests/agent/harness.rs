//! A real agent as a child process, and links to it that break on demand.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use sandbox_agent::{AgentClient, Connector, Link};
use sandbox_core::{ExitStatus, OutputStream, Process, ProcessEvent, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::{broadcast, mpsc};

/// The program under test.
pub(crate) fn program() -> &'static str {
    env!("CARGO_BIN_EXE_sandbox-agent")
}

/// How an agent is started.
pub(crate) fn plain() -> Command {
    let mut command = Command::new(program());
    command.arg("agent");
    command
}

/// As the first process of a process namespace, with a `/proc` of its own.
pub(crate) fn first_process() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    command.args([program(), "agent"]);
    command
}

/// A running agent, killed with the test.
#[derive(Debug)]
pub(crate) struct Agent {
    child: Mutex<Child>,
    plug: Arc<Plug>,
}

/// The agent's standard streams, to which links are attached as a daemon attaches them: everything
/// it writes goes to all of them, and everything they write goes to it.
#[derive(Debug)]
struct Plug {
    input: mpsc::Sender<Vec<u8>>,
    output: broadcast::Sender<Vec<u8>>,
    opened: AtomicUsize,
    cut: broadcast::Sender<()>,
    refuse: AtomicUsize,
}

impl Agent {
    pub(crate) fn start(command: &mut Command) -> Self {
        // The test's threads come and go, so it is not the thread that counts as the parent; the
        // agent ends with this handle.
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let plug = Plug::new(child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self {
            child: Mutex::new(child),
            plug: Arc::new(plug),
        }
    }

    pub(crate) fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(Plugged(Arc::clone(&self.plug)))
    }

    pub(crate) async fn client(&self) -> AgentClient {
        AgentClient::connect(self.connector()).await.unwrap()
    }

    /// Breaks every link there is, in the middle of whatever is on it.
    pub(crate) fn cut(&self) {
        let _ = self.plug.cut.send(());
    }

    /// Has the next attempts to open a link fail.
    pub(crate) fn refuse_links(&self, count: usize) {
        self.plug.refuse.store(count, Ordering::SeqCst);
    }

    pub(crate) fn links_opened(&self) -> usize {
        self.plug.opened.load(Ordering::SeqCst)
    }

    /// Sends bytes to the agent past every client.
    pub(crate) async fn inject(&self, bytes: &[u8]) {
        self.plug.input.send(bytes.to_vec()).await.unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.lock().unwrap().id()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.pid(), name);
    }
}

pub(crate) fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

impl Drop for Agent {
    fn drop(&mut self) {
        let mut child = self.child.lock().unwrap();
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Plug {
    fn new(stdin: ChildStdin, stdout: ChildStdout) -> Self {
        let mut stdin = tokio::process::ChildStdin::from_std(stdin).unwrap();
        let mut stdout = tokio::process::ChildStdout::from_std(stdout).unwrap();
        let (input, mut incoming) = mpsc::channel::<Vec<u8>>(1);
        tokio::spawn(async move {
            while let Some(bytes) = incoming.recv().await {
                if stdin.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        });
        let output = broadcast::Sender::new(4096);
        let attached = output.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; 65536];
            while let Ok(got @ 1..) = stdout.read(&mut buffer).await {
                // A slow link holds up the agent, as a full pipe would.
                while attached.len() > 1024 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                let _ = attached.send(buffer[..got].to_vec());
            }
        });
        Self {
            input,
            output,
            opened: AtomicUsize::new(0),
            cut: broadcast::Sender::new(1),
            refuse: AtomicUsize::new(0),
        }
    }
}

#[derive(Debug)]
struct Plugged(Arc<Plug>);

#[async_trait]
impl Connector for Plugged {
    async fn open(&self) -> Result<Link> {
        let plug = &self.0;
        let refused = plug
            .refuse
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if refused.is_ok() {
            let kind = sandbox_core::ErrorKind::Unavailable;
            return Err(sandbox_core::Error::new(kind, "test.open", "refused"));
        }
        plug.opened.fetch_add(1, Ordering::SeqCst);
        let (ours, theirs) = tokio::io::duplex(65536);
        let (reader, writer) = tokio::io::split(theirs);
        let (from_client, to_client) = tokio::io::split(ours);
        tokio::spawn(carry_in(
            from_client,
            plug.input.clone(),
            plug.cut.subscribe(),
        ));
        tokio::spawn(carry_out(
            plug.output.subscribe(),
            to_client,
            plug.cut.subscribe(),
        ));
        Ok(Link {
            reader: Box::new(reader),
            writer: Box::new(writer),
        })
    }
}

async fn carry_in(
    mut from: ReadHalf<DuplexStream>,
    to: mpsc::Sender<Vec<u8>>,
    mut cut: broadcast::Receiver<()>,
) {
    // Odd, so that a cut falls into the middle of packets.
    let mut buffer = vec![0; 5003];
    loop {
        let got = tokio::select! {
            got = from.read(&mut buffer) => got,
            _ = cut.recv() => return,
        };
        match got {
            Ok(got @ 1..) if to.send(buffer[..got].to_vec()).await.is_ok() => {}
            _ => return,
        }
    }
}

async fn carry_out(
    mut from: broadcast::Receiver<Vec<u8>>,
    mut to: WriteHalf<DuplexStream>,
    mut cut: broadcast::Receiver<()>,
) {
    loop {
        let bytes = tokio::select! {
            bytes = from.recv() => bytes,
            _ = cut.recv() => return,
        };
        let Ok(bytes) = bytes else { return };
        tokio::select! {
            done = to.write_all(&bytes) => if done.is_err() { return },
            _ = cut.recv() => return,
        }
    }
}

/// Everything a process said up to its end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
    pub(crate) status: Option<ExitStatus>,
    /// What came after the exit.
    pub(crate) late: Vec<u8>,
}

pub(crate) async fn collect(process: &Arc<dyn Process>) -> Output {
    let mut output = Output::default();
    let mut events = process.events().expect("nobody else reads");
    while let Some(event) = events.next().await {
        match event.unwrap() {
            ProcessEvent::Output(_, data) if output.status.is_some() => {
                output.late.extend_from_slice(&data);
            }
            ProcessEvent::Output(OutputStream::Stderr, data) => output.err.extend_from_slice(&data),
            ProcessEvent::Output(_, data) => output.out.extend_from_slice(&data),
            ProcessEvent::Exited(status) => {
                assert_eq!(output.status.replace(status), None, "one exit");
            }
        }
    }
    output
}

/// Runs a shell line to its end.
pub(crate) async fn sh(client: &AgentClient, line: &str) -> Output {
    let process = client.spawn(sandbox_core::Command::shell(line)).await;
    collect(&process.unwrap()).await
}

/// A directory that is removed with the test.
#[derive(Debug)]
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("agent-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A path below it, as the sandbox knows it.
    pub(crate) fn at(&self, name: &str) -> sandbox_core::SandboxPath {
        let path = sandbox_core::SandboxPath::new(self.0.to_str().unwrap()).unwrap();
        path.join(name).unwrap()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until `is_so`, or fails.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be that {what}");
}

/// Whether a process with this id exists and has not ended.
pub(crate) fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit_once(") ").unwrap().1.starts_with('Z'))
}
