//! Programs that a test writes in Rust and runs in the fake's sandboxes.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::kernel::{CHUNK, Task};

/// A registered program.
pub(crate) type Program =
    Arc<dyn Fn(ScriptContext) -> Pin<Box<dyn Future<Output = u8> + Send>> + Send + Sync>;

/// What a scripted program sees: its arguments, environment, descriptors and files.
pub struct ScriptContext {
    pub(crate) task: Task,
    pub(crate) argv: Vec<String>,
}

impl fmt::Debug for ScriptContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptContext")
            .field("argv", &self.argv)
            .finish_non_exhaustive()
    }
}

impl ScriptContext {
    /// Its arguments, its own name first.
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// An environment variable.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.task.env.get(name).map(String::as_str)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.task.proc.pid
    }

    /// The next bytes of standard input; empty at the end.
    pub async fn read_stdin(&self) -> Bytes {
        let read = self.task.fd(0).read(&self.task.kernel, CHUNK).await;
        read.unwrap_or_default()
    }

    /// Writes to standard output; false when nobody reads it any more.
    pub async fn stdout(&self, data: impl Into<Bytes>) -> bool {
        self.task.write(1, data.into()).await.is_ok()
    }

    /// Writes to standard error; false when nobody reads it any more.
    pub async fn stderr(&self, data: impl Into<Bytes>) -> bool {
        self.task.write(2, data.into()).await.is_ok()
    }

    /// Sleeps in the fake's time.
    pub async fn sleep(&self, duration: Duration) {
        self.task.kernel.world.time.sleep(duration).await;
    }

    /// Uses CPU time, as far as the sandbox's share goes.
    pub async fn burn(&self, cpu: Duration) {
        self.task.burn(cpu).await;
    }

    /// Holds `bytes` of memory from now on. A sandbox over its limit has its largest process
    /// killed, which may be this one: then this does not return.
    pub async fn hold_memory(&self, bytes: u64) {
        self.task.kernel.account_memory(&self.task.proc, bytes);
        tokio::task::yield_now().await;
    }

    /// Whether a TCP connection to `to` can be opened under the sandbox's policy.
    pub fn can_connect(&self, to: SocketAddr) -> bool {
        self.task.kernel.open_tcp(to).is_ok()
    }

    /// A file's content.
    pub fn read_file(&self, path: &str) -> Option<Vec<u8>> {
        self.task.read_file(path)
    }

    /// Writes a file whole, making it if need be; false when it cannot be written.
    pub fn write_file(&self, path: &str, data: &[u8]) -> bool {
        self.task.write_file(path, data).is_ok()
    }
}
