//! Functions.

use std::rc::Rc;

use crate::ast::{Bytes, Function};
use crate::flow::{Flow, Run};
use crate::shell::{Frame, Shell};

impl Shell {
    /// Runs `function` with the arguments after the first of `words`.
    pub fn run_function(&mut self, function: &Rc<Function>, words: &[Bytes]) -> Run {
        let args = std::mem::replace(&mut self.args, Rc::new(words[1..].to_vec()));
        let loops = std::mem::take(&mut self.loops);
        self.frames.push(Frame::new());
        self.returns += 1;
        let result = self.run_command(&function.body, false);
        self.returns -= 1;
        if let Some(frame) = self.frames.pop() {
            self.uncover(frame);
        }
        self.loops = loops;
        self.args = args;
        match result {
            Err(Flow::Return(status)) => Ok(status),
            other => other,
        }
    }

    /// Hides the variable until the present function ends; false outside of functions.
    pub fn localise(&mut self, name: &[u8]) -> bool {
        let Some(frame) = self.frames.last_mut() else {
            return false;
        };
        if !frame.iter().any(|(known, _)| known == name) {
            frame.push((name.to_vec(), self.vars.get(name).cloned()));
        }
        true
    }
}
