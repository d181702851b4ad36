//! The agent: the first process of a sandbox. It serves one client at a time over its standard
//! input and output, and goes on without one.
//!
//! One thread waits for everything (epoll); what may take long, walking directories and hunting
//! processes, is done by a few others. Nothing here depends on the image: no shell, no C library,
//! no `/etc/passwd`.

mod channel;
mod clock;
mod dispatch;
mod exec;
mod files;
mod link;
mod memory;
mod processes;
mod procfs;
mod run;
mod session;
mod shutdown;
mod socket;
mod stats;
mod sweeper;
mod sys;
mod watch;
mod watch_event;
mod watch_walk;
mod worker;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::time::Instant;

pub use run::run;

use channel::Channel;
use clock::RunningClock;
use exec::{Accounts, Exec, ExecId, Pipe, Supervisor};
use link::Link;
use memory::MemoryRanOut;
use sweeper::Sweeper;
use sys::poller::{Poller, Registered};
use worker::Workers;

use crate::protocol::Assembler;

/// What a descriptor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The client's packets.
    LinkInput,
    /// Packets to the client.
    LinkOutput,
    Signals,
    /// Ids of commands whose supervisor has news.
    Supervisors,
    /// Workers have finished something.
    Workers,
    Output(ExecId, Pipe),
    Input(ExecId),
    /// The connection of a channel.
    Socket(u32),
    /// The inotify descriptor of a channel.
    Watch(u32),
}

/// The agent's whole state.
#[derive(Debug)]
struct Agent {
    poller: Poller<Source>,
    link: Link,
    input_closed: bool,
    /// Whose packets are heeded.
    lease: Option<u64>,
    client: Option<u64>,
    /// Clients that lost the lease; they do not get it back.
    superseded: VecDeque<u64>,
    instance: u64,
    hellos: Assembler,
    /// Whose parts of a hello are held.
    greeting: Option<u64>,
    requests: Assembler,
    channels: HashMap<u32, Channel>,
    /// Watches that have more to do at once.
    walking: HashSet<u32>,
    /// Channels that may have something to send, in turn.
    ready: VecDeque<u32>,
    flush: Flush,
    execs: HashMap<ExecId, Exec>,
    /// Children: processes, and supervisors of processes.
    pids: HashMap<i32, ExecId>,
    /// Whether there may be news of children.
    unreaped: bool,
    /// Standard streams of processes whose program does not run yet.
    starting: HashMap<ExecId, [OwnedFd; 3]>,
    /// Commands without a supervisor whose program may not run yet, with the memory they use.
    adopted: Vec<(ExecId, Supervisor)>,
    next_exec: ExecId,
    next_job: u64,
    /// Both ends of the pipe on which supervisors speak.
    supervised: (Registered, OwnedFd),
    clock: RunningClock,
    accounts: Accounts,
    environment: BTreeMap<OsString, OsString>,
    ids: (u32, u32),
    memory_ran_out: MemoryRanOut,
    workers: Workers,
    sweeper: Sweeper,
    signals: Registered,
    /// Kept for what it is in the poller for.
    #[expect(dead_code, reason = "it stays open as long as the program runs")]
    woken: Registered,
    buffer: Vec<u8>,
    shutdown: Option<shutdown::Shutdown>,
}

/// When what waits is written to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flush {
    /// Nothing waits.
    Idle,
    /// Then at the latest: more may come at once, and fewer packets are cheaper for everybody.
    By(Instant),
    Now,
}
