//! The agent's life: setting up, and one loop.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::clock::{RunningClock, TICK};
use super::exec::Accounts;
use super::memory::MemoryRanOut;
use super::sweeper::Sweeper;
use super::sys::poller::{Poller, READ, Registered, WRITE, Wait};
use super::sys::{fd, signal};
use super::worker::{Completions, Workers};
use super::{Agent, Flush, Source, link, session};
use crate::protocol::{Assembler, MAX_REPLY};

/// The most signals taken at a time: two kinds are looked for, and of each at most one waits.
const SIGNALS: u32 = 2;

/// The most bytes read from anything at a time.
const BUFFER: usize = 64 * 1024;

/// Serves clients over standard input and output until the sandbox ends.
///
/// As the first process of a process namespace it never returns but on SIGTERM from outside; an
/// error while setting up is written to standard error.
pub fn run() -> ExitCode {
    fd::close_inherited();
    fd::open_standard();
    match Agent::set_up().and_then(|mut agent| agent.serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nowhere else to say it.
            let _ = writeln!(io::stderr(), "sandbox-agent: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Agent {
    fn set_up() -> io::Result<Self> {
        let signals = signal::prepare_process()?;
        let mut poller = Poller::new()?;
        let signals = watch(&mut poller, signals, Source::Signals)?;
        let link = link::open(&mut poller)?;
        let (spoken, speak) = fd::pipe()?;
        fd::set_nonblocking(&spoken)?;
        fd::set_nonblocking(&speak)?;
        let spoken = watch(&mut poller, spoken, Source::Supervisors)?;
        let wake = fd::eventfd()?;
        let woken = watch(&mut poller, fd::duplicate(&wake)?, Source::Workers)?;
        let completions = Completions::new(wake);
        let mut agent = Self {
            poller,
            link,
            input_closed: false,
            lease: None,
            client: None,
            superseded: Default::default(),
            instance: fd::random(),
            hellos: Assembler::new(MAX_REPLY),
            greeting: None,
            requests: session::assembler(),
            channels: Default::default(),
            walking: Default::default(),
            ready: Default::default(),
            flush: Flush::Idle,
            execs: Default::default(),
            pids: Default::default(),
            unreaped: false,
            starting: Default::default(),
            adopted: Default::default(),
            next_exec: 0,
            next_job: 0,
            supervised: (spoken, speak),
            clock: RunningClock::new(),
            accounts: Accounts::new(),
            environment: std::env::vars_os().collect(),
            ids: signal::own_ids(),
            memory_ran_out: MemoryRanOut::new(),
            sweeper: Sweeper::start(completions.clone())?,
            workers: Workers::start(completions)?,
            signals,
            woken,
            buffer: vec![0; BUFFER],
            shutdown: None,
        };
        agent.listen();
        Ok(agent)
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Vec::new();
        while !self.has_shut_down() {
            let timeout = self.timeout();
            self.clock.sleeps(self.next_deadline().is_some());
            let wait = self.poller.wait(timeout, &mut events)?;
            // Only a sleep that had to end in time says something about the time.
            let asked = timeout.filter(|_| self.next_deadline().is_some());
            self.clock.woke(asked, wait == Wait::Interrupted);
            for (source, happened) in events.drain(..) {
                self.handle(source, happened);
            }
            self.go_on_walking();
            if self.unreaped {
                self.reap_children();
            }
            if self.next_deadline().is_some() {
                self.enforce_deadlines();
            }
            self.look_at_adopted();
            self.advance_shutdown();
            self.flush();
        }
        Ok(())
    }

    fn handle(&mut self, source: Source, happened: u32) {
        match source {
            Source::LinkInput => self.read_link(),
            Source::LinkOutput => self.flush = Flush::Now,
            Source::Signals => self.take_signals(),
            Source::Supervisors => self.supervisors_spoke(),
            Source::Workers => self.take_completions(),
            Source::Output(id, pipe) => self.read_output(id, pipe),
            Source::Input(id) => self.write_input(id),
            Source::Socket(channel) => self.socket_ready(channel, happened & WRITE != 0),
            Source::Watch(channel) => self.read_watch(channel),
        }
    }

    /// Takes a few signals: guests may send them faster than they can be taken, and the rest keeps
    /// its place.
    fn take_signals(&mut self) {
        for _ in 0..SIGNALS {
            match signal::next(&self.signals) {
                Some(arrived) if arrived.number == libc::SIGTERM => self.asked_to_end(arrived),
                Some(_) => self.unreaped = true,
                None => return,
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let flush = match self.flush {
            Flush::Idle => None,
            Flush::By(at) => Some(at.saturating_duration_since(Instant::now())),
            Flush::Now => Some(Duration::ZERO),
        };
        let deadline = self
            .next_deadline()
            .map(|at| at.saturating_sub(self.clock.now()).min(TICK));
        let shutdown = self.shutdown.as_ref().map(|one| one.remaining());
        let adopted = self.next_look();
        let busy = self.unreaped || !self.walking.is_empty();
        let busy = busy.then_some(Duration::ZERO);
        let times = [flush, deadline, shutdown, adopted, busy].into_iter();
        times.flatten().min()
    }

    fn flush(&mut self) {
        let due = match self.flush {
            Flush::Idle => false,
            Flush::By(at) => Instant::now() >= at || self.link.waiting() >= link::STREAM_LIMIT,
            Flush::Now => true,
        };
        if !due {
            return;
        }
        self.pump();
        self.write_link();
        // A full pipe says when it has room again.
        self.flush = match self.link.waiting() == 0 && !self.ready.is_empty() {
            true => Flush::Now,
            false => Flush::Idle,
        };
    }

    /// Sets what a descriptor is waited for.
    pub(super) fn want(&self, registered: &mut Registered, interest: u32) {
        let result = self.poller.set(registered, interest);
        self.note(result);
    }

    /// Says what should not happen where somebody may look.
    pub(super) fn note(&self, result: io::Result<()>) {
        if let Err(error) = result {
            let _ = writeln!(io::stderr(), "sandbox-agent: epoll: {error}");
        }
    }
}

fn watch(poller: &mut Poller<Source>, fd: OwnedFd, source: Source) -> io::Result<Registered> {
    let mut registered = poller.add(fd, source);
    poller.set(&mut registered, READ)?;
    Ok(registered)
}
