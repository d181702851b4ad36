//! From here into a sandbox.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use sandbox_core::{ByteStream, Error, ErrorKind, FileKind, Result, SandboxPath, WriteOptions};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::report::{LINK, LINK_TO_NO_FILE, NOT_UTF8, SPECIAL};
use super::{CHUNK, CopyReport, Files};
use crate::output::Bar;

/// Copies into a sandbox.
pub(crate) struct Upload<'a> {
    sandbox: &'a dyn Files,
    follow_links: bool,
    quiet: bool,
    report: CopyReport,
}

impl<'a> Upload<'a> {
    /// A copy into `sandbox`, without progress where `quiet`.
    pub(crate) fn new(sandbox: &'a dyn Files, follow_links: bool, quiet: bool) -> Self {
        Self {
            sandbox,
            follow_links,
            quiet,
            report: CopyReport::default(),
        }
    }

    /// Copies standard input to the file `to`.
    ///
    /// # Errors
    /// `InvalidSpec` with field `path` when `to` is a directory; what writing fails with.
    pub(crate) async fn stdin(mut self, to: &SandboxPath) -> Result<CopyReport> {
        if self.is_directory(to).await? {
            let message = format!("{to} is a directory; say which file standard input becomes");
            return Err(Error::invalid("cli.cp", "path", message));
        }
        let input = tokio::io::stdin();
        self.send("-", input, None, to, None).await?;
        Ok(self.report)
    }

    /// Copies `from` to `to`: into it when that is, or is written as, a directory.
    ///
    /// # Errors
    /// `NotFound` and the like with field `path` for what cannot be read here; what the sandbox
    /// fails with. What was copied before stays.
    pub(crate) async fn local(
        mut self,
        from: &Path,
        to: &SandboxPath,
        into: bool,
    ) -> Result<CopyReport> {
        let found = fs::metadata(from).map_err(|e| unreadable(from, e))?;
        let to = match into || self.is_directory(to).await? {
            true => to.join(own_name(from)?)?,
            false => to.clone(),
        };
        if found.is_dir() {
            self.tree(from, &to).await?;
        } else {
            self.file(from, &to).await?;
        }
        Ok(self.report)
    }

    async fn is_directory(&self, path: &SandboxPath) -> Result<bool> {
        match self.sandbox.stat(path).await {
            Ok(info) => {
                let led_to = info.link.and_then(|link| link.target);
                let kind = led_to.map_or(info.kind, |target| target.kind);
                Ok(kind == FileKind::Directory)
            }
            Err(error) if error.kind() == ErrorKind::NotFound && error.field() == Some("path") => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Copies a directory and all below it, level by level.
    async fn tree(&mut self, from: &Path, to: &SandboxPath) -> Result<()> {
        let mut waiting = vec![(from.to_owned(), to.clone())];
        while let Some((from, to)) = waiting.pop() {
            self.sandbox.make_dir(&to).await?;
            self.report.directories += 1;
            for path in entries(&from)? {
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                    self.report.skip(path.to_string_lossy(), NOT_UTF8);
                    continue;
                };
                let to = to.join(name)?;
                let found = fs::symlink_metadata(&path).map_err(|e| unreadable(&path, e))?;
                if found.is_dir() {
                    waiting.push((path, to));
                } else if let Some(reason) = self.refuses(&path, found.file_type()) {
                    self.report.skip(path.to_string_lossy(), reason);
                } else {
                    self.file(&path, &to).await?;
                }
            }
        }
        Ok(())
    }

    /// Why an entry of a directory that is no directory is left out.
    fn refuses(&self, path: &Path, kind: fs::FileType) -> Option<&'static str> {
        if kind.is_symlink() {
            // Links to directories may lead in circles.
            return match (self.follow_links, fs::metadata(path)) {
                (false, _) => Some(LINK),
                (true, Ok(led_to)) if led_to.is_file() => None,
                (true, _) => Some(LINK_TO_NO_FILE),
            };
        }
        // To open a named pipe would wait for somebody to write into it.
        (!kind.is_file()).then_some(SPECIAL)
    }

    async fn file(&mut self, from: &Path, to: &SandboxPath) -> Result<()> {
        let file = tokio::fs::File::open(from).await;
        let file = file.map_err(|e| unreadable(from, e))?;
        let found = file.metadata().await.map_err(|e| unreadable(from, e))?;
        let size = found.is_file().then_some(found.len());
        let mode = Some(found.permissions().mode() & 0o777).filter(|_| found.is_file());
        self.send(&from.to_string_lossy(), file, size, to, mode)
            .await
    }

    async fn send(
        &mut self,
        name: &str,
        from: impl AsyncRead + Send + Unpin + 'static,
        size: Option<u64>,
        to: &SandboxPath,
        mode: Option<u32>,
    ) -> Result<()> {
        let bar = Arc::new(Bar::new(self.quiet, name, size));
        let body = body(from, name.to_owned(), bar);
        let options = WriteOptions {
            mode,
            ..WriteOptions::default()
        };
        let written = self.sandbox.write(to, body, options).await?;
        self.report.file(written.size);
        Ok(())
    }
}

/// The name under which `path` is copied into a directory.
fn own_name(path: &Path) -> Result<String> {
    let whole = path.canonicalize().map_err(|e| unreadable(path, e))?;
    // A link keeps the name it has here; `.` and `..` have one only once they are resolved.
    let name = path.file_name().or(whole.file_name());
    match name.and_then(|name| name.to_str()) {
        Some(name) => Ok(name.to_owned()),
        None => {
            let message = format!("{} has no name to be copied under", path.display());
            Err(Error::invalid("cli.cp", "path", message))
        }
    }
}

/// What is in a directory, by name.
fn entries(directory: &Path) -> Result<Vec<PathBuf>> {
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let entries = fs::read_dir(directory)?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()?;
        paths.sort();
        Ok(paths)
    };
    read().map_err(|e| unreadable(directory, e))
}

fn body(from: impl AsyncRead + Send + Unpin + 'static, name: String, bar: Arc<Bar>) -> ByteStream {
    Box::pin(stream::try_unfold(from, move |mut from| {
        let (name, bar) = (name.clone(), Arc::clone(&bar));
        async move {
            let mut buffer = vec![0; CHUNK];
            let read = from.read(&mut buffer).await;
            let read = read.map_err(|e| unreadable(Path::new(&name), e))?;
            buffer.truncate(read);
            bar.add(read as u64);
            Ok((read > 0).then(|| (Bytes::from(buffer), from)))
        }
    }))
}

pub(super) fn unreadable(path: &Path, error: std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorKind::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ => ErrorKind::Unavailable,
    };
    let message = format!("{} cannot be read", path.display());
    Error::new(kind, "cli.cp", message)
        .with_field("path")
        .with_source(error)
}
