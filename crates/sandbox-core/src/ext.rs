//! Sugar over [`Sandbox`] and [`Process`], so that implementors write little.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, future};

use crate::{
    ByteStream, Command, Error, ErrorKind, ExitStatus, FileInfo, OutputStream, Process,
    ProcessEvent, ReadOptions, Result, Sandbox, SandboxPath, WriteOptions, byte_stream,
};

/// The most bytes of output that [`SandboxExt::exec`] keeps, both streams together.
pub const MAX_EXEC_OUTPUT: usize = 64 << 20;
/// The largest file that [`SandboxExt::read_to_bytes`] reads in bytes.
pub const MAX_READ_TO_BYTES: u64 = 256 << 20;

/// A command that has run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExecOutput {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, or what its terminal showed.
    pub stdout: Bytes,
    /// Its standard error.
    pub stderr: Bytes,
    /// Whether there was more than was to be kept ([`MAX_EXEC_OUTPUT`] for
    /// [`SandboxExt::exec`]); the rest was read and thrown away.
    pub truncated: bool,
}

impl ExecOutput {
    /// Standard output as text, bytes that are not UTF-8 replaced.
    pub fn stdout_lossy(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text, bytes that are not UTF-8 replaced.
    pub fn stderr_lossy(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// Conveniences on every [`Sandbox`].
#[async_trait]
pub trait SandboxExt: Sandbox {
    /// Runs a command to its end and keeps what it printed until then. Children left behind hold
    /// nothing up. When this future is dropped the command goes on; give it a
    /// [`timeout`](Command::timeout).
    ///
    /// # Errors
    /// As [`Sandbox::spawn`]. A command that fails is an `Ok` with its status.
    async fn exec(&self, command: Command) -> Result<ExecOutput> {
        let process = self.spawn(command).await?;
        process.collect(MAX_EXEC_OUTPUT).await
    }

    /// As [`exec`](Self::exec), with `input` as standard input. A command that does not read all
    /// of it is no error.
    async fn exec_with_input(&self, command: Command, input: Bytes) -> Result<ExecOutput> {
        let process = self.spawn(command.piped_stdin()).await?;
        let feed = process.feed(input);
        let collect = process.collect(MAX_EXEC_OUTPUT);
        futures_util::pin_mut!(feed, collect);
        match future::select(feed, collect).await {
            future::Either::Left((fed, collect)) => {
                fed?;
                collect.await
            }
            future::Either::Right((output, _)) => output,
        }
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// As [`Sandbox::read`]; `LimitExceeded` with field `path` over [`MAX_READ_TO_BYTES`].
    async fn read_to_bytes(&self, path: &SandboxPath) -> Result<Bytes> {
        let mut content = self.read(path, ReadOptions::default()).await?;
        let mut whole = BytesMut::new();
        while let Some(chunk) = content.body.next().await {
            let chunk = chunk?;
            if (whole.len() + chunk.len()) as u64 > MAX_READ_TO_BYTES {
                let message = format!("is over {MAX_READ_TO_BYTES} bytes; read it as a stream");
                return Err(
                    Error::new(ErrorKind::LimitExceeded, "sandbox.read", message)
                        .with_field("path"),
                );
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// Reads a whole file as UTF-8.
    ///
    /// # Errors
    /// As [`read_to_bytes`](Self::read_to_bytes); `Conflict` with field `path` when it is not
    /// UTF-8.
    async fn read_to_string(&self, path: &SandboxPath) -> Result<String> {
        let bytes = self.read_to_bytes(path).await?;
        String::from_utf8(bytes.into()).map_err(|e| {
            Error::new(ErrorKind::Conflict, "sandbox.read", "is not UTF-8")
                .with_field("path")
                .with_source(e)
        })
    }

    /// Writes a whole file with default options.
    ///
    /// # Errors
    /// As [`Sandbox::write`].
    async fn write_all(&self, path: &SandboxPath, data: Bytes) -> Result<FileInfo> {
        let body: ByteStream = byte_stream(data);
        self.write(path, body, WriteOptions::default()).await
    }

    /// Whether something stands at `path`; a dangling link does.
    ///
    /// # Errors
    /// As [`Sandbox::stat`], but `NotFound`.
    async fn exists(&self, path: &SandboxPath) -> Result<bool> {
        match self.stat(path).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound && error.field() == Some("path") => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

impl<S: Sandbox + ?Sized> SandboxExt for S {}

/// Conveniences on every [`Process`].
#[async_trait]
pub trait ProcessExt: Process {
    /// Gives it `input`, and then the end of the file. A process that ends, or closes its input,
    /// before it has read everything is no error.
    ///
    /// # Errors
    /// Otherwise as [`Process::write_stdin`].
    async fn feed(&self, input: Bytes) -> Result<()> {
        let written = async {
            if !input.is_empty() {
                self.write_stdin(input).await?;
            }
            self.close_stdin().await
        };
        match written.await {
            Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
                Ok(())
            }
            other => other,
        }
    }

    /// Takes its output up to its end and keeps the first `max_output` bytes, both streams
    /// together; the rest is read and thrown away. Children left behind hold nothing up. When this
    /// future is dropped the process goes on.
    ///
    /// # Errors
    /// `Conflict` when somebody else reads its output; what reading it fails with.
    async fn collect(&self, max_output: usize) -> Result<ExecOutput> {
        let mut events = self.events().ok_or_else(|| {
            let message = "the output is already being read";
            Error::new(ErrorKind::Conflict, "process.collect", message)
        })?;
        let mut output = Collected::new(max_output);
        while let Some(event) = events.next().await {
            match event? {
                ProcessEvent::Output(stream, data) => output.add(stream, &data),
                ProcessEvent::Exited(status) => return Ok(output.finish(status)),
            }
        }
        Ok(output.finish(self.wait().await?))
    }
}

impl<P: Process + ?Sized> ProcessExt for P {}

struct Collected {
    stdout: BytesMut,
    stderr: BytesMut,
    most: usize,
    truncated: bool,
}

impl Collected {
    fn new(most: usize) -> Self {
        Self {
            stdout: BytesMut::new(),
            stderr: BytesMut::new(),
            most,
            truncated: false,
        }
    }

    fn add(&mut self, stream: OutputStream, data: &[u8]) {
        let room = self.most - self.stdout.len() - self.stderr.len();
        self.truncated |= data.len() > room;
        let kept = &data[..data.len().min(room)];
        match stream {
            OutputStream::Stdout | OutputStream::Pty => self.stdout.extend_from_slice(kept),
            OutputStream::Stderr => self.stderr.extend_from_slice(kept),
        }
    }

    fn finish(self, status: ExitStatus) -> ExecOutput {
        ExecOutput {
            status,
            stdout: self.stdout.freeze(),
            stderr: self.stderr.freeze(),
            truncated: self.truncated,
        }
    }
}
