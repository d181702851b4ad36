//! Reading what processes write.

use std::io;
use std::os::fd::AsRawFd;

use super::Pipe;
use super::process::ExecId;
use crate::agent::Agent;
use crate::agent::sys::fd;
use crate::agent::sys::poller::READ;
use crate::protocol::Tag;

/// The most bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// Output of this many bytes at a time does not wait for company.
const BULK: usize = 16 * 1024;

/// What one read brought.
enum Got {
    Data(Vec<u8>),
    /// Nothing for now.
    Nothing,
    /// Nothing ever again.
    End,
}

impl Agent {
    /// Reads an output as far as its reader's window allows.
    pub(crate) fn read_output(&mut self, id: ExecId, pipe: Pipe) {
        self.fill(id, pipe);
        self.update_interest(id, pipe);
        self.settle_if_ended(id);
    }

    fn settle_if_ended(&mut self, id: ExecId) {
        if self.execs.get(&id).is_some_and(|exec| !exec.is_alive()) {
            self.settle(id);
        }
    }

    fn fill(&mut self, id: ExecId, pipe: Pipe) {
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        let room = match exec.discard || exec.forgotten {
            true => CHUNK,
            false => exec.out.room().min(CHUNK),
        };
        let (discard, channel) = (exec.discard || exec.forgotten, exec.channel);
        let ended = exec.ending.is_some_and(|ending| !ending.placed);
        let Some(output) = exec.output(pipe) else {
            return;
        };
        // What was written after the exit may not be read before the exit is in its place.
        let room = match ended {
            true => room.min(output.before_exit),
            false => room,
        };
        if room == 0 {
            return;
        }
        let (raw, stream) = (output.fd.as_raw_fd(), output.stream);
        match read(raw, &mut self.buffer, room) {
            Got::Data(data) => {
                output.before_exit = output.before_exit.saturating_sub(data.len());
                if !discard {
                    let bulk = data.len() >= BULK;
                    exec.out.push(Tag::Output(stream), data);
                    match channel {
                        Some(channel) if bulk => self.ready_now(channel),
                        Some(channel) => self.ready_soon(channel),
                        None => {}
                    }
                }
            }
            Got::Nothing => output.before_exit = 0,
            Got::End => self.close_output(id, pipe),
        }
    }

    fn update_interest(&mut self, id: ExecId, pipe: Pipe) {
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        let room = exec.discard || exec.forgotten || exec.out.room() > 0;
        let held = exec.ending.is_some_and(|ending| !ending.placed);
        let Some(output) = exec.output(pipe) else {
            return;
        };
        let wanted = room && (!held || output.before_exit > 0);
        let interest = if wanted { READ } else { 0 };
        let result = self.poller.set(&mut output.fd, interest);
        self.note(result);
    }

    /// Looks again at both outputs, after the window or the state has changed.
    pub(crate) fn refresh_outputs(&mut self, id: ExecId) {
        for pipe in [Pipe::Out, Pipe::Err] {
            self.update_interest(id, pipe);
        }
        self.settle_if_ended(id);
        for pipe in [Pipe::Out, Pipe::Err] {
            self.update_interest(id, pipe);
        }
    }

    fn close_output(&mut self, id: ExecId, pipe: Pipe) {
        if let Some(exec) = self.execs.get_mut(&id)
            && let Some(output) = exec.output(pipe).take()
        {
            self.poller.remove(output.fd);
        }
    }

    /// Closes both outputs.
    pub(super) fn close_outputs(&mut self, id: ExecId) {
        self.close_output(id, Pipe::Out);
        self.close_output(id, Pipe::Err);
    }
}

fn read(raw: i32, buffer: &mut [u8], room: usize) -> Got {
    let room = room.min(buffer.len());
    match fd::read(raw, &mut buffer[..room]) {
        Ok(0) => Got::End,
        Ok(got) => Got::Data(buffer[..got].to_vec()),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Got::Nothing,
        // A terminal whose other side is closed says EIO.
        Err(_) => Got::End,
    }
}
