//! The two ends of a channel's stream, without any IO: what may be sent, what has to be kept, what
//! has arrived. A stream goes on where it stopped when the link under it is replaced.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::{DATA_CHUNK, MAX_BODY, Tag, WINDOW};

/// The most separate records kept at once: short ones of changing tags count for little in bytes.
const MAX_RECORDS: usize = 4096;
/// Content up to this long is joined to what waits already.
const JOIN: usize = 4096;

/// The other side did what the protocol forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation(
    /// What it did.
    pub &'static str,
);

#[derive(Debug)]
struct Record {
    start: u64,
    tag: Tag,
    data: Vec<u8>,
}

impl Record {
    fn end(&self) -> u64 {
        self.start + self.data.len() as u64
    }
}

/// The sending end: keeps what was produced until it is acknowledged.
#[derive(Debug, Default)]
pub struct Outflow {
    records: VecDeque<Record>,
    acknowledged: u64,
    sent: u64,
    produced: u64,
    ended: bool,
}

impl Outflow {
    /// A stream of which the other side has `received` bytes from somebody before, and took in
    /// `consumed` of them: those that it still holds count against the window.
    pub fn starting_at(consumed: u64, received: u64) -> Self {
        Self {
            acknowledged: consumed,
            sent: received,
            produced: received,
            ..Self::default()
        }
    }

    /// How many bytes of content may be added now.
    pub fn room(&self) -> usize {
        if self.ended || self.records.len() >= MAX_RECORDS {
            return 0;
        }
        WINDOW.saturating_sub(self.produced - self.acknowledged) as usize
    }

    /// Adds a record; empty content adds nothing. Whoever adds content asks [`room`](Self::room).
    pub fn push(&mut self, tag: Tag, data: Vec<u8>) {
        if self.ended || data.is_empty() {
            return;
        }
        self.ended = tag == Tag::End;
        let len = data.len();
        match self.records.back_mut() {
            Some(last)
                if tag.is_content()
                    && last.tag == tag
                    && len <= JOIN
                    && last.data.len() + len <= DATA_CHUNK =>
            {
                last.data.extend_from_slice(&data);
            }
            Some(_) | None => self.records.push_back(Record {
                start: self.produced,
                tag,
                data,
            }),
        }
        self.produced += len as u64;
    }

    /// Whether something may be sent now.
    pub fn is_ready(&self) -> bool {
        self.sent < self.produced && self.sent < self.acknowledged + WINDOW
    }

    /// The next piece to send and its offset.
    pub fn next_piece(&mut self) -> Option<(u64, Tag, &[u8])> {
        if !self.is_ready() {
            return None;
        }
        let index = self.records.partition_point(|one| one.end() <= self.sent);
        let record = self.records.get(index)?;
        let skip = (self.sent - record.start) as usize;
        let rest = &record.data[skip..];
        let offset = self.sent;
        let piece = if record.tag.is_content() {
            let room = (self.acknowledged + WINDOW - self.sent) as usize;
            &rest[..rest.len().min(DATA_CHUNK).min(room)]
        } else {
            rest
        };
        self.sent += piece.len() as u64;
        Some((offset, record.tag, piece))
    }

    /// Forgets everything before `offset`, which the other side took in.
    ///
    /// # Errors
    /// [`Violation`] when that much was never produced.
    pub fn acknowledge(&mut self, offset: u64) -> Result<(), Violation> {
        if offset > self.produced {
            return Err(Violation("acknowledged what was never sent"));
        }
        self.acknowledged = self.acknowledged.max(offset);
        self.sent = self.sent.max(self.acknowledged);
        while let Some(first) = self.records.front()
            && first.end() <= self.acknowledged
        {
            self.records.pop_front();
        }
        Ok(())
    }

    /// Goes on after the link was replaced: the other side has `received` bytes and took in
    /// `consumed`.
    ///
    /// # Errors
    /// [`Violation`] when it cannot have them.
    pub fn resume(&mut self, received: u64, consumed: u64) -> Result<(), Violation> {
        if consumed > received || received > self.produced {
            return Err(Violation("has more than was ever sent"));
        }
        self.acknowledge(consumed)?;
        // Less than what was acknowledged is gone and cannot be sent again.
        self.sent = received.max(self.acknowledged);
        Ok(())
    }

    /// Forgets what was not acknowledged, as if it had been.
    pub fn discard(&mut self) {
        self.records.clear();
        self.acknowledged = self.produced;
        self.sent = self.produced;
    }

    /// Makes the next piece the first one that is not acknowledged, for another reader.
    pub fn rewind(&mut self) -> u64 {
        self.sent = self.acknowledged;
        self.acknowledged
    }

    /// Whether the end was added and the other side took in everything.
    pub fn is_finished(&self) -> bool {
        self.ended && self.acknowledged == self.produced
    }

    /// Whether the end was added.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Bytes kept until they are acknowledged.
    pub fn kept(&self) -> u64 {
        self.produced - self.acknowledged
    }
}

/// The receiving end: holds what arrived until somebody takes it in.
#[derive(Debug, Default)]
pub struct Inflow {
    queue: VecDeque<(Tag, Bytes)>,
    received: u64,
    consumed: u64,
    acknowledged: u64,
    ended: bool,
}

impl Inflow {
    /// A stream of which `offset` bytes went by before.
    pub fn starting_at(offset: u64) -> Self {
        Self {
            received: offset,
            consumed: offset,
            acknowledged: offset,
            ..Self::default()
        }
    }

    /// Takes a piece that arrived. What arrived before is skipped.
    ///
    /// # Errors
    /// [`Violation`] when something before it is missing, or it is more than the window allows.
    pub fn take(&mut self, offset: u64, tag: Tag, data: Bytes) -> Result<(), Violation> {
        let end = offset.saturating_add(data.len() as u64);
        if offset > self.received {
            return Err(Violation("left out a part of a stream"));
        }
        if end <= self.received {
            return Ok(());
        }
        if self.ended {
            return Err(Violation("went on after the end of a stream"));
        }
        let known = (self.received - offset) as usize;
        if known > 0 && !tag.is_content() {
            return Err(Violation("split what must be whole"));
        }
        // What ends a stream may begin in the window and reach past it.
        if end - self.consumed > WINDOW + MAX_BODY as u64 {
            return Err(Violation("sent more than the window allows"));
        }
        if !self.join(tag, &data[known..]) {
            if self.queue.len() >= 2 * MAX_RECORDS {
                return Err(Violation("sent more pieces than may wait"));
            }
            let data = match known {
                0 => data,
                // A part would keep all of it, which nobody counts.
                _ => Bytes::copy_from_slice(&data[known..]),
            };
            self.queue.push_back((tag, data));
        }
        self.received = end;
        self.ended = tag == Tag::End;
        Ok(())
    }

    /// Adds a short piece to what waits already: each for itself would cost far more than its
    /// bytes, and a sender that sends them as they come does no wrong.
    fn join(&mut self, tag: Tag, data: &[u8]) -> bool {
        let Some((last, waiting)) = self.queue.back_mut() else {
            return false;
        };
        let joins = tag.is_content() && *last == tag && data.len() <= JOIN;
        if !joins || waiting.len() + data.len() > DATA_CHUNK {
            return false;
        }
        let mut joined = match std::mem::take(waiting).try_into_mut() {
            Ok(own) => own,
            Err(shared) => BytesMut::from(&shared[..]),
        };
        joined.extend_from_slice(data);
        *waiting = joined.freeze();
        true
    }

    /// What comes next.
    pub fn front(&self) -> Option<(Tag, &Bytes)> {
        self.queue.front().map(|(tag, data)| (*tag, data))
    }

    /// Takes in the first `len` bytes of what [`front`](Self::front) shows.
    pub fn consume(&mut self, len: usize) {
        let Some((_, data)) = self.queue.front_mut() else {
            return;
        };
        let len = len.min(data.len());
        self.consumed += len as u64;
        if len == data.len() {
            self.queue.pop_front();
        } else {
            let _ = data.split_to(len);
        }
    }

    /// Takes in everything up to the next record.
    pub fn pop(&mut self) -> Option<(Tag, Bytes)> {
        let (tag, data) = self.queue.pop_front()?;
        self.consumed += data.len() as u64;
        Some((tag, data))
    }

    /// Whether something is worth an acknowledgement at once.
    pub fn is_ack_due(&self) -> bool {
        self.consumed - self.acknowledged >= WINDOW / 4
    }

    /// The offset to acknowledge, when something new was taken in.
    pub fn acknowledge(&mut self) -> Option<u64> {
        if self.consumed == self.acknowledged {
            return None;
        }
        self.acknowledged = self.consumed;
        Some(self.consumed)
    }

    /// Bytes that arrived.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes that were taken in.
    pub fn consumed(&self) -> u64 {
        self.consumed
    }

    /// Whether the end arrived.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Drops what waits to be taken in, as if it had been.
    pub fn discard(&mut self) {
        self.queue.clear();
        self.consumed = self.received;
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
