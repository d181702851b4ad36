//! Files.

use std::task::Poll;

use futures_util::future::{Either, select};
use futures_util::{StreamExt, stream};
use sandbox_core::{
    BoxStream, ByteStream, Error, ErrorKind, FileContent, FileEvent, FileInfo, ListOptions,
    MakeDirOptions, ReadOptions, Result, SandboxPath, WatchOptions, WriteOptions,
};

use super::guard::ChannelGuard;
use super::lines::{self, Lines};
use super::{AgentClient, nonsense};
use crate::protocol::{MAX_LIST, Reply, Request, Tag};

impl AgentClient {
    /// As `Sandbox::read`.
    ///
    /// # Errors
    /// As `Sandbox::read`.
    pub async fn read(&self, path: &SandboxPath, options: ReadOptions) -> Result<FileContent> {
        let operation = "agent.read";
        let path = path.clone();
        let request = Request::Read { path, options };
        let channel = ChannelGuard::open_stream(&self.session, operation, &request).await?;
        let Reply::File(info) = channel.reply().await? else {
            return Err(nonsense(operation));
        };
        let most = options.length.unwrap_or(u64::MAX).min(info.size);
        let body = Box::pin(content(channel, most));
        Ok(FileContent { info: *info, body })
    }

    /// As `Sandbox::write`. A file that is a mount point of its own cannot be replaced:
    /// `Conflict` with field `path`.
    ///
    /// # Errors
    /// As `Sandbox::write`.
    pub async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        mut options: WriteOptions,
    ) -> Result<FileInfo> {
        let operation = "agent.write";
        let path = path.clone();
        options.user = options.user.or_else(|| self.defaults.user.clone());
        let request = Request::Write { path, options };
        let channel = ChannelGuard::open_stream(&self.session, operation, &request).await?;
        {
            let sending = send_body(&channel, body);
            let answered = channel.poll(|channel| channel.is_answered().then_some(()));
            futures_util::pin_mut!(sending, answered);
            match select(sending, answered).await {
                Either::Left((sent, _)) => sent?,
                // It failed, or the link did; the answer says so.
                Either::Right((answered, _)) => answered?,
            }
        }
        let reply = channel.reply().await;
        channel.close();
        match reply? {
            Reply::File(info) => Ok(*info),
            _ => Err(nonsense(operation)),
        }
    }

    /// As `Sandbox::list`.
    ///
    /// # Errors
    /// As `Sandbox::list`.
    pub async fn list(&self, path: &SandboxPath, options: ListOptions) -> Result<Vec<FileInfo>> {
        let operation = "agent.list";
        if options.depth == 0 {
            return Err(Error::invalid(operation, "depth", "must be at least 1"));
        }
        let path = path.clone();
        let request = Request::List { path, options };
        let limit = options.limit as usize;
        let mut list: Vec<FileInfo> =
            lines::collect(&self.session, operation, &request, limit, MAX_LIST).await?;
        list.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(list)
    }

    /// As `Sandbox::make_dir`.
    ///
    /// # Errors
    /// As `Sandbox::make_dir`.
    pub async fn make_dir(&self, path: &SandboxPath, mut options: MakeDirOptions) -> Result<bool> {
        let operation = "agent.make_dir";
        let path = path.clone();
        options.user = options.user.or_else(|| self.defaults.user.clone());
        match self
            .request(operation, Request::MakeDir { path, options })
            .await?
        {
            Reply::Made(made) => Ok(made),
            _ => Err(nonsense(operation)),
        }
    }

    /// As `Sandbox::watch`. A file that is written whole is one `Create` and one `Write`, or one
    /// `Write` when it was there. When the directory itself goes, the stream says so and ends.
    ///
    /// # Errors
    /// As `Sandbox::watch`; `LimitExceeded` with field `path` when there may be no more watches.
    pub async fn watch(
        &self,
        path: &SandboxPath,
        options: WatchOptions,
    ) -> Result<BoxStream<Result<FileEvent>>> {
        let path = path.clone();
        let request = Request::Watch { path, options };
        let mut lines = Lines::open(&self.session, "agent.watch", &request).await?;
        Ok(Box::pin(stream::poll_fn(move |context| {
            lines.poll_next(context)
        })))
    }
}

async fn send_body(channel: &ChannelGuard, mut body: ByteStream) -> Result<()> {
    while let Some(chunk) = body.next().await {
        channel.send(Tag::Bytes, chunk?).await?;
    }
    channel.end();
    Ok(())
}

/// The content of a file, at most `most` bytes: an agent that sends more is not believed.
fn content(
    channel: ChannelGuard,
    most: u64,
) -> impl futures_core::Stream<Item = Result<bytes::Bytes>> {
    let mut left = most;
    let mut ended = false;
    stream::poll_fn(move |context| {
        if ended {
            return Poll::Ready(None);
        }
        let record = match channel.poll_record(context) {
            Poll::Ready(record) => record,
            Poll::Pending => return Poll::Pending,
        };
        let item = match record {
            Ok((Tag::Bytes, data)) if data.len() as u64 <= left => {
                left -= data.len() as u64;
                return Poll::Ready(Some(Ok(data)));
            }
            Ok((Tag::End, data)) => lines::end_of(channel.operation, &data).err(),
            Ok(_) => Some(Error::new(
                ErrorKind::Internal,
                channel.operation,
                "the agent sent something that is not the file",
            )),
            Err(error) => Some(error),
        };
        ended = true;
        Poll::Ready(item.map(Err))
    })
}
