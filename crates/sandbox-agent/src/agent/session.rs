//! Who is served: the lease, and what happens to channels when it changes hands.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::channel::Channel;
use super::{Agent, Flush};
use crate::protocol::{
    Assembler, ChannelState, Header, Hello, Kind, MAX_REQUEST, Notice, Packet, Reply, VERSION,
    Welcome, WireError,
};

/// The most clients remembered that lost the lease.
const SUPERSEDED: usize = 64;

/// An assembler for what clients send.
pub(super) fn assembler() -> Assembler {
    Assembler::new(2 * MAX_REQUEST)
}

impl Agent {
    pub(super) fn take_packet(&mut self, packet: Packet) {
        let Header { lease, kind, .. } = packet.header;
        if kind == Kind::Hello {
            self.take_hello(packet);
            return;
        }
        if self.lease != Some(lease) {
            return;
        }
        match kind {
            Kind::Request => self.take_request(packet),
            Kind::Data => self.take_data(packet),
            Kind::Ack => self.take_ack(packet.header),
            Kind::Cancel => self.take_cancel(packet.header),
            Kind::Hello
            | Kind::Welcome
            | Kind::LeaseLost
            | Kind::Garbled
            | Kind::Reply
            | Kind::Notice => {}
        }
    }

    fn take_hello(&mut self, packet: Packet) {
        let lease = packet.header.lease;
        if self.greeting.replace(lease) != Some(lease) {
            // What another client began to say is no part of this.
            self.hellos.clear();
        }
        let Ok(Some(message)) = self.hellos.take(packet) else {
            return;
        };
        let Ok(hello) = serde_json::from_slice::<Hello>(&message) else {
            return;
        };
        if hello.version != VERSION {
            // The answer says which version this is; the client sees that it does not fit.
            self.welcome(lease, Vec::new());
            return;
        }
        if self.superseded.contains(&hello.client) {
            self.control(lease, Kind::LeaseLost, 0, 0, 0);
            return;
        }
        // A client that waits long says it twice. What it has not seen is sent once more then.
        if let Some(loser) = self.lease.filter(|_| self.client != Some(hello.client)) {
            self.control(loser, Kind::LeaseLost, 0, 0, 0);
        }
        self.change_hands(lease, &hello);
    }

    fn change_hands(&mut self, lease: u64, hello: &Hello) {
        let same = self.client == Some(hello.client);
        if !same && let Some(loser) = self.client.replace(hello.client) {
            self.superseded.push_back(loser);
            if self.superseded.len() > SUPERSEDED {
                self.superseded.pop_front();
            }
        }
        self.lease = Some(lease);
        self.requests.clear();
        self.ready.clear();
        let kept = if same { hello.channels.as_slice() } else { &[] };
        let states = self.resume_channels(kept, same);
        self.welcome(lease, states);
        let resumed: Vec<u32> = self.channels.keys().copied().collect();
        for channel in resumed {
            self.window_moved(channel);
            self.repeat_notices(channel);
        }
        self.flush = Flush::Now;
    }

    /// Goes on with the channels that the client still has, and closes the others.
    fn resume_channels(&mut self, kept: &[ChannelState], same_client: bool) -> Vec<ChannelState> {
        let kept: HashMap<u32, ChannelState> =
            kept.iter().map(|state| (state.channel, *state)).collect();
        let resumable: HashSet<u32> = kept
            .values()
            .filter(|state| self.resume_channel(state))
            .map(|state| state.channel)
            .collect();
        let lost: Vec<u32> = self
            .channels
            .keys()
            .filter(|channel| !resumable.contains(channel))
            .copied()
            .collect();
        for channel in lost {
            match self.channels.get(&channel) {
                // Kept for whoever asks for it next.
                Some(Channel::Exec(_)) if !same_client => self.detach(channel),
                Some(_) | None => self.close_channel(channel),
            }
        }
        let states = resumable.into_iter().filter_map(|channel| {
            let (_, inn) = self.flows(channel)?;
            Some(ChannelState {
                channel,
                received: inn.received(),
                consumed: inn.consumed(),
            })
        });
        states.collect()
    }

    fn resume_channel(&mut self, state: &ChannelState) -> bool {
        self.flows(state.channel)
            .is_some_and(|(out, _)| out.resume(state.received, state.consumed).is_ok())
    }

    fn welcome(&mut self, lease: u64, channels: Vec<ChannelState>) {
        let welcome = Welcome {
            version: VERSION,
            instance: self.instance,
            pid: std::process::id(),
            channels,
        };
        self.send(lease, Kind::Welcome, 0, &welcome);
    }

    /// Tells the client that a packet was damaged, perhaps its own.
    pub(super) fn tell_garbled(&mut self) {
        if let Some(lease) = self.lease {
            self.control(lease, Kind::Garbled, 0, 0, 0);
        }
    }

    fn send(&mut self, lease: u64, kind: Kind, channel: u32, message: &impl Serialize) {
        let header = Header {
            lease,
            channel,
            offset: 0,
            kind,
            tag: 0,
        };
        // Plain values without maps of foreign keys: they always serialise.
        let body = serde_json::to_vec(message).unwrap_or_default();
        self.link.message(header, &body);
        self.flush = Flush::Now;
    }

    fn control(&mut self, lease: u64, kind: Kind, channel: u32, offset: u64, tag: u8) {
        let header = Header {
            lease,
            channel,
            offset,
            kind,
            tag,
        };
        self.link.packet(&header, &[]);
        self.flush = Flush::Now;
    }

    /// Answers a request.
    pub(super) fn reply(&mut self, channel: u32, reply: Result<Reply, WireError>) {
        if let Some(lease) = self.lease {
            self.send(lease, Kind::Reply, channel, &reply);
        }
    }

    pub(super) fn notice(&mut self, channel: u32, notice: &Notice) {
        if let Some(lease) = self.lease {
            self.send(lease, Kind::Notice, channel, notice);
        }
    }

    /// Tells how much of a channel's data was taken in.
    pub(super) fn acknowledge(&mut self, channel: u32, offset: u64) {
        if let Some(lease) = self.lease {
            self.control(lease, Kind::Ack, channel, offset, 0);
        }
    }

    /// Tells that nobody takes a channel's data any more.
    pub(super) fn refuse_data(&mut self, channel: u32) {
        if let Some(lease) = self.lease {
            self.control(lease, Kind::Cancel, channel, 0, 0);
        }
    }

    /// Sends what channels have, in turn, as long as there is room.
    pub(super) fn pump(&mut self) {
        let Some(lease) = self.lease else {
            self.ready.clear();
            return;
        };
        while self.link.waiting() < super::link::STREAM_LIMIT {
            let Some(channel) = self.ready.pop_front() else {
                return;
            };
            self.produce(channel);
            if self.send_piece(lease, channel) {
                self.ready.push_back(channel);
            }
        }
    }

    /// Sends one piece; true when there is more.
    fn send_piece(&mut self, lease: u64, channel: u32) -> bool {
        let Some((out, link)) = self.outflow_and_link(channel) else {
            return false;
        };
        let Some((offset, tag, piece)) = out.next_piece() else {
            return false;
        };
        let header = Header {
            lease,
            channel,
            offset,
            kind: Kind::Data,
            tag: tag.byte(),
        };
        link.packet(&header, piece);
        true
    }
}
