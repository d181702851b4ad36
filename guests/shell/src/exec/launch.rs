//! Starting other processes, and what their output goes to.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use sandbox_guest::process::{self, Request, Status};
use sandbox_guest::{errno, fd, poll};

use crate::ast::Bytes;
use crate::fds::{Fds, OpenFd, Target};
use crate::shell::Shell;
use crate::text;

/// Pipes through which other processes write what this one captures.
#[derive(Debug, Default)]
pub(super) struct Drains(Vec<Drain>);

#[derive(Debug)]
struct Drain {
    read: Rc<OpenFd>,
    write: Option<Rc<OpenFd>>,
    out: Rc<RefCell<Bytes>>,
}

impl Drains {
    /// The writing end for `out`.
    fn writer(&mut self, out: &Rc<RefCell<Bytes>>) -> io::Result<u32> {
        if let Some(drain) = self.0.iter().find(|drain| Rc::ptr_eq(&drain.out, out))
            && let Some(write) = &drain.write
        {
            return Ok(write.number());
        }
        let (read, write) = fd::pipe_numbers()?;
        let (read, write) = (OpenFd::new(read), OpenFd::new(write));
        let number = write.number();
        self.0.push(Drain {
            read,
            write: Some(write),
            out: Rc::clone(out),
        });
        Ok(number)
    }

    /// Reads until every writer has gone.
    pub(super) fn finish(mut self) -> io::Result<()> {
        for drain in &mut self.0 {
            drain.write = None;
        }
        let mut buf = vec![0; if self.0.is_empty() { 0 } else { 16 * 1024 }];
        while !self.0.is_empty() {
            let ready = match self.0.as_slice() {
                [_] => vec![0],
                many => {
                    let events: Vec<_> = many
                        .iter()
                        .map(|drain| poll::Event::Readable(drain.read.number()))
                        .collect();
                    errno::retry(|| poll::wait(&events, None))?
                }
            };
            let mut ended = Vec::new();
            for at in ready {
                let drain = &self.0[at];
                match errno::retry(|| fd::read(drain.read.number(), &mut buf))? {
                    0 => ended.push(at),
                    count => drain.out.borrow_mut().extend_from_slice(&buf[..count]),
                }
            }
            for at in ended.into_iter().rev() {
                self.0.remove(at);
            }
        }
        Ok(())
    }
}

/// The kernel's root directory.
const ROOT: u32 = 3;

/// Number 3 is the kernel's root directory in every process: a subshell gets such a descriptor elsewhere, and is told
/// where; other programs cannot have it.
fn number_in_subshell(number: u32) -> u32 {
    const ELSEWHERE: u32 = 63;
    if number == ROOT { ELSEWHERE } else { number }
}

/// The descriptors of a child: its number, the kernel's number here.
pub(super) fn inheritance(
    fds: &Fds,
    drains: &mut Drains,
    subshell: bool,
) -> io::Result<Vec<[u32; 2]>> {
    let mut all = Vec::new();
    for (number, target) in fds.iter() {
        if *number == ROOT && !subshell {
            continue;
        }
        let here = match target {
            Target::Fd(open) => open.number(),
            Target::Capture(out) => drains.writer(out)?,
        };
        all.push([number_in_subshell(*number), here]);
    }
    Ok(all)
}

/// As a subshell finds its descriptors: number of scripts, number of the kernel.
pub(super) fn numbers_in_subshell(fds: &Fds) -> Vec<(u32, u32)> {
    fds.iter()
        .map(|&(number, _)| (number, number_in_subshell(number)))
        .collect()
}

impl Shell {
    /// Starts the program at `path`.
    pub(super) fn launch(
        &mut self,
        path: &str,
        words: &[Bytes],
        drains: &mut Drains,
    ) -> io::Result<i32> {
        let fds = inheritance(&self.fds, drains, false)?;
        self.request(path, words, &fds, |request| request.spawn())
    }

    /// Replaces this process with the program at `path`; returns only the error.
    pub fn replace(&mut self, path: &str, words: &[Bytes]) -> io::Error {
        let mut drains = Drains::default();
        let result = inheritance(&self.fds, &mut drains, false).and_then(|fds| {
            self.request(path, words, &fds, |request| Err::<(), _>(request.exec()))
        });
        result.err().unwrap_or_else(|| errno::error(errno::INVAL))
    }

    fn request<T>(
        &self,
        path: &str,
        words: &[Bytes],
        fds: &[[u32; 2]],
        run: impl Fn(&Request<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let env = self.vars.environment();
        let args = list(words);
        let request = Request {
            path,
            args: &args,
            env: &env,
            cwd: &self.cwd,
            fds,
            ..Request::default()
        };
        match run(&request) {
            // A file without a known format is a script for a shell.
            Err(error) if errno::is(&error, errno::NOEXEC) && is_text(&self.cwd, path) => {
                let mut script = vec![b"sh".to_vec(), path.as_bytes().to_vec()];
                script.extend_from_slice(&words[1..]);
                run(&Request {
                    path: "/bin/sh",
                    args: &list(&script),
                    ..request
                })
            }
            other => other,
        }
    }

    /// Waits for the child `pid` to end; its status as `$?`.
    pub(super) fn wait_for(&mut self, pid: i32) -> i32 {
        match errno::retry(|| process::wait(pid)) {
            Ok((_, status)) => {
                self.mention(status);
                status.shell_code()
            }
            Err(_) => crate::flow::NOT_FOUND,
        }
    }

    /// Says which signal ended a command, unless that is plain to see.
    fn mention(&self, status: Status) {
        let what = match status.signal() {
            Some(6) => "Aborted",
            Some(8) => "Floating point exception",
            Some(9) => "Killed",
            Some(11) => "Segmentation fault",
            Some(15) => "Terminated",
            _ => return,
        };
        let _ = self.fds.write(2, format!("{what}\n").as_bytes());
    }
}

fn list(words: &[Bytes]) -> Bytes {
    let mut out = Bytes::new();
    for word in words {
        out.extend_from_slice(word);
        out.push(0);
    }
    out
}

/// Whether a file begins as a script could: no NUL before the first newline.
fn is_text(cwd: &str, path: &str) -> bool {
    let mode = fd::Mode {
        read: true,
        ..fd::Mode::default()
    };
    let Ok(number) = fd::open(cwd, path, mode) else {
        return false;
    };
    let open = OpenFd::new(number);
    let mut start = [0; 256];
    let Ok(count) = fd::read(open.number(), &mut start) else {
        return false;
    };
    let line = start[..count]
        .split(|&byte| byte == b'\n')
        .next()
        .unwrap_or_default();
    !line.contains(&0)
}

impl Shell {
    /// The file that the command `name` means.
    pub fn locate(&self, name: &[u8]) -> io::Result<String> {
        let path = self.vars.get(b"PATH").and_then(|var| var.text());
        let path = path.map(|path| text::lossy(path));
        sandbox_guest::search(&text::lossy(name), path.as_deref(), &self.cwd)
    }
}
