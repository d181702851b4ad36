//! The processes of one sandbox.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use sandbox_core::{
    Command, Error, ErrorKind, ExitStatus, Pid, Process, Result, Sandbox, Timestamp,
};
use tokio::sync::oneshot;

use super::pace::Pace;
use super::pump::{self, Watch};
use super::ring::Ring;
use super::{ProcessId, ProcessOptions, ProcessSelector};
use crate::config::EngineConfig;
use crate::lock::Locked;
use crate::store::StoredProcess;

/// The longest tag in bytes.
const MAX_TAG_BYTES: usize = 128;
/// Numbers of output after the n-th time a process was taken up begin at n times this, so that
/// they only grow although nobody knows how far they had come.
const NUMBERS_A_TAKE: u64 = 1 << 40;

/// A process that the engine watches, or watched.
#[derive(Debug)]
pub(crate) struct Managed {
    pub(super) id: ProcessId,
    pub(super) pid: Pid,
    pub(super) command: Command,
    pub(super) tag: Option<String>,
    pub(super) started_at: Timestamp,
    pub(super) ring: Arc<Ring>,
    takes: u32,
    state: Mutex<ManagedState>,
}

#[derive(Debug)]
struct ManagedState {
    /// Set while somebody reads the process's output.
    process: Option<Arc<dyn Process>>,
    /// Whether somebody is about to.
    taken: bool,
    ended: Option<(Timestamp, ExitStatus)>,
}

impl Managed {
    fn new(row: StoredProcess, process: Option<Arc<dyn Process>>, capacity: usize) -> Self {
        let first_seq = 1 + u64::from(row.takes) * NUMBERS_A_TAKE;
        let ring = Ring::new(capacity, first_seq);
        if let Some((_, status)) = row.ended {
            ring.exited(status);
            ring.close();
        }
        Self {
            id: row.id,
            pid: row.pid,
            command: row.command,
            tag: row.tag,
            started_at: row.started_at,
            ring: Arc::new(ring),
            takes: row.takes,
            state: Mutex::new(ManagedState {
                process,
                taken: false,
                ended: row.ended,
            }),
        }
    }

    pub(super) fn ended(&self) -> Option<(Timestamp, ExitStatus)> {
        self.state.locked().ended
    }

    pub(super) fn process(&self) -> Option<Arc<dyn Process>> {
        self.state.locked().process.clone()
    }

    /// Takes it on oneself to watch a process that runs. `false`: somebody does, or it ended.
    fn take(&self) -> bool {
        let mut state = self.state.locked();
        let is_free = state.ended.is_none() && state.process.is_none() && !state.taken;
        state.taken |= is_free;
        is_free
    }

    pub(super) fn attached(&self, process: Arc<dyn Process>) {
        self.state.locked().process = Some(process);
    }

    /// Lets go of a process that may still run, to take it up again later.
    pub(super) fn detached(&self) {
        let mut state = self.state.locked();
        state.process = None;
        state.taken = false;
    }

    /// Notes the end. Whether it was not known yet.
    pub(super) fn set_ended(&self, at: Timestamp, status: ExitStatus) -> bool {
        let mut state = self.state.locked();
        if state.ended.is_some() {
            return false;
        }
        state.ended = Some((at, status));
        state.process = None;
        true
    }

    pub(super) fn row(&self, sandbox: &sandbox_core::SandboxId) -> StoredProcess {
        StoredProcess {
            id: self.id.clone(),
            sandbox: sandbox.clone(),
            pid: self.pid,
            command: self.command.clone(),
            tag: self.tag.clone(),
            started_at: self.started_at,
            takes: self.takes,
            ended: self.ended(),
        }
    }
}

/// Whether processes can be taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takeover {
    /// The runtime can.
    Attach,
    /// It cannot: what nobody watches any more is lost.
    Lost,
}

/// The processes of one sandbox, oldest first.
#[derive(Debug, Default)]
pub(crate) struct ProcessTable {
    managed: Mutex<Vec<Arc<Managed>>>,
    /// How many are being started; changed under the lock of `managed` alone where it grows.
    starting: AtomicUsize,
}

/// The place of a process that is being started. Dropping it gives the place back.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl ProcessTable {
    /// The processes that an earlier engine watched.
    pub(crate) fn load(rows: Vec<StoredProcess>, config: &EngineConfig) -> Self {
        let mut rows = rows;
        rows.sort_by_key(|row| row.started_at);
        let managed = rows.into_iter().map(|mut row| {
            // What an earlier engine read is a gap to those who read now.
            row.takes = row.takes.saturating_add(1);
            Arc::new(Managed::new(row, None, config.process_output))
        });
        Self {
            managed: Mutex::new(managed.collect()),
            starting: AtomicUsize::new(0),
        }
    }

    pub(crate) fn all(&self) -> Vec<Arc<Managed>> {
        self.managed.locked().clone()
    }

    pub(crate) fn find(&self, selector: &ProcessSelector) -> Option<Arc<Managed>> {
        let meant = |managed: &&Arc<Managed>| match selector {
            ProcessSelector::Id(id) => managed.id == *id,
            ProcessSelector::Pid(pid) => managed.pid == *pid,
            ProcessSelector::Tag(tag) => managed.tag.as_ref() == Some(tag),
        };
        self.managed.locked().iter().rev().find(meant).cloned()
    }

    /// Starts `command` and watches it. With the place of its first reader, where it waits for one.
    pub(crate) async fn start(
        &self,
        sandbox: &Arc<dyn Sandbox>,
        command: Command,
        options: ProcessOptions,
        watch: &Watch,
    ) -> Result<(Arc<Managed>, Option<Pace>)> {
        check_tag(options.tag.as_deref())?;
        let place = self.make_room(watch).await?;
        let id = ProcessId::generate()?;
        let process = sandbox.spawn(command.clone()).await?;
        let row = StoredProcess {
            id,
            sandbox: sandbox.id().clone(),
            pid: process.pid(),
            command,
            tag: options.tag,
            started_at: watch.now(),
            takes: 0,
            ended: None,
        };
        let capacity = watch.config().process_output;
        let managed = Arc::new(Managed::new(
            row.clone(),
            Some(Arc::clone(&process)),
            capacity,
        ));
        // No waiting between these: a caller that leaves now leaves a process that is watched.
        self.managed.locked().push(Arc::clone(&managed));
        drop(place);
        // Before anything is read of it.
        let pace = options.paced.then(|| Pace::new(&managed.ring, 1));
        let events = process.events();
        let (kept, is_kept) = oneshot::channel();
        let started = pump::Started { row, kept };
        watch.spawn(pump::run(
            watch.clone(),
            Arc::clone(&managed),
            process,
            events,
            started,
        ));
        // Ends without an answer only when the engine stops, and the process goes on then.
        let _ = is_kept.await;
        Ok((managed, pace))
    }

    /// Takes the place of one more process, and forgets those that ended long ago. Refuses one too
    /// many, those included that are being started.
    async fn make_room(&self, watch: &Watch) -> Result<Place<'_>> {
        let config = watch.config();
        let (place, forgotten) = {
            let mut managed = self.managed.locked();
            let live = managed.iter().filter(|one| one.ended().is_none()).count();
            let live = live + self.starting.load(SeqCst);
            if live >= config.max_processes {
                let message = format!(
                    "{live} processes run; the limit is {}",
                    config.max_processes
                );
                let error = Error::new(ErrorKind::LimitExceeded, "process.start", message);
                return Err(error.with_field("processes"));
            }
            self.starting.fetch_add(1, SeqCst);
            let place = Place(&self.starting);
            (place, forget(&mut managed, config, watch.now()))
        };
        for id in forgotten {
            watch.forget(&id).await;
        }
        Ok(place)
    }

    /// Takes up what nobody watches, in a sandbox that runs.
    pub(crate) fn take_over(&self, sandbox: &Arc<dyn Sandbox>, how: Takeover, watch: &Watch) {
        for managed in self.all() {
            if !managed.take() {
                continue;
            }
            let (sandbox, task) = (Arc::clone(sandbox), watch.clone());
            watch.spawn(pump::take_over(task, managed, sandbox, how));
        }
    }

    /// Notes that the sandbox is gone and every process with it.
    pub(crate) fn lose_all(&self, watch: &Watch) {
        for managed in self.all() {
            if managed.ended().is_none() {
                watch.spawn(pump::lost(watch.clone(), managed));
            }
        }
    }
}

fn check_tag(tag: Option<&str>) -> Result<()> {
    match tag {
        Some(tag) if tag.is_empty() || tag.len() > MAX_TAG_BYTES => Err(Error::invalid(
            "process.start",
            "tag",
            format!("must be 1 to {MAX_TAG_BYTES} bytes"),
        )),
        Some(_) | None => Ok(()),
    }
}

/// Takes out those that ended too long ago, and the oldest of too many.
fn forget(
    managed: &mut Vec<Arc<Managed>>,
    config: &EngineConfig,
    now: Timestamp,
) -> Vec<ProcessId> {
    let ended = managed.iter().filter(|one| one.ended().is_some()).count();
    let mut too_many = ended.saturating_sub(config.max_ended_processes);
    let mut forgotten = Vec::new();
    managed.retain(|one| {
        let Some((at, _)) = one.ended() else {
            return true;
        };
        let old = now.since(at) > config.process_retention;
        if !old && too_many == 0 {
            return true;
        }
        too_many = too_many.saturating_sub(1);
        forgotten.push(one.id.clone());
        false
    });
    forgotten
}
