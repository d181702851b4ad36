//! Writing what processes read.

use std::io;
use std::os::fd::AsRawFd;

use super::process::ExecId;
use crate::agent::Agent;
use crate::agent::sys::fd;
use crate::agent::sys::poller::WRITE;
use crate::protocol::Tag;

impl Agent {
    /// Gives a process as much of its input as it takes.
    pub(crate) fn write_input(&mut self, id: ExecId) {
        loop {
            let Some(exec) = self.execs.get_mut(&id) else {
                return;
            };
            let Some(input) = &mut exec.input else {
                exec.inn.discard();
                return;
            };
            let raw = input.as_raw_fd();
            match exec.inn.front() {
                None => {
                    let result = self.poller.set(input, 0);
                    self.note(result);
                    break;
                }
                Some((Tag::Bytes, data)) => match fd::write(raw, data) {
                    Ok(put) => exec.inn.consume(put),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let result = self.poller.set(input, WRITE);
                        self.note(result);
                        break;
                    }
                    Err(_) => {
                        self.close_input(id);
                        return;
                    }
                },
                Some((_, data)) => {
                    let len = data.len();
                    exec.inn.consume(len);
                    // A terminal has no end of input; `^D` is a character.
                    if !exec.terminal {
                        self.close_input(id);
                    }
                    break;
                }
            }
        }
        self.acknowledge_input(id);
    }

    fn acknowledge_input(&mut self, id: ExecId) {
        if let Some(exec) = self.execs.get_mut(&id)
            && let Some(channel) = exec.channel
            && let Some(offset) = exec.inn.acknowledge()
        {
            self.acknowledge(channel, offset);
        }
    }

    /// Closes a process's input, and tells a client that goes on writing.
    pub(crate) fn close_input(&mut self, id: ExecId) {
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        let Some(input) = exec.input.take() else {
            return;
        };
        exec.terminal_fd = None;
        let told = exec.inn.is_ended();
        exec.inn.discard();
        let channel = exec.channel;
        self.poller.remove(input);
        if let Some(channel) = channel
            && !told
        {
            self.refuse_data(channel);
        }
    }
}
