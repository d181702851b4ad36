//! Streams of JSON lines.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use sandbox_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use super::guard::ChannelGuard;
use super::{Session, nonsense};
use crate::protocol::{MAX_BODY, Reply, Request, Tag, WireError};

/// The longest line in bytes: a few paths, every character escaped.
const MAX_LINE: usize = 256 * 1024;

/// The lines of a channel as values.
#[derive(Debug)]
pub(super) struct Lines<T> {
    channel: ChannelGuard,
    partial: Vec<u8>,
    values: VecDeque<T>,
    ended: bool,
    /// Bytes that came.
    received: u64,
}

impl<T: DeserializeOwned> Lines<T> {
    /// Sends `request` and waits until lines follow.
    pub(super) async fn open(
        session: &Arc<Session>,
        operation: &'static str,
        request: &Request,
    ) -> Result<Self> {
        let channel = ChannelGuard::open_stream(session, operation, request).await?;
        match channel.reply().await? {
            Reply::Done => Ok(Self {
                channel,
                partial: Vec::new(),
                values: VecDeque::new(),
                ended: false,
                received: 0,
            }),
            _ => Err(nonsense(operation)),
        }
    }

    /// The next value; `None` after the end.
    pub(super) fn poll_next(&mut self, context: &Context<'_>) -> Poll<Option<Result<T>>> {
        loop {
            if let Some(value) = self.values.pop_front() {
                return Poll::Ready(Some(Ok(value)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            let record = ready!(self.channel.poll_record(context));
            if let Err(error) = record.and_then(|(tag, data)| self.take(tag, &data)) {
                self.ended = true;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn take(&mut self, tag: Tag, data: &[u8]) -> Result<()> {
        match tag {
            Tag::Bytes => self.split(data),
            Tag::End => {
                self.ended = true;
                end_of(self.channel.operation, data)
            }
            Tag::Exit | Tag::Output(_) => Err(nonsense(self.channel.operation)),
        }
    }

    fn split(&mut self, data: &[u8]) -> Result<()> {
        self.received += data.len() as u64;
        let senseless = || nonsense(self.channel.operation);
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            if self.partial.len() + piece.len() > MAX_LINE {
                return Err(senseless());
            }
            self.partial.extend_from_slice(piece);
            if self.partial.ends_with(b"\n") {
                let value = serde_json::from_slice(&self.partial);
                self.values.push_back(value.map_err(|_| senseless())?);
                self.partial.clear();
            }
        }
        Ok(())
    }
}

/// What the last record of a stream says.
pub(super) fn end_of(operation: &'static str, data: &[u8]) -> Result<()> {
    match serde_json::from_slice::<Option<WireError>>(data) {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err(error.into_error(operation)),
        Err(_) => Err(nonsense(operation)),
    }
}

/// Every value that `request` brings, at most `limit` and about `bytes` of them.
pub(super) async fn collect<T: DeserializeOwned>(
    session: &Arc<Session>,
    operation: &'static str,
    request: &Request,
    limit: usize,
    bytes: u64,
) -> Result<Vec<T>> {
    let mut lines = Lines::open(session, operation, request).await?;
    let mut all = Vec::new();
    while let Some(value) = std::future::poll_fn(|context| lines.poll_next(context)).await {
        all.push(value?);
        // An agent that is one says so itself, at the end of the line that is too much.
        if lines.received > bytes + (MAX_BODY + MAX_LINE) as u64 {
            return Err(nonsense(operation));
        }
        if all.len() > limit {
            let message = format!("there are more than {limit} entries");
            let error = Error::new(ErrorKind::LimitExceeded, operation, message);
            return Err(error.with_field("limit"));
        }
    }
    Ok(all)
}
