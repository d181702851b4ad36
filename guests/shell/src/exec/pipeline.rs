//! Pipelines.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sandbox_guest::fd;

use super::contained;
use super::launch::Drains;
use super::simple::Found;
use crate::ast::{Bytes, Command, Simple};
use crate::fds::{self, Fds, OpenFd, Target};
use crate::flow::{Flow, Run};
use crate::shell::{Shell, describe};
use crate::state::Body;
use crate::vars::Value;

/// One command of a pipeline, once started.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    Running(i32),
    /// It ran in this process.
    Done(i32),
}

/// What the commands of a pipeline are connected with.
struct Plumbing {
    /// What the next command reads.
    input: Option<Rc<OpenFd>>,
    /// The descriptors around the pipeline.
    around: Fds,
}

impl Shell {
    pub(super) fn run_piped(&mut self, commands: &[Command]) -> Run {
        let mut drains = Drains::default();
        let stages = self.start_stages(commands, false, &mut drains)?;
        let drained = drains.finish();
        let statuses: Vec<i32> = stages
            .into_iter()
            .map(|stage| self.stage_status(stage))
            .collect();
        if let Err(error) = drained {
            return self.fail(&format!(
                "cannot read from a pipeline: {}",
                describe(&error)
            ));
        }
        if self.bash {
            let items: BTreeMap<i64, Bytes> = statuses
                .iter()
                .enumerate()
                .map(|(at, status)| (at as i64, status.to_string().into_bytes()))
                .collect();
            self.writable(b"PIPESTATUS")?.value = Some(Value::Array(items));
        }
        let last = statuses.last().copied().unwrap_or(0);
        if self.options.pipefail() {
            return Ok(statuses
                .iter()
                .rev()
                .copied()
                .find(|&status| status != 0)
                .unwrap_or(0));
        }
        Ok(last)
    }

    fn stage_status(&mut self, stage: Stage) -> i32 {
        match stage {
            Stage::Running(pid) => self.wait_for(pid),
            Stage::Done(status) => status,
        }
    }

    /// Starts all commands. In the background none runs in this process that could wait.
    pub(super) fn start_stages(
        &mut self,
        commands: &[Command],
        background: bool,
        drains: &mut Drains,
    ) -> Run<Vec<Stage>> {
        let mut plumbing = Plumbing {
            input: None,
            around: self.fds.clone(),
        };
        let mut stages = Vec::with_capacity(commands.len());
        for (number, command) in commands.iter().enumerate() {
            let last = number + 1 == commands.len();
            let result = self.start_stage(command, last, background, &mut plumbing, drains);
            self.fds = plumbing.around.clone();
            match result {
                Ok(stage) => stages.push(stage),
                Err(flow) => {
                    // What has been started sees its pipes close, and ends.
                    plumbing.input = None;
                    for stage in stages {
                        self.stage_status(stage);
                    }
                    return Err(flow);
                }
            }
        }
        Ok(stages)
    }

    fn start_stage(
        &mut self,
        command: &Command,
        last: bool,
        background: bool,
        plumbing: &mut Plumbing,
        drains: &mut Drains,
    ) -> Run<Stage> {
        if let Some(input) = plumbing.input.take() {
            self.fds.set(0, Target::Fd(input));
        }
        if last {
            let here = !background
                && !self.fds.captures_beside_output()
                && contained::command(command, &self.functions);
            // A program alone is started like the others.
            if here && !self.is_external(command) {
                return Ok(Stage::Done(
                    self.within(|shell| shell.run_command(command, false)),
                ));
            }
            return self.spawn_stage(command, drains);
        }
        if contained::quick(command, &self.functions) {
            return self.run_quick(command, plumbing);
        }
        let (read, write) = match fd::pipe_numbers() {
            Ok((read, write)) => (OpenFd::new(read), OpenFd::new(write)),
            Err(error) => return self.fail(&format!("cannot make a pipe: {}", describe(&error))),
        };
        plumbing.input = Some(read);
        self.fds.set(1, Target::Fd(write));
        self.spawn_stage(command, drains)
    }

    /// Runs a command that only writes, and lets the next one read what it wrote.
    fn run_quick(&mut self, command: &Command, plumbing: &mut Plumbing) -> Run<Stage> {
        let out = Rc::new(RefCell::new(Bytes::new()));
        let status = self.within(|shell| {
            shell.fds.set(1, Target::Capture(Rc::clone(&out)));
            shell.run_command(command, false)
        });
        match fds::holding(&self.cwd, &out.take()) {
            Ok(open) => {
                plumbing.input = Some(open);
                Ok(Stage::Done(status))
            }
            Err(error) => self.fail(&format!("cannot make a pipe: {}", describe(&error))),
        }
    }

    fn is_external(&self, command: &Command) -> bool {
        self.external_words(command).is_some()
    }

    /// The simple command, if it is certainly a program.
    fn external_words<'a>(&self, command: &'a Command) -> Option<&'a Simple> {
        let Command::Simple(simple) = command else {
            return None;
        };
        let name = simple.words.first()?.constant()?;
        matches!(self.find(&name), Found::External).then_some(simple)
    }

    /// A `sleep` that is not a function. As a process of its own it is the program rather than a
    /// subshell: whoever looks for it to end it does so by its name and its time.
    fn sleeping<'a>(&self, command: &'a Command) -> Option<&'a Simple> {
        let Command::Simple(simple) = command else {
            return None;
        };
        let name = simple.words.first()?.constant()?;
        let is_it = &name[..] == b"sleep" && matches!(self.find(&name), Found::Regular(_));
        (is_it && self.locate(&name).is_ok()).then_some(simple)
    }

    /// Starts a command as a process of its own: the program itself if it is one, else a subshell.
    pub(super) fn spawn_stage(&mut self, command: &Command, drains: &mut Drains) -> Run<Stage> {
        let program = self.external_words(command);
        if let Some(simple) = program.or_else(|| self.sleeping(command)) {
            return self.spawn_program(simple, drains);
        }
        match self.spawn_subshell(Body::Command(command), drains) {
            Ok(pid) => Ok(Stage::Running(pid)),
            Err(error) => self.cannot_fork(&error),
        }
    }

    fn spawn_program(&mut self, simple: &Simple, drains: &mut Drains) -> Run<Stage> {
        let mut pid = None;
        self.line = simple.line;
        // What the words' expansions change is the command's own affair.
        let status = self.within(|shell| {
            let words = shell.expand_words(&simple.words)?;
            shell.with_assigned(simple, &words, |shell| {
                let started = shell
                    .locate(&words[0])
                    .and_then(|path| shell.launch(&path, &words, drains));
                match started {
                    Ok(started) => {
                        pid = Some(started);
                        Ok(0)
                    }
                    Err(error) => Err(Flow::Exit(shell.not_run(&words[0], &error))),
                }
            })
        });
        Ok(pid.map_or(Stage::Done(status), Stage::Running))
    }
}
