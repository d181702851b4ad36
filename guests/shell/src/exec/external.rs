//! Commands that are programs.

use std::io;

use sandbox_guest::{errno, files};

use super::launch::Drains;
use crate::ast::Bytes;
use crate::flow::{Flow, NOT_EXECUTABLE, NOT_FOUND, Run};
use crate::shell::{Shell, describe};
use crate::text;

/// Programs of images that are fetched when they are wanted, and those images.
const IMAGES: [(&str, &str); 12] = [
    ("python", "python"),
    ("python3", "python"),
    ("pip", "python"),
    ("pip3", "python"),
    ("node", "node"),
    ("npm", "node"),
    ("qjs", "quickjs"),
    ("ruby", "ruby"),
    ("php", "php"),
    ("lua", "lua"),
    ("sqlite3", "sqlite"),
    ("clang", "clang"),
];

impl Shell {
    pub(super) fn run_external(&mut self, words: &[Bytes], tail: bool) -> Run {
        let path = match self.locate(&words[0]) {
            Ok(path) => path,
            Err(error) => return Ok(self.not_run(&words[0], &error)),
        };
        if tail && self.may_be_replaced() {
            let error = self.replace(&path, words);
            return Ok(self.not_run(&words[0], &error));
        }
        let mut drains = Drains::default();
        let pid = match self.launch(&path, words, &mut drains) {
            Ok(pid) => pid,
            Err(error) => return Ok(self.not_run(&words[0], &error)),
        };
        let drained = drains.finish();
        let status = self.wait_for(pid);
        match drained {
            Ok(()) => Ok(status),
            Err(error) => self.fail(&format!(
                "cannot read from {}: {}",
                text::lossy(&words[0]),
                describe(&error)
            )),
        }
    }

    /// Runs the program that `words` name, whatever functions and builtins are called so.
    pub fn run_program(&mut self, words: &[Bytes]) -> Run {
        self.run_external(words, false)
    }

    /// Whether nothing of this shell is needed after its last command.
    fn may_be_replaced(&self) -> bool {
        self.subshells == 0
            && self.traps.actions.values().all(|action| action.is_empty())
            && !self.options.interactive()
    }

    /// Says why a command could not be run; its status.
    pub fn not_run(&mut self, name: &[u8], error: &io::Error) -> i32 {
        let shown = text::lossy(name);
        // What is there but leads nowhere (a script without its interpreter) was found.
        let exists = name.contains(&b'/') && files::stat(&self.cwd, &shown, true).is_ok();
        if errno::is(error, errno::NOENT) || errno::is(error, errno::NOTDIR) {
            let image = IMAGES
                .iter()
                .find(|(program, _)| program.as_bytes() == name);
            match image {
                Some((_, image)) => {
                    self.complain(&format!("{shown}: not found (images pull {image})"))
                }
                None if exists => self.complain(&format!("{shown}: interpreter not found")),
                None => self.complain(&format!("{shown}: not found")),
            }
            return NOT_FOUND;
        }
        if errno::is(error, errno::AGAIN) {
            self.complain(&format!("{shown}: Cannot fork"));
            return if self.bash { 254 } else { 2 };
        }
        let is_dir = files::stat(&self.cwd, &shown, true).is_ok_and(|stat| stat.is_dir());
        match is_dir {
            true => self.complain(&format!("{shown}: Is a directory")),
            false => self.complain(&format!("{shown}: {}", describe(error))),
        }
        NOT_EXECUTABLE
    }

    /// `exec command`: this process becomes the command, or the shell ends.
    pub fn exec_command(&mut self, words: &[Bytes]) -> Run {
        let error = match self.locate(&words[0]) {
            // A shell within a shell is no process of its own: the command runs, then the inner shell ends.
            Ok(_) if self.subshells > 0 => {
                let status = self.run_external(words, false)?;
                return Err(Flow::Exit(status));
            }
            Ok(path) => self.replace(&path, words),
            Err(error) => error,
        };
        let status = self.not_run(&words[0], &error);
        if self.options.interactive() {
            Ok(status)
        } else {
            Err(Flow::Exit(status))
        }
    }
}
