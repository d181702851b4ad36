//! Commands that come from a descriptor, a line at a time.

use std::cell::RefCell;
use std::rc::Rc;

use sandbox_guest::{errno, fd};

use crate::ast::Bytes;
use crate::fds::OpenFd;
use crate::parse::Lines;

/// What is shown before a line is read: for a new command, and for the rest of one.
pub type Prompts = Rc<RefCell<Option<(Bytes, Bytes)>>>;

/// Lines of a descriptor. Nothing after the line is taken: commands read the same input.
#[derive(Debug)]
pub struct Input {
    source: Rc<OpenFd>,
    seeks: bool,
    prompts: Prompts,
}

impl Input {
    pub fn new(source: Rc<OpenFd>, prompts: Prompts) -> Self {
        let seeks = fd::seek_by(source.number(), 0).is_ok();
        Self {
            source,
            seeks,
            prompts,
        }
    }

    /// Reads a block, and sets the position behind its first line; whether the line is complete.
    fn block(&self, out: &mut Bytes) -> Option<bool> {
        let mut buf = [0; 1024];
        let len = if self.seeks { buf.len() } else { 1 };
        let count = errno::retry(|| fd::read(self.source.number(), &mut buf[..len]))
            .ok()
            .filter(|&count| count > 0)?;
        let line = buf[..count]
            .iter()
            .position(|&byte| byte == b'\n')
            .map(|at| at + 1);
        let taken = line.unwrap_or(count);
        if taken < count {
            fd::seek_by(self.source.number(), taken as i64 - count as i64).ok()?;
        }
        out.extend_from_slice(&buf[..taken]);
        Some(line.is_some())
    }
}

impl Lines for Input {
    fn next_line(&mut self, fresh: bool, out: &mut Bytes) -> bool {
        if let Some((first, more)) = &*self.prompts.borrow() {
            let _ = fd::write_all(2, if fresh { first } else { more });
        }
        let before = out.len();
        loop {
            match self.block(out) {
                Some(false) => {}
                Some(true) => return true,
                None => return out.len() > before,
            }
        }
    }
}
