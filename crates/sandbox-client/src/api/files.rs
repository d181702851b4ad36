//! Files.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use reqwest::Response;
use sandbox_api_types::{
    DeleteQuery, DirectoryCreated, FileInfo, FileList, FileQuery, MakeDirectory, Rename,
    WatchEvent, WatchQuery, WriteQuery,
};
use sandbox_core::{
    ByteStream, Error, ErrorKind, ListOptions, MakeDirOptions, ReadOptions, Result, SandboxPath,
    WatchOptions, WriteOptions,
};

use super::{SandboxCalls, Upload};
use crate::EventStream;
use crate::call::Call;
use crate::error::{nonsense, transport};
use crate::route::Route;

/// A file being read.
pub struct FileDownload {
    /// Its attributes when it was opened.
    pub info: FileInfo,
    /// The bytes asked for. A connection that is cut before the end is an error, never a short file.
    pub body: ByteStream,
}

impl std::fmt::Debug for FileDownload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileDownload")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// For an upload that takes longer than any: it is watched whether it moves.
const A_LONG_TIME: Duration = Duration::from_secs(24 * 60 * 60);

impl SandboxCalls {
    fn file(&self, path: &SandboxPath) -> Route {
        self.route(["files"]).file(path)
    }

    /// Reads a file, as a stream.
    ///
    /// # Errors
    /// As [`Sandbox::read`](sandbox_core::Sandbox::read).
    pub async fn read_file(
        &self,
        path: &SandboxPath,
        options: ReadOptions,
    ) -> Result<FileDownload> {
        let operation = "client.read";
        let route = self.file(path).query(&FileQuery::from(options))?;
        let answer = self.client.send(Call::get(operation, route)).await?;
        let headers = answer.headers();
        let get = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let info = FileInfo::from_headers(path.clone(), get)?;
        let idle = self.client.limits().idle_timeout;
        Ok(FileDownload {
            info,
            body: download(operation, answer, idle),
        })
    }

    /// Writes a file whole, from a stream. It is tried once. When `body` fails, nothing of it is left
    /// when this returns.
    ///
    /// # Errors
    /// What `body` fails with; otherwise as [`Sandbox::write`](sandbox_core::Sandbox::write), and
    /// for a body over what the server takes (100 MB) with field `body`.
    pub async fn write_file(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        let operation = "client.write";
        let upload = Upload::default();
        let call = self.write_call(path, options, true)?;
        let call = call.stream(upload.body(body));
        let sent = tokio::select! {
            sent = self.client.fetch(call.works(A_LONG_TIME)) => sent,
            stalled = upload.stalled(operation, self.client.limits()) => Err(stalled),
        };
        sent.map_err(|error| upload.failure().unwrap_or(error))
    }

    /// Writes a file whole, from memory.
    ///
    /// # Errors
    /// As [`write_file`](Self::write_file).
    pub async fn write_file_bytes(
        &self,
        path: &SandboxPath,
        data: Bytes,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        let call = self.write_call(path, options, false)?.bytes(data);
        self.client.fetch(call.works(Duration::ZERO)).await
    }

    fn write_call(&self, path: &SandboxPath, options: WriteOptions, sealed: bool) -> Result<Call> {
        let query = WriteQuery {
            info: true,
            sealed,
            ..options.into()
        };
        Ok(Call::put("client.write", self.file(path).query(&query)?))
    }

    /// A file's attributes; a link is described itself.
    ///
    /// # Errors
    /// `NotFound` with field `path`.
    pub async fn stat_file(&self, path: &SandboxPath) -> Result<FileInfo> {
        let query = FileQuery {
            stat: true,
            ..FileQuery::default()
        };
        let route = self.file(path).query(&query)?;
        self.client.fetch(Call::get("client.stat", route)).await
    }

    /// The entries of a directory, by path.
    ///
    /// # Errors
    /// As [`Sandbox::list`](sandbox_core::Sandbox::list).
    pub async fn list_files(
        &self,
        path: &SandboxPath,
        options: ListOptions,
    ) -> Result<Vec<FileInfo>> {
        let route = self.file(path).query(&FileQuery::from(options))?;
        let list: FileList = self.client.fetch(Call::get("client.list", route)).await?;
        Ok(list.files)
    }

    /// Removes a file, a link itself, or with `recursive` a whole directory.
    ///
    /// # Errors
    /// As [`Sandbox::remove`](sandbox_core::Sandbox::remove).
    pub async fn remove_file(&self, path: &SandboxPath, recursive: bool) -> Result<()> {
        let route = self.file(path).query(&DeleteQuery { recursive })?;
        let call = Call::delete("client.remove", route);
        self.client.run(call.works(Duration::ZERO)).await
    }

    /// Makes a directory. `Ok(false)`: it was there.
    ///
    /// # Errors
    /// As [`Sandbox::make_dir`](sandbox_core::Sandbox::make_dir).
    pub async fn make_directory(
        &self,
        path: &SandboxPath,
        options: MakeDirOptions,
    ) -> Result<bool> {
        let request = MakeDirectory::from_core(path.clone(), options);
        let call = Call::post("client.make_dir", self.route(["directories"]));
        let made: DirectoryCreated = self.client.fetch(call.json(&request)?).await?;
        Ok(made.created)
    }

    /// Moves a file or a directory.
    ///
    /// # Errors
    /// As [`Sandbox::rename`](sandbox_core::Sandbox::rename).
    pub async fn rename_file(&self, from: &SandboxPath, to: &SandboxPath) -> Result<()> {
        let request = Rename {
            from: from.clone(),
            to: to.clone(),
        };
        let call = Call::post("client.rename", self.route(["rename"])).json(&request)?;
        self.client.run(call).await
    }

    /// Watches a directory: what happens after this returned is in the stream.
    ///
    /// # Errors
    /// As [`Sandbox::watch`](sandbox_core::Sandbox::watch).
    pub async fn watch_files(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<EventStream<WatchEvent>> {
        let operation = "client.watch";
        let query = WatchQuery {
            path: path.clone(),
            recursive: options.recursive,
        };
        let route = self.route(["watch"]).query(&query)?;
        let call = Call::get(operation, route);
        let mut events: EventStream<WatchEvent> = self.client.events_of(operation, call).await?;
        match events.next().await {
            Some(Ok(WatchEvent::Ready(_))) => Ok(events),
            Some(Ok(WatchEvent::Error(body))) => Err(body.error.into_error(operation)),
            Some(Err(error)) => Err(error),
            Some(Ok(WatchEvent::Change(_))) | None => Err(nonsense(
                operation,
                "the server did not say that it watches",
            )),
        }
    }
}

/// The body of an answer as a stream that ends after its first error.
fn download(operation: &'static str, answer: Response, idle: Duration) -> ByteStream {
    let chunks = futures_util::stream::unfold(Some(answer), move |answer| async move {
        let mut answer = answer?;
        match tokio::time::timeout(idle, answer.chunk()).await {
            Ok(Ok(Some(chunk))) => Some((Ok(chunk), Some(answer))),
            Ok(Ok(None)) => None,
            Ok(Err(e)) => Some((Err(transport(operation, e)), None)),
            Err(_) => {
                let message = "the server sends nothing more of the file";
                let error = Error::new(ErrorKind::Unavailable, operation, message);
                Some((Err(error), None))
            }
        }
    });
    Box::pin(chunks)
}
