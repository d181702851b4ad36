//! The open channels of a client, and what is to be sent on them.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

use super::channel::Channel;
use super::state::Reason;
use crate::protocol::{ChannelState, Encoder, Header, Kind};

/// No more stream data is encoded while this much waits to be written.
const STREAM_LIMIT: usize = 128 * 1024;

/// A packet that is no part of a stream.
#[derive(Debug)]
struct Control {
    kind: Kind,
    channel: u32,
    offset: u64,
    tag: u8,
    body: Bytes,
}

/// Everything behind the lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) channels: HashMap<u32, Channel>,
    next_channel: u32,
    controls: VecDeque<Control>,
    /// Channels with data to send, in turn.
    ready: VecDeque<u32>,
    /// Channels of which something was taken in that is not acknowledged.
    unacknowledged: Vec<u32>,
    encoder: Encoder,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            channels: HashMap::new(),
            next_channel: 1,
            controls: VecDeque::new(),
            ready: VecDeque::new(),
            unacknowledged: Vec::new(),
            encoder: Encoder::default(),
        }
    }

    /// Forgets what was to be sent on a link that is gone.
    pub(crate) fn clear_queues(&mut self) {
        self.controls.clear();
        self.ready.clear();
    }

    /// Puts a request in line for sending.
    pub(crate) fn request(&mut self, channel: u32, body: Bytes) {
        self.controls.push_back(Control {
            kind: Kind::Request,
            channel,
            offset: 0,
            tag: 0,
            body,
        });
    }

    pub(crate) fn free_number(&mut self) -> u32 {
        loop {
            let number = self.next_channel;
            self.next_channel = self.next_channel.wrapping_add(1).max(1);
            if !self.channels.contains_key(&number) {
                return number;
            }
        }
    }

    /// Puts a channel in line for sending.
    pub(crate) fn make_ready(&mut self, channel: u32) {
        if !self.ready.contains(&channel) {
            self.ready.push_back(channel);
        }
    }

    /// Takes a request back that was not sent yet; false when it was.
    pub(crate) fn take_back(&mut self, channel: u32) -> bool {
        let mut controls = self.controls.iter();
        let waiting = controls.position(|one| one.kind == Kind::Request && one.channel == channel);
        waiting.and_then(|at| self.controls.remove(at)).is_some()
    }

    /// Closes a channel on the agent's side.
    pub(crate) fn cancel(&mut self, channel: u32, tag: u8) {
        self.controls.push_back(Control {
            kind: Kind::Cancel,
            channel,
            offset: 0,
            tag,
            body: Bytes::new(),
        });
    }

    /// Notes that something of a channel was taken in.
    pub(crate) fn acknowledge_later(&mut self, channel: u32) {
        if !self.unacknowledged.contains(&channel) {
            self.unacknowledged.push(channel);
        }
    }

    /// Whether anything waits that nobody was woken for.
    pub(crate) fn has_lazy(&self) -> bool {
        !self.unacknowledged.is_empty() || !self.controls.is_empty()
    }

    /// Where every answered channel stands, for a new link.
    pub(crate) fn positions(&self) -> Vec<ChannelState> {
        let answered = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.is_answered());
        answered
            .map(|(number, channel)| channel.position(*number))
            .collect()
    }

    /// Goes on with the channels that the agent still has.
    pub(crate) fn resume(&mut self, known: &[ChannelState], lost: &Reason) {
        let known: HashMap<u32, &ChannelState> =
            known.iter().map(|state| (state.channel, state)).collect();
        let mut ready = Vec::new();
        for (number, channel) in &mut self.channels {
            match known.get(number) {
                Some(state) if channel.resume(state).is_ok() => ready.push(*number),
                Some(_) | None if channel.is_answered() => channel.lose(lost),
                Some(_) | None => {}
            }
        }
        for number in ready {
            self.make_ready(number);
            if self
                .channels
                .get(&number)
                .is_some_and(Channel::is_discarding)
            {
                self.cancel(number, 1);
            }
        }
    }

    /// Encodes what is to be sent next, up to a limit.
    pub(crate) fn fill(&mut self, lease: u64, buffer: &mut Vec<u8>) {
        while buffer.len() < STREAM_LIMIT
            && let Some(control) = self.controls.pop_front()
        {
            self.encode_control(lease, &control, buffer);
        }
        while buffer.len() < STREAM_LIMIT
            && let Some(number) = self.ready.pop_front()
        {
            if self.encode_piece(lease, number, buffer) {
                self.ready.push_back(number);
            }
        }
        for number in std::mem::take(&mut self.unacknowledged) {
            let acknowledged = self.channels.get_mut(&number);
            let offset = acknowledged.and_then(|channel| channel.inn.acknowledge());
            if let Some(offset) = offset {
                self.encode(lease, Kind::Ack, number, offset, 0, &[], buffer);
            }
        }
    }

    fn encode_control(&mut self, lease: u64, control: &Control, buffer: &mut Vec<u8>) {
        let header = Header {
            lease,
            channel: control.channel,
            offset: control.offset,
            kind: control.kind,
            tag: control.tag,
        };
        match control.kind {
            Kind::Request => self.encoder.message(header, &control.body, buffer),
            _ => self.encoder.packet(&header, &control.body, buffer),
        }
    }

    fn encode_piece(&mut self, lease: u64, number: u32, buffer: &mut Vec<u8>) -> bool {
        let Some(channel) = self.channels.get_mut(&number) else {
            return false;
        };
        let Some((offset, tag, piece)) = channel.out.next_piece() else {
            return false;
        };
        let header = Header {
            lease,
            channel: number,
            offset,
            kind: Kind::Data,
            tag: tag.byte(),
        };
        self.encoder.packet(&header, piece, buffer);
        true
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a packet")]
    fn encode(
        &mut self,
        lease: u64,
        kind: Kind,
        channel: u32,
        offset: u64,
        tag: u8,
        body: &[u8],
        buffer: &mut Vec<u8>,
    ) {
        let header = Header {
            lease,
            channel,
            offset,
            kind,
            tag,
        };
        self.encoder.packet(&header, body, buffer);
    }
}
