//! Command and process substitution.

use std::cell::RefCell;
use std::rc::Rc;

use sandbox_guest::{errno, fd, files};

use super::contained;
use super::launch::Drains;
use crate::ast::{Bytes, Command, List, RedirectKind, Word};
use crate::fds::{OpenFd, Target};
use crate::flow::Run;
use crate::shell::{Shell, describe};
use crate::state::Body;

impl Shell {
    /// The output of `list`, without the newlines at its end.
    pub fn substitute(&mut self, list: &Rc<List>) -> Run<Bytes> {
        let out = Rc::new(RefCell::new(Bytes::new()));
        let status = match file_only(list) {
            Some(word) => self.read_file(word, &out)?,
            None => self.capture(list, &out)?,
        };
        self.status = status;
        self.substituted = Some(status);
        let mut text = out.take();
        text.retain(|&byte| byte != 0);
        while text.last() == Some(&b'\n') {
            text.pop();
        }
        Ok(text)
    }

    fn capture(&mut self, list: &Rc<List>, out: &Rc<RefCell<Bytes>>) -> Run {
        let target = Target::Capture(Rc::clone(out));
        if contained::list(list, &self.functions) {
            return Ok(self.within(|shell| {
                shell.tested = 0;
                if shell.bash {
                    shell.options.set_letter(b'e', false);
                }
                shell.fds.set(1, target);
                shell.run_list(list, false)
            }));
        }
        let saved = self.fds.clone();
        let tested = std::mem::take(&mut self.tested);
        self.fds.set(1, target);
        let mut drains = Drains::default();
        let spawned = self.spawn_subshell(Body::List(list), &mut drains);
        self.fds = saved;
        self.tested = tested;
        let pid = match spawned {
            Ok(pid) => pid,
            Err(error) => return self.cannot_fork(&error),
        };
        let drained = drains.finish();
        let status = self.wait_for(pid);
        match drained {
            Ok(()) => Ok(status),
            Err(error) => self.fail(&format!(
                "cannot read from a command substitution: {}",
                describe(&error)
            )),
        }
    }

    /// `$(<file)`
    fn read_file(&mut self, word: &Word, out: &Rc<RefCell<Bytes>>) -> Run {
        let path = self.expand_text(word)?;
        match files::read(&self.cwd, &crate::text::lossy(&path)) {
            Ok(text) => {
                *out.borrow_mut() = text;
                Ok(0)
            }
            Err(error) => {
                self.complain(&format!(
                    "cannot open {}: {}",
                    crate::text::lossy(&path),
                    describe(&error)
                ));
                Ok(1)
            }
        }
    }

    /// `<(list)`: a path that gives the list's output; `>(list)`: one that is its input. It lasts as long as the command.
    pub fn process_substitution(&mut self, reads: bool, list: &Rc<List>) -> Run<Bytes> {
        let number = (5..63).rev().find(|&number| self.fds.get(number).is_none());
        let Some(number) = number else {
            return self.cannot_fork(&errno::error(errno::MFILE));
        };
        let result = fd::pipe_numbers().and_then(|(read, write)| {
            let (read, write) = (OpenFd::new(read), OpenFd::new(write));
            let (ours, theirs, at) = if reads {
                (read, write, 1)
            } else {
                (write, read, 0)
            };
            let saved = self.fds.clone();
            self.fds.set(at, Target::Fd(theirs));
            let spawned = self.spawn_subshell(Body::List(list), &mut Drains::default());
            self.fds = saved;
            spawned.map(|_| ours)
        });
        match result {
            Ok(ours) => {
                self.fds.set(number, Target::Fd(ours));
                Ok(format!("/dev/fd/{number}").into_bytes())
            }
            Err(error) => self.cannot_fork(&error),
        }
    }
}

/// The file of a list that is nothing but `<file`.
fn file_only(list: &List) -> Option<&Word> {
    let [item] = list.0.as_slice() else {
        return None;
    };
    let [Command::Simple(simple)] = item.first.commands.as_slice() else {
        return None;
    };
    let bare = simple.words.is_empty()
        && simple.assigns.is_empty()
        && item.rest.is_empty()
        && item.background.is_none();
    match simple.redirects.as_slice() {
        [redirect] if bare && redirect.kind == RedirectKind::Read && redirect.fd.is_none() => {
            Some(&redirect.target)
        }
        _ => None,
    }
}
