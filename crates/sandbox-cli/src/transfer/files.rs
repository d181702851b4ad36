//! The files of a sandbox, as copying needs them.

use async_trait::async_trait;
use sandbox_client::SandboxCalls;
use sandbox_core::{
    ByteStream, FileContent, FileInfo, ListOptions, MakeDirOptions, ReadOptions, Result,
    SandboxPath, WriteOptions,
};

/// The files of one sandbox; each call as the method of that name of
/// [`Sandbox`](sandbox_core::Sandbox).
#[async_trait]
pub(crate) trait Files: Send + Sync {
    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo>;
    async fn list(&self, path: &SandboxPath) -> Result<Vec<FileInfo>>;
    async fn read(&self, path: &SandboxPath) -> Result<FileContent>;
    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo>;
    async fn make_dir(&self, path: &SandboxPath) -> Result<bool>;
}

#[async_trait]
impl Files for SandboxCalls {
    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        self.stat_file(path).await.map(FileInfo::from)
    }

    async fn list(&self, path: &SandboxPath) -> Result<Vec<FileInfo>> {
        let listed = self.list_files(path, ListOptions::default()).await?;
        Ok(listed.into_iter().map(FileInfo::from).collect())
    }

    async fn read(&self, path: &SandboxPath) -> Result<FileContent> {
        let download = self.read_file(path, ReadOptions::default()).await?;
        Ok(FileContent {
            info: download.info.into(),
            body: download.body,
        })
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        let written = self.write_file(path, body, options).await?;
        Ok(written.into())
    }

    async fn make_dir(&self, path: &SandboxPath) -> Result<bool> {
        self.make_directory(path, MakeDirOptions::default()).await
    }
}
