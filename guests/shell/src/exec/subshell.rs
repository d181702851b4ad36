//! Subshells: within this process where nobody can tell the difference, else as another `/bin/sh` that is handed the
//! shell's state.

use std::io;
use std::rc::Rc;

use sandbox_guest::process::Request;

use super::contained;
use super::launch::{Drains, inheritance, numbers_in_subshell};
use crate::ast::List;
use crate::fds::Fds;
use crate::flow::{Flow, Run};
use crate::shell::{Shell, describe};
use crate::state::{Body, StateRef};

impl Shell {
    /// `( list )`
    pub(super) fn run_subshell(&mut self, list: &Rc<List>) -> Run {
        if contained::list(list, &self.functions) {
            return Ok(self.within(|shell| shell.run_list(list, false)));
        }
        let mut drains = Drains::default();
        let pid = match self.spawn_subshell(Body::List(list), &mut drains) {
            Ok(pid) => pid,
            Err(error) => return self.cannot_fork(&error),
        };
        let drained = drains.finish();
        let status = self.wait_for(pid);
        match drained {
            Ok(()) => Ok(status),
            Err(error) => self.fail(&format!(
                "cannot read from a subshell: {}",
                describe(&error)
            )),
        }
    }

    pub(super) fn cannot_fork<T>(&self, error: &io::Error) -> Run<T> {
        self.fail(&format!("Cannot fork: {}", describe(error)))
    }

    /// Runs something as a subshell would, in this process: what it changes of the shell is undone.
    pub(super) fn within(&mut self, run: impl FnOnce(&mut Self) -> Run) -> i32 {
        let saved = self.save();
        self.subshells += 1;
        self.loops = 0;
        self.traps = self.traps.inherited();
        let result = run(self);
        let status = match result {
            Ok(status) | Err(Flow::Exit(status) | Flow::Error(status) | Flow::Return(status)) => {
                status
            }
            Err(Flow::Break(_) | Flow::Continue(_)) => 0,
        };
        self.subshells -= 1;
        self.restore(saved);
        status
    }

    fn save(&self) -> Saved {
        Saved {
            vars: Rc::clone(&self.vars),
            functions: Rc::clone(&self.functions),
            args: Rc::clone(&self.args),
            options: self.options,
            cwd: Rc::clone(&self.cwd),
            fds: self.fds.clone(),
            traps: self.traps.clone(),
            last_background: self.last_background,
            numbers: [self.line, self.tested, self.loops, self.returns],
            option_offset: self.option_offset,
            frames: self.frames.clone(),
            keep_fds: self.keep_fds,
        }
    }

    fn restore(&mut self, saved: Saved) {
        self.vars = saved.vars;
        self.functions = saved.functions;
        self.args = saved.args;
        self.options = saved.options;
        self.cwd = saved.cwd;
        self.fds = saved.fds;
        self.traps = saved.traps;
        self.last_background = saved.last_background;
        [self.line, self.tested, self.loops, self.returns] = saved.numbers;
        self.option_offset = saved.option_offset;
        self.frames = saved.frames;
        self.keep_fds = saved.keep_fds;
    }

    /// Starts a shell that runs `body` with all that this one knows.
    pub(super) fn spawn_subshell(
        &mut self,
        body: Body<'_>,
        drains: &mut Drains,
    ) -> io::Result<i32> {
        self.first_pid();
        let fds = inheritance(&self.fds, drains, true)?;
        let numbers = numbers_in_subshell(&self.fds);
        let state = StateRef::of(self, &numbers, body).encode();
        let env = self.vars.environment();
        let args = [self.name.as_slice(), b"\0"].concat();
        let request = Request {
            path: "/bin/sh",
            args: &args,
            env: &env,
            cwd: &self.cwd,
            fds: &fds,
            state: &state,
            ..Request::default()
        };
        request.spawn()
    }
}

/// What a subshell may change.
struct Saved {
    vars: Rc<crate::vars::Vars>,
    functions: Rc<std::collections::BTreeMap<crate::ast::Bytes, Rc<crate::ast::Function>>>,
    args: Rc<Vec<crate::ast::Bytes>>,
    options: crate::options::Options,
    cwd: Rc<str>,
    fds: Fds,
    traps: crate::traps::Traps,
    last_background: Option<i32>,
    numbers: [u32; 4],
    option_offset: usize,
    frames: Vec<crate::shell::Frame>,
    keep_fds: bool,
}
