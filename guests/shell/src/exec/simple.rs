//! Simple commands.

use std::rc::Rc;

use crate::ast::{Bytes, Function, Simple};
use crate::builtins::{self, Builtin};
use crate::flow::{Flow, Run};
use crate::shell::{Frame, Shell};

/// What a command's name means.
pub enum Found {
    Special(Builtin),
    Function(Rc<Function>),
    Regular(Builtin),
    External,
}

impl Shell {
    /// What `name` means, in the order of POSIX.
    pub fn find(&self, name: &[u8]) -> Found {
        let builtin = builtins::find(name);
        if let Some((true, builtin)) = builtin {
            return Found::Special(builtin);
        }
        if let Some(function) = self.functions.get(name) {
            return Found::Function(Rc::clone(function));
        }
        match builtin {
            Some((_, builtin)) => Found::Regular(builtin),
            None => Found::External,
        }
    }

    pub(super) fn run_simple(&mut self, simple: &Simple, tail: bool) -> Run {
        self.line = simple.line;
        self.substituted = None;
        let saved = self.fds.clone();
        self.keep_fds = false;
        let result = self.simple(simple, tail);
        // `exec` without a command keeps its redirections.
        if !std::mem::take(&mut self.keep_fds) {
            self.fds = saved;
        }
        result
    }

    fn simple(&mut self, simple: &Simple, tail: bool) -> Run {
        let words = self.expand_words(&simple.words)?;
        let Some(name) = words.first() else {
            return self.no_command(simple);
        };
        match self.find(name) {
            Found::Special(builtin) => {
                self.redirect(&simple.redirects)?;
                let exports = name == b"exec";
                self.assign_for_good(&simple.assigns, exports)?;
                self.trace(simple, &words);
                self.call(builtin, simple, &words)
            }
            Found::Function(function) => self.with_assigned(simple, &words, |shell| {
                shell.run_function(&function, &words)
            }),
            Found::Regular(builtin) => {
                self.with_assigned(simple, &words, |shell| shell.call(builtin, simple, &words))
            }
            Found::External => {
                self.with_assigned(simple, &words, |shell| shell.run_external(&words, tail))
            }
        }
    }

    fn no_command(&mut self, simple: &Simple) -> Run {
        if let Err(flow) = self.redirect(&simple.redirects) {
            return self.redirect_failed(flow);
        }
        self.assign_for_good(&simple.assigns, false)?;
        Ok(self.substituted.take().unwrap_or(0))
    }

    fn call(&mut self, builtin: Builtin, simple: &Simple, words: &[Bytes]) -> Run {
        self.declared.clone_from(&simple.declared);
        builtin(self, words)
    }

    /// Runs a command with its redirections, and assignments that end with it.
    pub(super) fn with_assigned(
        &mut self,
        simple: &Simple,
        words: &[Bytes],
        run: impl FnOnce(&mut Self) -> Run,
    ) -> Run {
        if let Err(flow) = self.redirect(&simple.redirects) {
            return self.redirect_failed(flow);
        }
        if simple.assigns.is_empty() {
            self.trace(simple, words);
            return run(self);
        }
        let mut hidden = Frame::new();
        let result = self
            .assign_for_now(&simple.assigns, &mut hidden)
            .and_then(|()| {
                self.trace(simple, words);
                run(self)
            });
        self.uncover(hidden);
        result
    }

    /// Puts back the variables that something has hidden.
    pub fn uncover(&mut self, hidden: Frame) {
        for (name, var) in hidden.into_iter().rev() {
            let vars = Rc::make_mut(&mut self.vars);
            match var {
                Some(var) => vars.0.insert(name, var),
                None => vars.0.remove(&name),
            };
        }
    }

    /// The status of a command whose redirection failed.
    pub(super) fn redirect_failed(&mut self, flow: Flow) -> Run {
        match flow {
            Flow::Error(status) => Ok(status),
            other => Err(other),
        }
    }
}
