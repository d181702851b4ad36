//! One channel of a client: a request, its answer, and the streams that follow.

use std::task::{Context, Waker};

use bytes::Bytes;
use sandbox_core::ExitStatus;

use super::state::Reason;
use crate::protocol::flow::{Inflow, Outflow};
use crate::protocol::{
    Attached, ChannelState, Kind, MAX_REPLY, MORE, Notice, Packet, Reply, Tag, WireError,
};

/// More bytes than any stream carries.
const MAX_OFFSET: u64 = 1 << 62;

/// The answer to a request.
#[derive(Debug)]
enum Answer {
    Awaited,
    Here(Result<Reply, WireError>),
    Taken,
}

/// A channel, behind the client's lock.
#[derive(Debug)]
pub(crate) struct Channel {
    answer: Answer,
    parts: Vec<u8>,
    pub(crate) inn: Inflow,
    pub(crate) out: Outflow,
    /// How its process ended.
    pub(crate) exit: Option<ExitStatus>,
    /// The agent takes no more data.
    pub(crate) refused: bool,
    /// Why nothing more will come.
    pub(crate) failed: Option<Reason>,
    /// The sandbox lost it: a process is reported as lost.
    pub(crate) lost: bool,
    discards: bool,
    /// Whether the agent keeps it open after the answer.
    pub(crate) streams: bool,
    wakers: Vec<Waker>,
}

impl Channel {
    pub(crate) fn new() -> Self {
        Self {
            answer: Answer::Awaited,
            parts: Vec::new(),
            inn: Inflow::default(),
            out: Outflow::default(),
            exit: None,
            refused: false,
            failed: None,
            lost: false,
            discards: false,
            streams: false,
            wakers: Vec::new(),
        }
    }

    /// Takes the answer, once.
    pub(crate) fn take_answer(&mut self) -> Option<Result<Reply, WireError>> {
        match std::mem::replace(&mut self.answer, Answer::Taken) {
            Answer::Here(answer) => Some(answer),
            other => {
                self.answer = other;
                None
            }
        }
    }

    /// Throws away what came and what comes.
    pub(crate) fn discard(&mut self) {
        self.discards = true;
        self.inn.discard();
    }

    pub(crate) fn is_answered(&self) -> bool {
        !matches!(self.answer, Answer::Awaited)
    }

    pub(crate) fn is_discarding(&self) -> bool {
        self.discards
    }

    pub(crate) fn has_data(&self) -> bool {
        self.out.is_ready()
    }

    pub(crate) fn position(&self, channel: u32) -> ChannelState {
        ChannelState {
            channel,
            received: self.inn.received(),
            consumed: self.inn.consumed(),
        }
    }

    pub(crate) fn resume(
        &mut self,
        state: &ChannelState,
    ) -> Result<(), crate::protocol::flow::Violation> {
        self.out.resume(state.received, state.consumed)
    }

    /// Nothing more will come of it.
    pub(crate) fn fail(&mut self, reason: &Reason) {
        self.failed.get_or_insert_with(|| reason.clone());
        self.wake();
    }

    /// The agent does not know it any more.
    pub(crate) fn lose(&mut self, reason: &Reason) {
        self.lost = true;
        self.fail(reason);
    }

    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }

    /// Remembers who waits for something to change.
    pub(crate) fn wait(&mut self, context: &Context<'_>) {
        let waker = context.waker();
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    /// Takes a packet from the agent.
    pub(crate) fn take(&mut self, packet: Packet) -> Result<(), &'static str> {
        let header = packet.header;
        match header.kind {
            Kind::Reply => self.take_reply(&packet)?,
            Kind::Notice => {
                let notice = serde_json::from_slice(&packet.body);
                let Notice::Ended(status) = notice.map_err(|_| "sent a notice of no sense")?;
                self.exit.get_or_insert(status);
            }
            Kind::Data => self.take_data(header.offset, header.tag, packet.body)?,
            Kind::Ack => {
                let acknowledged = self.out.acknowledge(header.offset);
                acknowledged.map_err(|violation| violation.0)?;
            }
            Kind::Cancel => {
                self.refused = true;
                self.out.discard();
            }
            Kind::Hello | Kind::Welcome | Kind::LeaseLost | Kind::Garbled | Kind::Request => {}
        }
        self.wake();
        Ok(())
    }

    fn take_reply(&mut self, packet: &Packet) -> Result<(), &'static str> {
        if self.is_answered() {
            return Err("answered twice");
        }
        if self.parts.len() + packet.body.len() > MAX_REPLY {
            return Err("sent an answer over the limit");
        }
        self.parts.extend_from_slice(&packet.body);
        if packet.header.tag == MORE {
            return Ok(());
        }
        let answer = serde_json::from_slice(&self.parts);
        self.parts = Vec::new();
        let answer: Result<Reply, WireError> = answer.map_err(|_| "sent an answer of no sense")?;
        match &answer {
            Ok(Reply::Attached(attached)) => self.start_at(attached)?,
            Ok(_) => {}
            Err(_) => self.streams = false,
        }
        self.answer = Answer::Here(answer);
        Ok(())
    }

    /// Takes up streams that earlier clients had.
    fn start_at(&mut self, attached: &Attached) -> Result<(), &'static str> {
        let Attached {
            offset,
            input,
            input_taken,
            ..
        } = *attached;
        if offset > MAX_OFFSET || input > MAX_OFFSET || input_taken > input {
            return Err("sent an offset of no sense");
        }
        self.inn = Inflow::starting_at(offset);
        self.out = Outflow::starting_at(input_taken, input);
        self.exit = attached.exit;
        self.refused = !attached.input_open;
        Ok(())
    }

    fn take_data(&mut self, offset: u64, tag: u8, data: Bytes) -> Result<(), &'static str> {
        let tag = Tag::from_byte(tag).ok_or("sent data of an unknown kind")?;
        if tag == Tag::Exit {
            let status = serde_json::from_slice(&data);
            self.exit
                .get_or_insert(status.map_err(|_| "sent an exit of no sense")?);
        }
        let taken = self.inn.take(offset, tag, data);
        taken.map_err(|violation| violation.0)?;
        if self.discards {
            self.inn.discard();
        }
        Ok(())
    }
}
