//! Channels: what each one is, and what its packets do.

use std::time::{Duration, Instant};

use super::exec::ExecId;
use super::files::{FileRead, FileWrite, Lines};
use super::link::Link;
use super::socket::Relay;
use super::watch::Watch;
use super::{Agent, Flush};
use crate::protocol::flow::{Inflow, Outflow};
use crate::protocol::{Header, Packet, Reply, Tag};

/// How long output waits for company. An exit usually follows closely, and one packet less is
/// worth more than this.
const COMPANY: Duration = Duration::from_micros(300);
/// How long the word that a command has started waits for its end, where nobody can be waiting to
/// give it input: a short command costs one packet, and whoever awaits its end sleeps once.
const START: Duration = Duration::from_millis(1);

/// What a channel is. The request decides.
#[derive(Debug)]
pub(super) enum Channel {
    Exec(ExecId),
    Read(Box<FileRead>),
    Write(Box<FileWrite>),
    /// Lines that a worker makes.
    Lines(Box<Lines>),
    Socket(Box<Relay>),
    Watch(Box<Watch>),
    /// A worker is at it; its answer is the only thing to come.
    Job(u64),
}

impl Agent {
    /// The streams of a channel, where it has some.
    pub(super) fn flows(&mut self, channel: u32) -> Option<(&mut Outflow, &mut Inflow)> {
        match self.channels.get_mut(&channel)? {
            Channel::Exec(id) => {
                let exec = self.execs.get_mut(id)?;
                Some((&mut exec.out, &mut exec.inn))
            }
            Channel::Read(read) => Some((&mut read.out, &mut read.inn)),
            Channel::Write(write) => Some((&mut write.out, &mut write.inn)),
            Channel::Lines(lines) => Some((&mut lines.out, &mut lines.inn)),
            Channel::Socket(relay) => Some((&mut relay.out, &mut relay.inn)),
            Channel::Watch(watch) => Some((&mut watch.out, &mut watch.inn)),
            Channel::Job(_) => None,
        }
    }

    pub(super) fn outflow_and_link(&mut self, channel: u32) -> Option<(&mut Outflow, &mut Link)> {
        let out = match self.channels.get_mut(&channel)? {
            Channel::Exec(id) => &mut self.execs.get_mut(id)?.out,
            Channel::Read(read) => &mut read.out,
            Channel::Lines(lines) => &mut lines.out,
            Channel::Socket(relay) => &mut relay.out,
            Channel::Watch(watch) => &mut watch.out,
            Channel::Write(_) | Channel::Job(_) => return None,
        };
        Some((out, &mut self.link))
    }

    pub(super) fn exec_id_of(&self, channel: u32) -> Option<ExecId> {
        match self.channels.get(&channel) {
            Some(Channel::Exec(id)) => Some(*id),
            Some(_) | None => None,
        }
    }

    pub(super) fn take_channel(&mut self, channel: u32, id: ExecId) {
        self.channels.insert(channel, Channel::Exec(id));
    }

    /// Puts a channel in line for sending, not at once.
    pub(super) fn ready_soon(&mut self, channel: u32) {
        // Nobody is in line twice, so the line is as short as there are channels.
        if !self.ready.contains(&channel) {
            self.ready.push_back(channel);
        }
        self.flush_soon();
    }

    /// Puts a channel in line for sending now.
    pub(super) fn ready_now(&mut self, channel: u32) {
        self.ready_soon(channel);
        self.flush = Flush::Now;
    }

    fn flush_soon(&mut self) {
        self.flush_within(COMPANY);
    }

    fn flush_within(&mut self, wait: Duration) {
        let then = Instant::now() + wait;
        self.flush = match self.flush {
            Flush::Idle => Flush::By(then),
            Flush::By(earlier) => Flush::By(earlier.min(then)),
            Flush::Now => Flush::Now,
        };
    }

    /// Answers that a command has started.
    pub(super) fn reply_started(&mut self, channel: u32, reply: Reply, takes_input: bool) {
        let flush = self.flush;
        self.reply(channel, Ok(reply));
        if !takes_input {
            self.flush = flush;
            self.flush_within(START);
        }
    }

    /// Answers a request to which more will be said in a moment.
    pub(super) fn reply_soon(&mut self, channel: u32, reply: Reply) {
        let flush = self.flush;
        self.reply(channel, Ok(reply));
        self.flush = flush;
        self.flush_soon();
    }

    pub(super) fn take_data(&mut self, packet: Packet) {
        let Header {
            channel,
            offset,
            tag,
            ..
        } = packet.header;
        let Some(tag) = Tag::from_byte(tag) else {
            return;
        };
        let Some((_, inn)) = self.flows(channel) else {
            return;
        };
        if inn.take(offset, tag, packet.body).is_err() {
            self.close_channel(channel);
            return;
        }
        match self.channels.get(&channel) {
            Some(Channel::Exec(id)) => {
                let id = *id;
                self.write_input(id);
            }
            Some(Channel::Write(_)) => self.write_file(channel),
            Some(Channel::Socket(_)) => self.write_socket(channel),
            Some(Channel::Read(_) | Channel::Lines(_) | Channel::Watch(_) | Channel::Job(_))
            | None => {}
        }
    }

    pub(super) fn take_ack(&mut self, header: Header) {
        let channel = header.channel;
        let Some((out, _)) = self.flows(channel) else {
            return;
        };
        if out.acknowledge(header.offset).is_err() {
            self.close_channel(channel);
            return;
        }
        self.window_moved(channel);
    }

    /// The client took something in: there may be room for more, or it was the last.
    pub(super) fn window_moved(&mut self, channel: u32) {
        let Some((out, _)) = self.flows(channel) else {
            return;
        };
        let finished = out.is_finished();
        match self.channels.get(&channel) {
            Some(Channel::Exec(id)) => {
                let id = *id;
                self.refresh_outputs(id);
            }
            Some(_) if finished => self.close_channel(channel),
            Some(Channel::Socket(_)) => self.read_socket(channel),
            Some(Channel::Watch(_)) => self.read_watch(channel),
            Some(Channel::Read(_) | Channel::Lines(_) | Channel::Write(_) | Channel::Job(_))
            | None => {}
        }
        self.ready_soon(channel);
    }

    pub(super) fn take_cancel(&mut self, header: Header) {
        match (header.tag, self.exec_id_of(header.channel)) {
            (0, _) => self.close_channel(header.channel),
            (_, Some(id)) => self.discard_output(id),
            (_, None) => {}
        }
    }

    fn discard_output(&mut self, id: ExecId) {
        if let Some(exec) = self.execs.get_mut(&id) {
            exec.discard = true;
            self.refresh_outputs(id);
        }
    }

    /// Makes more for a channel to send, where that is done on demand.
    pub(super) fn produce(&mut self, channel: u32) {
        match self.channels.get_mut(&channel) {
            Some(Channel::Read(read)) => read.produce(&mut self.buffer),
            Some(Channel::Lines(lines)) => lines.produce(),
            Some(
                Channel::Exec(_)
                | Channel::Write(_)
                | Channel::Socket(_)
                | Channel::Watch(_)
                | Channel::Job(_),
            )
            | None => {}
        }
    }

    /// The client wants no more of a channel.
    pub(super) fn close_channel(&mut self, channel: u32) {
        match self.channels.remove(&channel) {
            Some(Channel::Exec(id)) => self.forget_exec(id),
            Some(Channel::Socket(relay)) => self.close_socket(*relay),
            Some(Channel::Watch(watch)) => self.close_watch(*watch),
            // Dropping them ends them; a file that is not complete is removed.
            Some(Channel::Read(_) | Channel::Write(_) | Channel::Lines(_) | Channel::Job(_))
            | None => {}
        }
    }
}
