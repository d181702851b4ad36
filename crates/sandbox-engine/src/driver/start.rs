//! The command that a new sandbox starts: once, whatever dies in between.
//!
//! It is part of the creation: until it runs nobody is told of the sandbox. That it is about to be
//! started is in the store before it is. So after a death in a creation three things can be told
//! apart: not started yet, and it is; started and written down, and it is watched again; begun and
//! nothing more, and nobody can say whether it ran. In the last case the sandbox counts as not made
//! whole: it is removed rather than handed out without its command, or with the command run twice.

use std::sync::Arc;

use futures_util::FutureExt;
use sandbox_core::lifecycle::{Action, Input, Observation, State};
use sandbox_core::{Command, Error, ErrorKind, Result};

use super::run::Driver;
use super::work::{Doing, Job};
use crate::core::Core;
use crate::entry::Entry;
use crate::process::{ProcessOptions, ProcessSelector, Watch};

/// The tag of the process that a template starts.
const START_TAG: &str = "start";

impl Driver {
    /// Writes down that the command is about to start, and starts it: the end of `action`, or of a
    /// creation that an earlier engine began.
    pub(super) async fn start_command(&mut self, action: Option<Action>) {
        let Some(start) = &mut self.start else {
            return;
        };
        start.begun = true;
        let command = start.command.clone();
        let change = self.change(&self.life, self.core.clock.now(), Vec::new());
        if self.write_surely(change).await.is_err() {
            // The engine was told to leave at once.
            return;
        }
        let (core, entry) = (Arc::clone(&self.core), Arc::clone(&self.entry));
        let watch = self.watch();
        let future = async move {
            let limit = core.config.create_timeout;
            let work = spawn(&core, &entry, command, &watch);
            core.bounded("engine.start", limit, work).await
        };
        self.start_work(Doing::Start(action), future.boxed());
    }

    pub(super) async fn command_ended(&mut self, action: Option<Action>, result: Result<()>) {
        if result.is_ok() {
            self.start = None;
        }
        if let Some(action) = action {
            return self.action_ended(action, result).await;
        }
        let seen = match result {
            Ok(()) => Observation::FoundRunning,
            Err(error) => {
                tracing::warn!(%error, sandbox = %self.entry.id(), "its command did not start");
                Observation::FoundBroken
            }
        };
        self.found(seen).await;
    }

    /// What the runtime's word on a sandbox comes to when its command is taken into account; `None`
    /// when the command is to be started first, which this has begun.
    pub(super) fn judge(&mut self, seen: Observation) -> Option<Observation> {
        let Some(start) = &self.start else {
            return Some(seen);
        };
        let is_there = matches!(seen, Observation::FoundRunning | Observation::FoundPaused);
        if self.life.state() != State::Creating || !is_there {
            return Some(seen);
        }
        let written_down = ProcessSelector::Tag(START_TAG.to_owned());
        if self.entry.processes.find(&written_down).is_some() {
            self.start = None;
            return Some(seen);
        }
        if start.begun || seen == Observation::FoundPaused {
            return Some(Observation::FoundBroken);
        }
        self.queue.push_back(Job::Start);
        None
    }

    /// Takes in what is so of the sandbox after a restart.
    pub(super) async fn found(&mut self, seen: Observation) {
        self.note(seen.into()).await;
        self.note(Input::Tick).await;
        if self.life.state() == State::Running {
            self.take_processes_over();
        }
    }
}

async fn spawn(core: &Core, entry: &Entry, command: Command, watch: &Watch) -> Result<()> {
    core.check_open()?;
    let sandbox = entry.sandbox().ok_or_else(|| {
        let message = "the runtime has not said what it has of the sandbox";
        Error::new(ErrorKind::Unavailable, "engine.start", message)
    })?;
    let options = ProcessOptions::default().tag(START_TAG);
    let started = entry.processes.start(&sandbox, command, options, watch);
    started.await.map(|_| ())
}
