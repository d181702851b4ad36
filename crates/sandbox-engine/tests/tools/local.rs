//! A sandbox that is none: commands run on this machine, and paths are this machine's. For tools
//! under test alone.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Command, Error, ErrorKind, ExitStatus, FileContent,
    FileEvent, FileInfo, FileKind, KillCause, ListOptions, MakeDirOptions, OutputStream, Pid,
    Process, ProcessEvent, ProcessInfo, PtySize, ReadOptions, Result, Sandbox, SandboxId,
    SandboxPath, SandboxSpec, Signal, SnapshotId, Source, Stats, Stdin, WatchOptions, WriteOptions,
    byte_stream,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};
use tokio::sync::{Mutex as AsyncMutex, mpsc, watch};

/// See the module.
#[derive(Debug)]
pub(crate) struct LocalSandbox {
    spec: SandboxSpec,
    directory: tempfile::TempDir,
    /// `PATH` of every command, where it is not this process's.
    path: Option<String>,
}

impl LocalSandbox {
    /// One with a directory of its own, which is also where commands start and their home.
    pub(crate) fn new() -> Self {
        Self::with_egress(EgressRules::allow_all())
    }

    pub(crate) fn with_egress(egress: EgressRules) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let workdir = SandboxPath::new(directory.path().to_str().unwrap()).unwrap();
        let id = SandboxId::from_random([1; 16]);
        let spec = SandboxSpec::builder(id, Source::Image("local".into()))
            .workdir(workdir)
            .egress(egress)
            .build()
            .unwrap();
        Self {
            spec,
            directory,
            path: None,
        }
    }

    /// One whose commands find only what is in `directories`.
    pub(crate) fn with_path(directories: &str) -> Self {
        Self {
            path: Some(directories.to_owned()),
            ..Self::new()
        }
    }

    pub(crate) fn root(&self) -> &Path {
        self.directory.path()
    }

    /// A path below the sandbox's directory.
    pub(crate) fn path(&self, relative: &str) -> SandboxPath {
        self.spec.workdir().unwrap().join(relative).unwrap()
    }
}

fn io_error(operation: &'static str, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::AlreadyExists
        | std::io::ErrorKind::NotADirectory
        | std::io::ErrorKind::DirectoryNotEmpty
        | std::io::ErrorKind::IsADirectory => ErrorKind::Conflict,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, operation, error.to_string()).with_field("path")
}

fn not_here(what: &'static str) -> Error {
    Error::unsupported("local", what, "this double does not have it")
}

fn info(path: &SandboxPath) -> Result<FileInfo> {
    let found = std::fs::symlink_metadata(path.as_str()).map_err(|e| io_error("local.stat", e))?;
    let kind = if found.is_dir() {
        FileKind::Directory
    } else if found.is_symlink() {
        FileKind::Symlink
    } else if found.is_file() {
        FileKind::File
    } else {
        FileKind::Other
    };
    let mut info = FileInfo::new(path.clone(), kind, found.len());
    info.mode = found.mode() & 0o7777;
    info.uid = found.uid();
    Ok(info)
}

#[async_trait]
impl Sandbox for LocalSandbox {
    fn id(&self) -> &SandboxId {
        self.spec.id()
    }

    fn spec(&self) -> &SandboxSpec {
        &self.spec
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        command.validate()?;
        let cwd = command.cwd.as_ref().or(self.spec.workdir()).unwrap();
        if !Path::new(cwd.as_str()).is_dir() {
            let error = Error::new(ErrorKind::NotFound, "local.spawn", "no such directory");
            return Err(error.with_field("cwd"));
        }
        let argv = command.to_argv();
        let mut child = tokio::process::Command::new(&argv[0]);
        child
            .args(&argv[1..])
            .current_dir(cwd.as_str())
            .env("HOME", self.root())
            .envs(self.path.iter().map(|path| ("PATH", path)))
            .envs(&command.env)
            .process_group(0)
            .stdin(match command.stdin {
                Stdin::Piped => Stdio::piped(),
                Stdin::Null => Stdio::null(),
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = child.spawn().map_err(|error| {
            let kind = match error.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                _ => ErrorKind::Internal,
            };
            Error::new(kind, "local.spawn", error.to_string()).with_field("command")
        })?;
        Ok(Arc::new(LocalProcess::new(child, &command)))
    }

    async fn attach(&self, _pid: Pid) -> Result<Arc<dyn Process>> {
        Err(not_here("pid"))
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        Err(not_here("processes"))
    }

    async fn signal(&self, _pid: Pid, _signal: Signal) -> Result<()> {
        Err(not_here("signal"))
    }

    async fn read(&self, path: &SandboxPath, _options: ReadOptions) -> Result<FileContent> {
        let content = std::fs::read(path.as_str()).map_err(|e| io_error("local.read", e))?;
        Ok(FileContent {
            info: info(path)?,
            body: byte_stream(content),
        })
    }

    async fn write(
        &self,
        path: &SandboxPath,
        mut body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        let mut content = BytesMut::new();
        while let Some(chunk) = body.next().await {
            content.extend_from_slice(&chunk?);
        }
        let failed = |e| io_error("local.write", e);
        if options.create_parents {
            let parent = path.parent().unwrap();
            std::fs::create_dir_all(parent.as_str()).map_err(failed)?;
        }
        std::fs::write(path.as_str(), content).map_err(failed)?;
        let mode = std::fs::Permissions::from_mode(options.mode.unwrap_or(0o644));
        std::fs::set_permissions(path.as_str(), mode).map_err(failed)?;
        info(path)
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        info(path)
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        let failed = |e| io_error("local.list", e);
        let entries = std::fs::read_dir(path.as_str()).map_err(failed)?;
        let mut found = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            found.push(info(&path.join(name.to_str().unwrap())?)?);
        }
        if found.len() > options.limit as usize {
            let error = Error::new(ErrorKind::LimitExceeded, "local.list", "too many entries");
            return Err(error.with_field("limit"));
        }
        Ok(found)
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        match std::fs::create_dir(path.as_str()) {
            Ok(()) => {
                let mode = std::fs::Permissions::from_mode(options.mode.unwrap_or(0o755));
                std::fs::set_permissions(path.as_str(), mode)
                    .map_err(|e| io_error("local.make_dir", e))?;
                Ok(true)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(io_error("local.make_dir", error)),
        }
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        std::fs::rename(from.as_str(), to.as_str()).map_err(|e| io_error("local.rename", e))
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        let is_dir = info(path)?.kind == FileKind::Directory;
        let removed = match (is_dir, recursive) {
            (true, true) => std::fs::remove_dir_all(path.as_str()),
            (true, false) => std::fs::remove_dir(path.as_str()),
            (false, _) => std::fs::remove_file(path.as_str()),
        };
        removed.map_err(|e| io_error("local.remove", e))
    }

    async fn watch(
        &self,
        _path: &SandboxPath,
        _options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        Err(not_here("watch"))
    }

    async fn pause(&self) -> Result<()> {
        Err(not_here("pause"))
    }

    async fn resume(&self) -> Result<()> {
        Err(not_here("resume"))
    }

    async fn set_egress(&self, _rules: &EgressRules) -> Result<()> {
        Err(not_here("egress"))
    }

    async fn connect(&self, _port: u16) -> Result<BoxConnection> {
        Err(not_here("port"))
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        Err(not_here("snapshot"))
    }

    async fn stats(&self) -> Result<Stats> {
        Err(not_here("stats"))
    }

    async fn destroy(&self) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct LocalProcess {
    pid: Pid,
    stdin: AsyncMutex<Option<ChildStdin>>,
    events: Mutex<Option<mpsc::Receiver<ProcessEvent>>>,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl LocalProcess {
    fn new(mut child: Child, command: &Command) -> Self {
        let pid = child.id().unwrap();
        let stdin = child.stdin.take();
        let (sender, events) = mpsc::channel(64);
        let (done, status) = watch::channel(None);
        let timeout = command.timeout;
        tokio::spawn(async move {
            let output = tokio::spawn(forward(
                child.stdout.take().unwrap(),
                OutputStream::Stdout,
                sender.clone(),
            ));
            let errors = tokio::spawn(forward(
                child.stderr.take().unwrap(),
                OutputStream::Stderr,
                sender.clone(),
            ));
            let status = wait(&mut child, pid, timeout).await;
            // What it wrote comes before its exit. Children left behind may hold the pipes open.
            let drained = async { (output.await, errors.await) };
            let _ = tokio::time::timeout(std::time::Duration::from_secs(1), drained).await;
            let _ = sender.send(ProcessEvent::Exited(status)).await;
            done.send_replace(Some(status));
        });
        Self {
            pid,
            stdin: AsyncMutex::new(stdin),
            events: Mutex::new(Some(events)),
            status,
        }
    }
}

async fn wait(child: &mut Child, pid: Pid, timeout: Option<std::time::Duration>) -> ExitStatus {
    let limit = timeout.unwrap_or(std::time::Duration::from_secs(3600));
    let (ended, cause) = match tokio::time::timeout(limit, child.wait()).await {
        Ok(ended) => (ended.unwrap(), None),
        Err(_) => {
            let group = format!("-{pid}");
            let mut kill = tokio::process::Command::new("kill");
            kill.args(["-KILL", "--", &group]).status().await.unwrap();
            (child.wait().await.unwrap(), Some(KillCause::Timeout))
        }
    };
    let mut status = match (ended.code(), ended.signal()) {
        (Some(code), _) => ExitStatus::from_code(u8::try_from(code).unwrap()),
        (None, Some(signal)) => ExitStatus::from_signal(Signal::new(signal).unwrap()),
        (None, None) => ExitStatus::lost(),
    };
    status.cause = cause;
    status
}

async fn forward(
    mut from: impl AsyncReadExt + Unpin,
    stream: OutputStream,
    to: mpsc::Sender<ProcessEvent>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let chunk = Bytes::copy_from_slice(&buffer[..count]);
        if to.send(ProcessEvent::Output(stream, chunk)).await.is_err() {
            return;
        }
    }
}

#[async_trait]
impl Process for LocalProcess {
    fn pid(&self) -> Pid {
        self.pid
    }

    fn events(&self) -> Option<BoxStream<Result<ProcessEvent>>> {
        let receiver = self.events.lock().unwrap().take()?;
        Some(Box::pin(stream::unfold(receiver, |mut receiver| async {
            Some((Ok(receiver.recv().await?), receiver))
        })))
    }

    async fn write_stdin(&self, data: Bytes) -> Result<()> {
        let closed = || Error::new(ErrorKind::Conflict, "local.stdin", "is closed");
        let mut stdin = self.stdin.lock().await;
        let stdin = stdin.as_mut().ok_or_else(closed)?;
        stdin.write_all(&data).await.map_err(|_| closed())
    }

    async fn close_stdin(&self) -> Result<()> {
        self.stdin.lock().await.take();
        Ok(())
    }

    async fn wait(&self) -> Result<ExitStatus> {
        let mut status = self.status.clone();
        let ended = status.wait_for(Option::is_some).await;
        Ok(ended
            .ok()
            .and_then(|ended| *ended)
            .unwrap_or_else(ExitStatus::lost))
    }

    async fn signal(&self, _signal: Signal) -> Result<()> {
        Err(not_here("signal"))
    }

    async fn resize(&self, _size: PtySize) -> Result<()> {
        Err(not_here("pty"))
    }
}
