//! Redirections.

use std::io;

use sandbox_guest::{errno, fd, files};

use crate::ast::{Redirect, RedirectKind, Word};
use crate::fds::{self, OpenFd, Target};
use crate::flow::Run;
use crate::shell::{Shell, describe};
use crate::text;

impl Shell {
    /// Carries redirections out in the shell's own table. On failure some may have been: the caller restores the table.
    pub(super) fn redirect(&mut self, redirects: &[Redirect]) -> Run<()> {
        for redirect in redirects {
            self.redirect_one(redirect)?;
        }
        Ok(())
    }

    fn redirect_one(&mut self, redirect: &Redirect) -> Run<()> {
        let default = match redirect.kind {
            RedirectKind::Read
            | RedirectKind::ReadWrite
            | RedirectKind::DupRead
            | RedirectKind::Here(_)
            | RedirectKind::HereString => 0,
            _ => 1,
        };
        let number = redirect.fd.unwrap_or(default);
        let read = fd::Mode {
            read: true,
            ..fd::Mode::default()
        };
        let write = fd::Mode {
            write: true,
            create: true,
            truncate: true,
            ..fd::Mode::default()
        };
        let append = fd::Mode {
            truncate: false,
            append: true,
            ..write
        };
        match &redirect.kind {
            RedirectKind::Here(word) => {
                let text = self.expand_text(&word.borrow())?;
                self.put_text(number, &text)
            }
            RedirectKind::HereString => {
                let mut text = self.expand_text(&redirect.target)?;
                text.push(b'\n');
                self.put_text(number, &text)
            }
            RedirectKind::DupRead | RedirectKind::DupWrite => self.duplicate(redirect, number),
            RedirectKind::Read => self.open_as(number, &redirect.target, read),
            RedirectKind::ReadWrite => self.open_as(
                number,
                &redirect.target,
                fd::Mode {
                    truncate: false,
                    read: true,
                    ..write
                },
            ),
            RedirectKind::Write if self.options.noclobber() => {
                self.open_new(number, &redirect.target, write)
            }
            RedirectKind::Write | RedirectKind::Clobber => {
                self.open_as(number, &redirect.target, write)
            }
            RedirectKind::Append => self.open_as(number, &redirect.target, append),
            RedirectKind::Both | RedirectKind::BothAppend => {
                let mode = if redirect.kind == RedirectKind::Both {
                    write
                } else {
                    append
                };
                self.open_as(1, &redirect.target, mode)?;
                self.copy_fd(1, 2)
            }
        }
    }

    fn put_text(&mut self, number: u32, text: &[u8]) -> Run<()> {
        match fds::holding(&self.cwd, text) {
            Ok(open) => {
                self.fds.set(number, Target::Fd(open));
                Ok(())
            }
            Err(error) => self.fail(&format!(
                "cannot make a here-document: {}",
                describe(&error)
            )),
        }
    }

    fn target(&mut self, word: &Word) -> Run<String> {
        // Bash alone expands names here, and complains when there are many.
        let text = self.expand_text(word)?;
        Ok(text::lossy(&text).into_owned())
    }

    fn open_as(&mut self, number: u32, word: &Word, mode: fd::Mode) -> Run<()> {
        let path = self.target(word)?;
        match self.open_path(&path, mode) {
            Ok(target) => {
                self.fds.set(number, target);
                Ok(())
            }
            Err(error) => {
                let verb = if mode.create { "create" } else { "open" };
                self.fail(&format!("cannot {verb} {path}: {}", describe(&error)))
            }
        }
    }

    /// Opens under `-C`: regular files are not overwritten.
    fn open_new(&mut self, number: u32, word: &Word, mode: fd::Mode) -> Run<()> {
        let path = self.target(word)?;
        let opened = match files::stat(&self.cwd, &path, true) {
            Ok(stat) if stat.is_file() => Err(errno::error(errno::EXIST)),
            Ok(_) => self.open_path(&path, mode),
            Err(_) => self.open_path(
                &path,
                fd::Mode {
                    exclusive: true,
                    ..mode
                },
            ),
        };
        match opened {
            Ok(target) => {
                self.fds.set(number, target);
                Ok(())
            }
            Err(error) => self.fail(&format!("cannot create {path}: {}", describe(&error))),
        }
    }

    fn open_path(&self, path: &str, mode: fd::Mode) -> io::Result<Target> {
        // The kernel knows its own numbers; scripts mean the shell's.
        let own = match path {
            "/dev/stdin" => Some(0),
            "/dev/stdout" => Some(1),
            "/dev/stderr" => Some(2),
            _ => path
                .strip_prefix("/dev/fd/")
                .and_then(|number| number.parse().ok()),
        };
        if let Some(number) = own {
            return self
                .fds
                .get(number)
                .cloned()
                .ok_or_else(|| errno::error(errno::NOENT));
        }
        fd::open(&self.cwd, path, mode).map(|number| Target::Fd(OpenFd::new(number)))
    }

    fn duplicate(&mut self, redirect: &Redirect, number: u32) -> Run<()> {
        let text = self.target(&redirect.target)?;
        if text == "-" {
            self.fds.close(number);
            return Ok(());
        }
        let (source, moves) = match text.strip_suffix('-') {
            Some(source) => (source, true),
            None => (text.as_str(), false),
        };
        match source.parse::<u32>() {
            Ok(source) => {
                self.copy_fd(source, number)?;
                if moves && source != number {
                    self.fds.close(source);
                }
                Ok(())
            }
            // `>&file` is `&>file`.
            Err(_)
                if redirect.kind == RedirectKind::DupWrite
                    && redirect.fd.is_none()
                    && self.bash =>
            {
                let mode = fd::Mode {
                    write: true,
                    create: true,
                    truncate: true,
                    ..fd::Mode::default()
                };
                self.open_as(1, &redirect.target, mode)?;
                self.copy_fd(1, 2)
            }
            Err(_) => self.fail(&format!("{text}: Bad fd number")),
        }
    }

    fn copy_fd(&mut self, from: u32, to: u32) -> Run<()> {
        match self.fds.get(from).cloned() {
            Some(target) => {
                self.fds.set(to, target);
                Ok(())
            }
            None => self.fail(&format!("{from}: Bad file descriptor")),
        }
    }
}
