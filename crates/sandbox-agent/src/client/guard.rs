//! A handle on one open channel.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use sandbox_core::{Error, ErrorKind, Result};

use super::channel::Channel;
use super::{Session, nonsense};
use crate::protocol::{Reply, Request, Tag};

/// A channel that is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct ChannelGuard {
    session: Arc<Session>,
    pub(crate) number: u32,
    pub(crate) operation: &'static str,
}

impl ChannelGuard {
    /// Sends `request`, which is answered once and that is all.
    pub(crate) async fn open(
        session: &Arc<Session>,
        operation: &'static str,
        request: &Request,
    ) -> Result<Self> {
        Self::open_as(session, operation, request, false).await
    }

    /// Sends `request`, whose channel stays open after the answer.
    pub(crate) async fn open_stream(
        session: &Arc<Session>,
        operation: &'static str,
        request: &Request,
    ) -> Result<Self> {
        Self::open_as(session, operation, request, true).await
    }

    async fn open_as(
        session: &Arc<Session>,
        operation: &'static str,
        request: &Request,
        streams: bool,
    ) -> Result<Self> {
        let shared = &session.shared;
        shared.wait_for_link(operation).await?;
        let body = serde_json::to_vec(request).map_err(|error| {
            let message = "the request cannot be sent";
            Error::new(ErrorKind::InvalidSpec, operation, message).with_source(error)
        })?;
        let mut channel = Channel::new();
        channel.streams = streams;
        let number = shared.open(operation, channel, body.into())?;
        let guard = Self {
            session: Arc::clone(session),
            number,
            operation,
        };
        shared.kick();
        Ok(guard)
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Waits for the answer.
    pub(crate) async fn reply(&self) -> Result<Reply> {
        let operation = self.operation;
        let answer = self.poll(Channel::take_answer).await?;
        answer.map_err(|error| error.into_error(operation))
    }

    /// Waits until `look` finds something, or the channel fails.
    pub(crate) async fn poll<T>(
        &self,
        mut look: impl FnMut(&mut Channel) -> Option<T>,
    ) -> Result<T> {
        poll_fn(|context| self.poll_once(context, &mut look)).await
    }

    fn poll_once<T>(
        &self,
        context: &Context<'_>,
        look: &mut impl FnMut(&mut Channel) -> Option<T>,
    ) -> Poll<Result<T>> {
        let found = self.session.shared.with(self.number, |channel| {
            if let Some(found) = look(channel) {
                return Poll::Ready(Ok(found));
            }
            if let Some(reason) = &channel.failed {
                return Poll::Ready(Err(reason.error(self.operation)));
            }
            channel.wait(context);
            Poll::Pending
        });
        found.unwrap_or_else(|| Poll::Ready(Err(nonsense(self.operation))))
    }

    /// The next record of the agent's stream.
    pub(crate) fn poll_record(&self, context: &Context<'_>) -> Poll<Result<(Tag, Bytes)>> {
        let record = self.poll_once(context, &mut |channel| channel.inn.pop());
        if let Poll::Ready(Ok(_)) = &record {
            self.taken_in();
        }
        record
    }

    /// Lets the agent send more, at once when it may be waiting.
    fn taken_in(&self) {
        let shared = &self.session.shared;
        let mut state = shared.state();
        let due = state
            .channels
            .get(&self.number)
            .map(|one| one.inn.is_ack_due());
        let Some(due) = due else {
            return;
        };
        state.acknowledge_later(self.number);
        drop(state);
        if due {
            shared.kick();
        } else {
            shared.wake_lazy.notify_one();
        }
    }

    /// Puts a record into the stream to the agent, as soon as there is room.
    ///
    /// # Errors
    /// `Conflict` when the agent takes no more data on this channel.
    pub(crate) async fn send(&self, tag: Tag, mut data: Bytes) -> Result<()> {
        while !data.is_empty() {
            let taken = self.poll(|channel| push(channel, tag, &mut data)).await?;
            if !taken {
                let message = "the other side takes no more data";
                return Err(Error::new(ErrorKind::Conflict, self.operation, message));
            }
            self.sent();
        }
        Ok(())
    }

    /// As [`send`](Self::send), for those who poll. `Ok(0)`: the other side takes no more data.
    pub(crate) fn poll_send(&self, context: &Context<'_>, data: &[u8]) -> Poll<Result<usize>> {
        let sent = self.poll_once(context, &mut |channel| {
            if channel.refused || channel.out.is_ended() {
                return Some(0);
            }
            let len = channel.out.room().min(data.len());
            channel.out.push(Tag::Bytes, data[..len].to_vec());
            (len > 0).then_some(len)
        });
        if let Poll::Ready(Ok(_)) = &sent {
            self.sent();
        }
        sent
    }

    /// Ends the stream to the agent.
    pub(crate) fn end(&self) {
        let end = |channel: &mut Channel| channel.out.push(Tag::End, b"null".to_vec());
        if self.session.shared.with(self.number, end).is_some() {
            self.sent();
        }
    }

    fn sent(&self) {
        let shared = &self.session.shared;
        shared.state().make_ready(self.number);
        shared.kick();
    }

    /// Notes that the agent has closed the channel on its side.
    pub(crate) fn close(&self) {
        let closed = |channel: &mut Channel| channel.streams = false;
        self.session.shared.with(self.number, closed);
    }

    /// Has the agent throw away what it would send.
    pub(crate) fn discard(&self) {
        let shared = &self.session.shared;
        let mut state = shared.state();
        let Some(channel) = state.channels.get_mut(&self.number) else {
            return;
        };
        channel.discard();
        if channel.inn.is_ended() || channel.failed.is_some() {
            return;
        }
        state.cancel(self.number, 1);
        state.acknowledge_later(self.number);
        drop(state);
        shared.wake_writer.notify_one();
    }
}

fn push(channel: &mut Channel, tag: Tag, data: &mut Bytes) -> Option<bool> {
    if channel.refused || channel.out.is_ended() {
        return Some(false);
    }
    let len = channel.out.room().min(data.len());
    channel.out.push(tag, data.split_to(len).to_vec());
    (len > 0).then_some(true)
}

impl Drop for ChannelGuard {
    fn drop(&mut self) {
        let shared = &self.session.shared;
        let mut state = shared.state();
        let Some(channel) = state.channels.remove(&self.number) else {
            return;
        };
        if channel.failed.is_some() || (channel.is_answered() && !channel.streams) {
            return;
        }
        // While nothing can be sent, requests that nobody waits for any more do not pile up.
        if !channel.is_answered() && state.take_back(self.number) {
            return;
        }
        state.cancel(self.number, 0);
        drop(state);
        // Nobody waits for it when everything has come; it goes with the next packet.
        if channel.inn.is_ended() {
            shared.wake_lazy.notify_one();
        } else {
            shared.wake_writer.notify_one();
        }
    }
}
