//! Out of a sandbox.

use std::fs;
use std::path::Path;

use futures_util::StreamExt;
use sandbox_core::{Error, ErrorKind, FileInfo, FileKind, Result, SandboxPath};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::local::{LocalDir, refused};
use super::report::{LINK, LINK_TO_NO_FILE, SPECIAL};
use super::{CopyReport, Files};
use crate::output::{Bar, output_gone};

/// How deep directories may be nested: no file system has more in a path of 4,096 bytes.
const MAX_DEPTH: usize = 2048;

/// Copies out of a sandbox.
pub(crate) struct Download<'a> {
    sandbox: &'a dyn Files,
    follow_links: bool,
    quiet: bool,
    report: CopyReport,
}

impl<'a> Download<'a> {
    /// A copy out of `sandbox`, without progress where `quiet`.
    pub(crate) fn new(sandbox: &'a dyn Files, follow_links: bool, quiet: bool) -> Self {
        Self {
            sandbox,
            follow_links,
            quiet,
            report: CopyReport::default(),
        }
    }

    /// Copies the file `from` to standard output.
    ///
    /// # Errors
    /// What reading fails with, `Conflict` for a directory; standard output that is gone.
    pub(crate) async fn stdout(mut self, from: &SandboxPath) -> Result<CopyReport> {
        let mut out = tokio::io::stdout();
        let bytes = self.pour(from, &mut out, output_gone).await?;
        self.report.file(bytes);
        Ok(self.report)
    }

    /// Copies `from` to `to`: into it when that is, or is written as, a directory.
    ///
    /// # Errors
    /// What the sandbox fails with, or writing here, with field `path`. Files are written whole or
    /// not at all; those copied before stay.
    pub(crate) async fn local(mut self, from: &SandboxPath, to: &Path) -> Result<CopyReport> {
        let info = self.sandbox.stat(from).await?;
        let led_to = info.link.as_ref().and_then(|link| link.target.as_ref());
        let kind = led_to.map_or(info.kind, |target| target.kind);
        let is_dir = to.is_dir() || to.as_os_str().to_string_lossy().ends_with('/');
        match kind {
            FileKind::Directory => self.tree_to(from, to, is_dir).await?,
            FileKind::File => self.file_to(from, &info, to, is_dir).await?,
            FileKind::Symlink | FileKind::Other => {
                let message = format!("{from} leads to neither a file nor a directory");
                return Err(Error::new(ErrorKind::Conflict, "cli.cp", message).with_field("path"));
            }
        }
        Ok(self.report)
    }

    async fn file_to(
        &mut self,
        from: &SandboxPath,
        info: &FileInfo,
        to: &Path,
        into: bool,
    ) -> Result<()> {
        if into {
            // A file has a name: it is not the root.
            let name = from.name().unwrap_or_default();
            return self.file(from, info, &LocalDir::open(to)?, name).await;
        }
        if let Ok(there) = fs::metadata(to)
            && !there.is_file()
        {
            // A device or a pipe is written into, and not replaced.
            return self.special(from, to).await;
        }
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        let dir = LocalDir::open(parent.unwrap_or(Path::new(".")))?;
        match to.file_name().and_then(|name| name.to_str()) {
            Some(name) => self.file(from, info, &dir, name).await,
            None => {
                let message = format!("{} is no name for a file", to.display());
                Err(Error::invalid("cli.cp", "path", message))
            }
        }
    }

    async fn special(&mut self, from: &SandboxPath, to: &Path) -> Result<()> {
        let shown = to.display().to_string();
        let failed = |e| refused(&shown, "cannot be written", e);
        let mut options = tokio::fs::OpenOptions::new();
        let mut file = options.write(true).open(to).await.map_err(failed)?;
        let bytes = self.pour(from, &mut file, failed).await?;
        self.report.file(bytes);
        Ok(())
    }

    async fn tree_to(&mut self, from: &SandboxPath, to: &Path, into: bool) -> Result<()> {
        let root = match (into, from.name()) {
            (true, Some(name)) => LocalDir::open(to)?.enter(name)?,
            _ => {
                if let Err(error) = fs::create_dir(to)
                    && !to.is_dir()
                {
                    return Err(refused(&to.display().to_string(), "cannot be made", error));
                }
                LocalDir::open(to)?
            }
        };
        let mut waiting = vec![(from.clone(), root, 1)];
        while let Some((from, here, depth)) = waiting.pop() {
            self.report.directories += 1;
            for entry in self.sandbox.list(&from).await? {
                let name = own_name(&from, &entry)?;
                match entry.kind {
                    FileKind::Directory if depth >= MAX_DEPTH => {
                        let message = format!("{from} has more than {MAX_DEPTH} levels");
                        let error = Error::new(ErrorKind::LimitExceeded, "cli.cp", message);
                        return Err(error.with_field("path"));
                    }
                    FileKind::Directory => {
                        let below = here.enter(&name)?;
                        waiting.push((entry.path, below, depth + 1));
                    }
                    FileKind::File => self.file(&entry.path, &entry, &here, &name).await?,
                    FileKind::Symlink => match (self.follow_links, leads_to_file(&entry)) {
                        (true, true) => self.file(&entry.path, &entry, &here, &name).await?,
                        (true, false) => self.report.skip(entry.path, LINK_TO_NO_FILE),
                        (false, _) => self.report.skip(entry.path, LINK),
                    },
                    FileKind::Other => self.report.skip(entry.path, SPECIAL),
                }
            }
        }
        Ok(())
    }

    async fn file(
        &mut self,
        from: &SandboxPath,
        info: &FileInfo,
        dir: &LocalDir,
        name: &str,
    ) -> Result<()> {
        // A link's own permissions say nothing.
        let mode = match info.kind {
            FileKind::File => info.mode,
            FileKind::Directory | FileKind::Symlink | FileKind::Other => 0o644,
        };
        let mut file = dir.create(name, mode)?;
        let bytes = match file.writer() {
            Some(mut writer) => {
                let failed = |e| refused(name, "cannot be written", e);
                self.pour(from, &mut writer, failed).await?
            }
            None => 0,
        };
        file.finish()?;
        self.report.file(bytes);
        Ok(())
    }

    /// Copies all of `from` into `writer`.
    async fn pour(
        &self,
        from: &SandboxPath,
        writer: &mut (impl AsyncWrite + Unpin),
        failed: impl Fn(std::io::Error) -> Error,
    ) -> Result<u64> {
        let mut content = self.sandbox.read(from).await?;
        let bar = Bar::new(self.quiet, from.as_str(), Some(content.info.size));
        let mut bytes = 0;
        while let Some(chunk) = content.body.next().await {
            let chunk = chunk?;
            writer.write_all(&chunk).await.map_err(&failed)?;
            bytes += chunk.len() as u64;
            bar.add(chunk.len() as u64);
        }
        writer.flush().await.map_err(&failed)?;
        Ok(bytes)
    }
}

fn leads_to_file(entry: &FileInfo) -> bool {
    let target = entry.link.as_ref().and_then(|link| link.target.as_ref());
    target.is_some_and(|target| target.kind == FileKind::File)
}

/// The name of an entry, which has to lie where it was looked for.
fn own_name(directory: &SandboxPath, entry: &FileInfo) -> Result<String> {
    match (entry.path.parent(), entry.path.name()) {
        (Some(parent), Some(name)) if parent == *directory => Ok(name.to_owned()),
        _ => {
            let message = format!(
                "the sandbox says that {} lies in {directory}; nothing more is copied",
                entry.path
            );
            Err(Error::new(ErrorKind::Internal, "cli.cp", message).with_field("path"))
        }
    }
}
