//! From a request to a running process.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use sandbox_core::{Command, ErrorKind, OutputStream, Stdin};

use super::plan::{Failure, Plan, Stage, environment};
use super::process::{Exec, ExecId, Kill, Output};
use super::{Identity, Pipe, Supervisor, pty};
use crate::agent::sys::fd;
use crate::agent::sys::poller::Registered;
use crate::agent::{Agent, Source};
use crate::protocol::WireError;
use crate::protocol::flow::{Inflow, Outflow};

/// The process's three standard streams, and this program's sides of them.
struct Streams {
    child: [OwnedFd; 3],
    input: Option<OwnedFd>,
    outputs: [Option<(OwnedFd, OutputStream)>; 2],
}

impl Streams {
    fn open(command: &Command, owner: Option<u32>) -> io::Result<Self> {
        match command.pty {
            Some(size) => {
                let (master, slave) = pty::open(size, owner)?;
                fd::set_nonblocking(&master)?;
                Ok(Self {
                    child: [fd::duplicate(&slave)?, fd::duplicate(&slave)?, slave],
                    input: Some(fd::duplicate(&master)?),
                    outputs: [Some((master, OutputStream::Pty)), None],
                })
            }
            None => Self::pipes(command.stdin),
        }
    }

    fn pipes(stdin: Stdin) -> io::Result<Self> {
        let (child_in, input) = match stdin {
            Stdin::Null => (std::fs::File::open("/dev/null").map(OwnedFd::from), None),
            Stdin::Piped => {
                let (read, write) = fd::pipe()?;
                fd::set_nonblocking(&write)?;
                (Ok(read), Some(write))
            }
        };
        // An image may have no /dev/null; a pipe without a writer reads the same.
        let child_in = child_in.or_else(|_| fd::pipe().map(|(read, _)| read))?;
        let (out, child_out) = fd::pipe()?;
        let (err, child_err) = fd::pipe()?;
        fd::set_nonblocking(&out)?;
        fd::set_nonblocking(&err)?;
        Ok(Self {
            child: [child_in, child_out, child_err],
            input,
            outputs: [
                Some((out, OutputStream::Stdout)),
                Some((err, OutputStream::Stderr)),
            ],
        })
    }
}

impl Agent {
    /// Starts a process for `channel`. The reply is sent when its program runs.
    pub(crate) fn spawn(&mut self, channel: u32, command: Command) {
        if let Err(error) = self.try_spawn(channel, command) {
            self.reply(channel, Err(error));
        }
    }

    fn try_spawn(&mut self, channel: u32, command: Command) -> Result<(), WireError> {
        command.validate()?;
        let (identity, changes_user) = self.identity_for(&command)?;
        let variables = environment(&self.environment, &command, &identity, changes_user);
        let ids = changes_user.then_some(&identity);
        let mut plan = Plan::new(&command, &variables, ids)?;
        let streams = Streams::open(&command, ids.map(|one| one.uid)).map_err(|error| {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            let stage = Stage::Streams;
            Failure { stage, errno }.describe(&command)
        })?;
        for (number, stream) in streams.child.iter().enumerate() {
            plan.stdio[number] = stream.as_raw_fd();
        }
        let id = self.next_exec;
        self.next_exec += 1;
        self.start(id, channel, plan, streams, command)
    }

    fn identity_for(&mut self, command: &Command) -> Result<(Identity, bool), WireError> {
        let Some(user) = &command.user else {
            return Ok((self.own_identity(), false));
        };
        let identity = self.accounts.resolve(user)?;
        let (uid, gid) = self.ids;
        // Without the right to change the user, asking for the present one is still fine.
        let changes = uid == 0 || identity.uid != uid || identity.gid != gid;
        Ok((identity, changes))
    }

    fn own_identity(&mut self) -> Identity {
        let (uid, gid) = self.ids;
        let known = self.accounts.by_uid(uid);
        let (name, home) = known.unzip();
        Identity {
            uid,
            gid,
            groups: Vec::new(),
            name,
            home,
        }
    }

    fn start(
        &mut self,
        id: ExecId,
        channel: u32,
        plan: Plan,
        streams: Streams,
        command: Command,
    ) -> Result<(), WireError> {
        let notify = self.supervised.1.as_raw_fd();
        let stays = command.timeout.is_some();
        let supervisor = Supervisor::start(plan, id, notify, stays)
            .map_err(|failure| failure.describe(&command))?;
        let mut exec = self.make_exec(id, channel, streams.input, streams.outputs, &command);
        let now = self.clock.now();
        exec.deadline = command.timeout.map(|timeout| now.saturating_add(timeout));
        exec.starting = Some(Box::new(command));
        // The process takes its streams from this program's own descriptors, which therefore stay
        // open until its program runs.
        self.starting.insert(id, streams.child);
        self.pids.insert(supervisor.pid, id);
        exec.supervisor = Some(supervisor);
        self.execs.insert(id, exec);
        self.take_channel(channel, id);
        Ok(())
    }

    fn make_exec(
        &mut self,
        id: ExecId,
        channel: u32,
        input: Option<OwnedFd>,
        outputs: [Option<(OwnedFd, OutputStream)>; 2],
        command: &Command,
    ) -> Exec {
        let input = input.map(|fd| self.poller.add(fd, Source::Input(id)));
        let [out, err] = outputs;
        let outputs = [
            out.map(|out| self.register_output(id, Pipe::Out, out)),
            err.map(|err| self.register_output(id, Pipe::Err, err)),
        ];
        let terminal = command.pty.is_some();
        let terminal_fd = input
            .as_ref()
            .filter(|_| terminal)
            .map(Registered::as_raw_fd);
        Exec {
            pid: 0,
            channel: Some(channel),
            discard: false,
            forgotten: false,
            out: Outflow::default(),
            inn: Inflow::default(),
            outputs,
            input,
            terminal,
            terminal_fd,
            ending: None,
            deadline: None,
            supervisor: None,
            kill: Kill::No,
            starting: None,
        }
    }

    fn register_output(
        &mut self,
        id: ExecId,
        pipe: Pipe,
        (fd, stream): (OwnedFd, OutputStream),
    ) -> Output {
        let mut fd = self.poller.add(fd, Source::Output(id, pipe));
        self.want(&mut fd, crate::agent::sys::poller::READ);
        Output {
            fd,
            stream,
            before_exit: 0,
        }
    }

    /// Refuses what a process channel cannot do any more.
    pub(crate) fn exec_of(&mut self, channel: u32) -> Result<&mut Exec, WireError> {
        let id = self.exec_id_of(channel);
        id.and_then(|id| self.execs.get_mut(&id))
            .ok_or_else(|| WireError::of(ErrorKind::NotFound, "pid", "the process has ended"))
    }
}
