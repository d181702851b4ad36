//! Traps: what is run when a signal arrives, and at the end.

use std::collections::BTreeMap;

use sandbox_guest::signal::{self, Disposition};

use crate::ast::Bytes;
use crate::flow::{Flow, Run};
use crate::shell::Shell;

/// Trap actions by signal; 0 is the shell's end. An empty action ignores the signal.
#[derive(Clone, Debug, Default)]
pub struct Traps {
    pub actions: BTreeMap<u32, Bytes>,
    /// A signal with an action that is not empty exists: ask the kernel between commands.
    pub active: bool,
}

impl Traps {
    pub fn set(&mut self, signal: u32, action: Option<Bytes>) -> std::io::Result<()> {
        if signal != 0 {
            let disposition = match action.as_deref() {
                None => Disposition::Default,
                Some([]) => Disposition::Ignore,
                Some(_) => Disposition::Catch,
            };
            signal::set(signal, disposition)?;
        }
        match action {
            Some(action) => self.actions.insert(signal, action),
            None => self.actions.remove(&signal),
        };
        self.active = self
            .actions
            .iter()
            .any(|(&signal, action)| signal != 0 && !action.is_empty());
        Ok(())
    }

    /// What a subshell keeps: signals that are ignored.
    pub fn inherited(&self) -> Self {
        let ignored = self
            .actions
            .iter()
            .filter(|(signal, action)| **signal != 0 && action.is_empty());
        Self {
            actions: ignored
                .map(|(signal, action)| (*signal, action.clone()))
                .collect(),
            active: false,
        }
    }
}

impl Shell {
    /// Runs the traps of signals that have arrived.
    pub fn run_traps(&mut self) -> Run<()> {
        if !self.traps.active {
            return Ok(());
        }
        while let Some(signal) = signal::take() {
            let Some(action) = self.traps.actions.get(&signal).cloned() else {
                continue;
            };
            let status = self.status;
            self.run_text(action, self.line)?;
            self.status = status;
        }
        Ok(())
    }

    /// Runs the trap of the shell's end, once; the status that the shell ends with.
    pub fn run_exit_trap(&mut self, status: i32) -> i32 {
        let Some(action) = self.traps.actions.remove(&0) else {
            return status;
        };
        self.status = status;
        self.tested = 0;
        match self.run_text(action, self.line) {
            Err(Flow::Exit(status) | Flow::Error(status)) => status,
            _ => status,
        }
    }
}
