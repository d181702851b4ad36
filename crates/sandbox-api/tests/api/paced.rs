//! A runtime that takes and gives the content of files at the pace of a test, and keeps none of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    BoxConnection, BoxStream, ByteStream, Capabilities, Command, Error, ErrorKind, FileContent,
    FileEvent, FileInfo, FileKind, Health, ListOptions, MakeDirOptions, Pid, Process, ProcessInfo,
    Progress, ReadOptions, Recovered, Result, Runtime, RuntimeEvent, Sandbox, SandboxId,
    SandboxPath, SandboxSpec, Signal, SnapshotId, Source, Stats, WatchOptions, WriteOptions,
};
use sandbox_testkit::FakeRuntime;

/// How much one chunk of a file that is read has, in bytes.
pub(crate) const CHUNK: u64 = 64 << 10;

/// What a file that is read turns out to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    /// As many bytes as its attributes say.
    Whole(u64),
    /// It says that it has the first number of bytes and ends after the second.
    Short(u64, u64),
    /// It says that it has the first number of bytes and cannot be read after the second.
    Broken(u64, u64),
}

/// What passed.
#[derive(Debug)]
pub(crate) struct Pace {
    content: Content,
    /// Bytes of uploads that were taken.
    pub(crate) taken: AtomicU64,
    /// Bytes of downloads that were given.
    pub(crate) given: AtomicU64,
    /// Uploads that were taken whole.
    pub(crate) written: AtomicU64,
}

impl Pace {
    pub(crate) fn new(content: Content) -> Arc<Self> {
        Arc::new(Self {
            content,
            taken: AtomicU64::new(0),
            given: AtomicU64::new(0),
            written: AtomicU64::new(0),
        })
    }

    /// A runtime over `inner` whose files are these.
    pub(crate) fn over(self: &Arc<Self>, inner: FakeRuntime) -> Arc<dyn Runtime> {
        Arc::new(PacedRuntime {
            inner,
            pace: Arc::clone(self),
        })
    }

    async fn take(&self, mut body: ByteStream) -> Result<u64> {
        let mut size: u64 = 0;
        while let Some(chunk) = body.next().await {
            // Slower than whoever sends: it could run ahead if anything let it.
            tokio::task::yield_now().await;
            size += chunk?.len() as u64;
            self.taken.store(size, SeqCst);
        }
        self.written.fetch_add(1, SeqCst);
        Ok(size)
    }

    fn give(self: &Arc<Self>) -> (u64, ByteStream) {
        let (says, has, breaks) = match self.content {
            Content::Whole(size) => (size, size, false),
            Content::Short(says, has) => (says, has, false),
            Content::Broken(says, has) => (says, has, true),
        };
        let pace = Arc::clone(self);
        let chunks = stream::unfold(0, move |at: u64| {
            let pace = Arc::clone(&pace);
            async move {
                let length = CHUNK.min(has - at);
                if length == 0 {
                    return None;
                }
                pace.given.fetch_add(length, SeqCst);
                Some((Ok(Bytes::from(vec![7; length as usize])), at + length))
            }
        });
        let failure = "/var/lib/daemon/secret broke";
        let end = breaks.then(|| Err(Error::new(ErrorKind::Unavailable, "paced.read", failure)));
        (says, Box::pin(chunks.chain(stream::iter(end))))
    }
}

#[derive(Debug)]
struct PacedRuntime {
    inner: FakeRuntime,
    pace: Arc<Pace>,
}

#[async_trait]
impl Runtime for PacedRuntime {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn create(&self, spec: &SandboxSpec) -> Result<Arc<dyn Sandbox>> {
        Ok(Arc::new(PacedSandbox {
            inner: self.inner.create(spec).await?,
            pace: Arc::clone(&self.pace),
        }))
    }

    async fn prepare(&self, source: &Source) -> Result<BoxStream<Result<Progress>>> {
        self.inner.prepare(source).await
    }

    async fn recover(&self) -> Result<Vec<Recovered>> {
        self.inner.recover().await
    }

    async fn remove_snapshot(&self, snapshot: &SnapshotId) -> Result<()> {
        self.inner.remove_snapshot(snapshot).await
    }

    fn events(&self) -> BoxStream<RuntimeEvent> {
        self.inner.events()
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }
}

#[derive(Debug)]
struct PacedSandbox {
    inner: Arc<dyn Sandbox>,
    pace: Arc<Pace>,
}

#[async_trait]
impl Sandbox for PacedSandbox {
    fn id(&self) -> &SandboxId {
        self.inner.id()
    }

    fn spec(&self) -> &SandboxSpec {
        self.inner.spec()
    }

    async fn spawn(&self, command: Command) -> Result<Arc<dyn Process>> {
        self.inner.spawn(command).await
    }

    async fn attach(&self, pid: Pid) -> Result<Arc<dyn Process>> {
        self.inner.attach(pid).await
    }

    async fn processes(&self) -> Result<Vec<ProcessInfo>> {
        self.inner.processes().await
    }

    async fn signal(&self, pid: Pid, signal: Signal) -> Result<()> {
        self.inner.signal(pid, signal).await
    }

    async fn read(&self, path: &SandboxPath, _options: ReadOptions) -> Result<FileContent> {
        let (size, body) = self.pace.give();
        let info = FileInfo::new(path.clone(), FileKind::File, size);
        Ok(FileContent { info, body })
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        _options: WriteOptions,
    ) -> Result<FileInfo> {
        let size = self.pace.take(body).await?;
        Ok(FileInfo::new(path.clone(), FileKind::File, size))
    }

    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        self.inner.stat(path).await
    }

    async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        self.inner.list(path, options).await
    }

    async fn make_dir(&self, path: &SandboxPath, options: MakeDirOptions) -> Result<bool> {
        self.inner.make_dir(path, options).await
    }

    async fn rename(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        self.inner.rename(from, to).await
    }

    async fn remove(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        self.inner.remove(path, recursive).await
    }

    async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        self.inner.watch(path, options).await
    }

    async fn pause(&self) -> Result<()> {
        self.inner.pause().await
    }

    async fn resume(&self) -> Result<()> {
        self.inner.resume().await
    }

    async fn set_egress(&self, rules: &EgressRules) -> Result<()> {
        self.inner.set_egress(rules).await
    }

    async fn connect(&self, port: u16) -> Result<BoxConnection> {
        self.inner.connect(port).await
    }

    async fn snapshot(&self) -> Result<SnapshotId> {
        self.inner.snapshot().await
    }

    async fn stats(&self) -> Result<Stats> {
        self.inner.stats().await
    }

    async fn destroy(&self) -> Result<()> {
        self.inner.destroy().await
    }
}
