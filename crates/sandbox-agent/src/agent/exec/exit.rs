//! The place of a process's end among its output.
//!
//! What was in its pipes when it ended was written before its end. Those bytes are counted at that
//! moment and read as the reader's window allows; then comes the end, then whatever children that
//! it left behind go on to write.

use super::Pipe;
use super::process::{ExecId, Kill};
use crate::agent::Agent;
use crate::agent::sys::fd;
use crate::protocol::{Notice, Tag};

/// The most bytes a terminal holds: it cannot say how many there are.
const TERMINAL_BUFFER: usize = 64 * 1024;

impl Agent {
    /// Counts what has been written before the exit.
    pub(super) fn measure_outputs(&mut self, id: ExecId) {
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        let terminal = exec.terminal;
        for output in exec.outputs.iter_mut().flatten() {
            output.before_exit = match terminal {
                true => TERMINAL_BUFFER,
                false => fd::readable(&output.fd),
            };
        }
        for pipe in [Pipe::Out, Pipe::Err] {
            self.read_output(id, pipe);
        }
    }

    /// Puts the exit in its place once it is reached, and removes the process once it is over.
    pub(super) fn settle(&mut self, id: ExecId) {
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        let Some(ending) = exec.ending else {
            return;
        };
        let waits_for_sweep = exec.kill == Kill::Sweeping;
        if !ending.placed && !waits_for_sweep {
            let unread = exec.outputs.iter().flatten().any(|one| one.before_exit > 0);
            if !unread || exec.forgotten {
                self.place_exit(id);
            } else if !ending.announced {
                self.announce_exit(id);
            }
        }
        self.end_output(id);
        self.remove_if_over(id);
    }

    fn place_exit(&mut self, id: ExecId) {
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        let Some(ending) = &mut exec.ending else {
            return;
        };
        ending.placed = true;
        // A plain value of known shape: it always serialises.
        let status = serde_json::to_vec(&ending.status).unwrap_or_default();
        exec.out.push(Tag::Exit, status);
        if let Some(channel) = exec.channel {
            self.ready_now(channel);
        }
    }

    /// Tells of the exit ahead of output that the reader has no room for yet, for those who only
    /// wait for it.
    pub(crate) fn announce_exit(&mut self, id: ExecId) {
        if let Some(exec) = self.execs.get_mut(&id)
            && let (Some(channel), Some(ending)) = (exec.channel, &mut exec.ending)
        {
            ending.announced = true;
            let status = ending.status;
            self.notice(channel, &Notice::Ended(status));
        }
    }

    /// Ends the stream when nobody holds the output open and the exit is in it.
    fn end_output(&mut self, id: ExecId) {
        let Some(exec) = self.execs.get_mut(&id) else {
            return;
        };
        let placed = exec.ending.is_some_and(|ending| ending.placed);
        let closed = exec.outputs.iter().all(Option::is_none);
        if !placed || !(closed || exec.forgotten) || exec.out.is_ended() {
            return;
        }
        exec.out.push(Tag::End, b"null".to_vec());
        if let Some(channel) = exec.channel {
            self.ready_now(channel);
        }
    }

    fn remove_if_over(&mut self, id: ExecId) {
        if self.execs.get(&id).is_some_and(super::Exec::is_over) {
            self.drop_exec(id);
        }
    }

    /// Forgets a process that is over.
    pub(crate) fn drop_exec(&mut self, id: ExecId) {
        self.close_outputs(id);
        self.close_input(id);
        self.starting.remove(&id);
        if let Some(exec) = self.execs.remove(&id) {
            if self.pids.get(&exec.pid) == Some(&id) {
                self.pids.remove(&exec.pid);
            }
            if let Some(channel) = exec.channel {
                self.channels.remove(&channel);
            }
        }
    }
}
