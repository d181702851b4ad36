//! Commands in the background.

use super::launch::Drains;
use super::pipeline::Stage;
use crate::ast::{Item, List};
use crate::fds::{OpenFd, Target};
use crate::flow::Run;
use crate::shell::Shell;
use crate::state::Body;

impl Shell {
    /// Starts `item` and goes on.
    pub(super) fn run_background(&mut self, item: &Item, text: &[u8]) -> Run {
        let saved = self.fds.clone();
        // Without job control, commands in the background read nothing.
        if !self.options.interactive()
            && let Ok(null) = sandbox_guest::fd::open("/", "/dev/null", read_only())
        {
            self.fds.set(0, Target::Fd(OpenFd::new(null)));
        }
        let result = self.start_background(item);
        self.fds = saved;
        let pids = result?;
        self.last_background = pids.last().copied();
        self.jobs.reap();
        self.jobs.add(pids, text.to_vec());
        self.status = 0;
        Ok(0)
    }

    fn start_background(&mut self, item: &Item) -> Run<Vec<i32>> {
        let mut drains = Drains::default();
        let simple = item.rest.is_empty() && !item.first.negated && !item.first.timed;
        if simple && item.first.commands.len() > 1 {
            let stages = self.start_stages(&item.first.commands, true, &mut drains)?;
            let pids: Vec<i32> = stages.iter().filter_map(|stage| pid(*stage)).collect();
            if stages.last().copied().and_then(pid).is_some() {
                return Ok(pids);
            }
            // The last command could not be started: `$!` is a shell that says so again by its status.
        } else if let ([command], true) = (item.first.commands.as_slice(), simple) {
            if let Stage::Running(pid) = self.spawn_stage(command, &mut drains)? {
                return Ok(vec![pid]);
            }
            return self.spawn_status();
        }
        if simple {
            return self.spawn_status();
        }
        let list = List(vec![Item {
            background: None,
            ..item.clone()
        }]);
        match self.spawn_subshell(Body::List(&list), &mut drains) {
            Ok(pid) => Ok(vec![pid]),
            Err(error) => self.cannot_fork(&error),
        }
    }

    /// A process that ends with 127: what became of a command that could not be started.
    fn spawn_status(&mut self) -> Run<Vec<i32>> {
        let aliases = std::rc::Rc::clone(&self.aliases);
        let parsed =
            crate::parse::Parser::new(b"exit 127".to_vec(), self.line, aliases).all_commands();
        let list = self.parsed(parsed)?;
        match self.spawn_subshell(Body::List(&list), &mut Drains::default()) {
            Ok(pid) => Ok(vec![pid]),
            Err(error) => self.cannot_fork(&error),
        }
    }
}

fn pid(stage: Stage) -> Option<i32> {
    match stage {
        Stage::Running(pid) => Some(pid),
        Stage::Done(_) => None,
    }
}

fn read_only() -> sandbox_guest::fd::Mode {
    sandbox_guest::fd::Mode {
        read: true,
        ..Default::default()
    }
}
