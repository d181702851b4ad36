//! Processes as a whole: who has them, who they are.

use std::collections::HashSet;

use sandbox_core::{ErrorKind, Pid, ProcessInfo, Signal};

use super::exec::{Exec, ExecId};
use super::sys::signal;
use super::{Agent, procfs};
use crate::protocol::{Attached, Reply, WireError};

/// The most ended processes that are kept with output nobody has read.
const MAX_ENDED: usize = 256;
/// The most bytes of their output together.
const MAX_ENDED_BYTES: u64 = 16 << 20;

fn no_process(pid: Pid) -> WireError {
    WireError::of(
        ErrorKind::NotFound,
        "pid",
        format!("there is no process {pid}"),
    )
}

impl Agent {
    /// Takes a process from a client that is gone; it goes on, and its output is kept as far as
    /// the window goes.
    pub(super) fn detach(&mut self, channel: u32) {
        let Some(id) = self.exec_id_of(channel) else {
            return;
        };
        self.channels.remove(&channel);
        if let Some(exec) = self.execs.get_mut(&id) {
            exec.channel = None;
        }
        self.drop_eldest_ended();
    }

    /// The client does not want to hear of a process again; it goes on, its output is thrown away.
    pub(super) fn forget_exec(&mut self, id: ExecId) {
        if let Some(exec) = self.execs.get_mut(&id) {
            exec.forget();
            self.refresh_outputs(id);
        }
    }

    fn drop_eldest_ended(&mut self) {
        let mut ended: Vec<_> = self
            .execs
            .iter()
            .filter(|(_, exec)| exec.channel.is_none() && exec.is_kept_for_output())
            .map(|(id, exec)| (*id, exec.out.kept()))
            .collect();
        // Ids grow, so the eldest come first.
        ended.sort_unstable();
        let mut bytes: u64 = ended.iter().map(|(_, kept)| kept).sum();
        let mut count = ended.len();
        for (id, kept) in ended {
            if count <= MAX_ENDED && bytes <= MAX_ENDED_BYTES {
                return;
            }
            self.drop_exec(id);
            count -= 1;
            bytes -= kept;
        }
    }

    /// Gives a process that an earlier client started to this one.
    pub(super) fn attach(&mut self, channel: u32, pid: Pid) -> Result<Reply, WireError> {
        let raw = i32::try_from(pid).unwrap_or(0);
        let matching = self
            .execs
            .iter()
            .filter(|(_, exec)| exec.pid() == Some(raw));
        // An ended process may have had the same id; the youngest has it now.
        let id = matching
            .map(|(id, _)| *id)
            .max()
            .ok_or_else(|| no_process(pid))?;
        let exec = self.execs.get_mut(&id).ok_or_else(|| no_process(pid))?;
        let earlier = exec.channel.replace(channel);
        exec.take_up();
        let reply = Attached {
            offset: exec.out.rewind(),
            input: exec.inn.received(),
            input_taken: exec.inn.consumed(),
            input_open: exec.has_input(),
            pty: exec.is_terminal(),
            exit: exec.exit(),
        };
        if let Some(earlier) = earlier {
            self.channels.remove(&earlier);
        }
        self.take_channel(channel, id);
        self.refresh_outputs(id);
        self.ready_soon(channel);
        Ok(Reply::Attached(reply))
    }

    /// Says again what is said outside the streams, on a new link.
    pub(super) fn repeat_notices(&mut self, channel: u32) {
        let Some(id) = self.exec_id_of(channel) else {
            return;
        };
        let Some(exec) = self.execs.get(&id) else {
            return;
        };
        if exec.exit().is_some() && !exec.out.is_ended() {
            self.announce_exit(id);
        }
        if self.execs.get(&id).is_some_and(|exec| !exec.has_input()) {
            self.refuse_data(channel);
        }
    }

    /// Sends a signal to any process but this program's own.
    pub(super) fn signal_process(&mut self, pid: Pid, number: Signal) -> Result<Reply, WireError> {
        let raw = i32::try_from(pid).ok().filter(|pid| *pid > 0);
        let raw = raw.ok_or_else(|| no_process(pid))?;
        if self.is_own(raw) {
            let message = format!("process {pid} belongs to the runtime");
            return Err(WireError::of(ErrorKind::PermissionDenied, "pid", message));
        }
        match signal::kill(raw, number.number()) {
            Ok(()) => Ok(Reply::Done),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => Err(WireError::of(
                ErrorKind::PermissionDenied,
                "pid",
                format!("process {pid} may not be signalled"),
            )),
            Err(_) => Err(no_process(pid)),
        }
    }

    fn is_own(&self, pid: i32) -> bool {
        pid == std::process::id() as i32
            || self
                .execs
                .values()
                .any(|exec| exec.supervisor_pid() == Some(pid))
    }

    /// What tells this program's own processes and those that clients started from the others.
    pub(super) fn table(&self) -> ProcessTable {
        let execs = self.execs.values();
        let mut own: HashSet<i32> = execs.filter_map(Exec::supervisor_pid).collect();
        own.insert(std::process::id() as i32);
        let alive = self.execs.values().filter(|exec| exec.is_alive());
        let spawned = alive.filter_map(Exec::pid).collect();
        ProcessTable { own, spawned }
    }
}

/// How to tell processes apart, at one moment.
#[derive(Debug)]
pub(super) struct ProcessTable {
    own: HashSet<i32>,
    spawned: HashSet<i32>,
}

impl ProcessTable {
    /// Gives every process but this program's own to `take`, by id, until it returns false.
    pub(super) fn walk(&self, mut take: impl FnMut(ProcessInfo) -> bool) {
        let mut pids = procfs::pids();
        pids.sort_unstable();
        for pid in pids {
            if let Some(info) = self.info(pid)
                && !take(info)
            {
                return;
            }
        }
    }

    fn info(&self, pid: i32) -> Option<ProcessInfo> {
        if self.own.contains(&pid) {
            return None;
        }
        let mut info = procfs::info(pid)?;
        info.spawned = self.spawned.contains(&pid);
        let parent = i32::try_from(info.parent).unwrap_or(0);
        if self.own.contains(&parent) {
            info.parent = std::process::id();
        }
        Some(info)
    }
}
