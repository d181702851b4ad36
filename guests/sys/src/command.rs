//! Starting programs the way `std::process::Command` does elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::{env, fmt};

use crate::files::{self, permission};
use crate::process::{self, Request, Status};
use crate::{errno, fd, poll, signal, start};

/// Where `PATH` is not set.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Runs scripts that name no interpreter.
const SHELL: &str = "/bin/sh";

/// What a child gets as one of its first three descriptors.
#[derive(Debug, Default)]
pub enum Stdio {
    /// The parent's.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// A pipe whose other end is in [`Child`].
    Piped,
    /// This one.
    Fd(OwnedFd),
}

impl<T: Into<OwnedFd>> From<T> for Stdio {
    fn from(fd: T) -> Self {
        Self::Fd(fd.into())
    }
}

/// A program to start: by default with this process's environment, working directory and first three descriptors.
pub struct Command {
    program: String,
    args: Vec<OsString>,
    env: Option<Vec<(OsString, OsString)>>,
    cwd: Option<String>,
    stdio: [Stdio; 3],
    new_group: bool,
    new_session: bool,
}

impl fmt::Debug for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Command")
            .field("program", &self.program)
            .field("args", &self.args)
            .finish_non_exhaustive()
    }
}

impl Command {
    /// `program` is searched in `PATH` unless it has a `/`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        Self {
            program: program.to_string_lossy().into_owned(),
            args: vec![program.to_owned()],
            env: None,
            cwd: None,
            stdio: Default::default(),
            new_group: false,
            new_session: false,
        }
    }

    /// What the program sees as its own name, instead of `program`.
    pub fn arg0(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.args[0] = name.as_ref().to_owned();
        self
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    fn env_mut(&mut self) -> &mut Vec<(OsString, OsString)> {
        self.env.get_or_insert_with(|| env::vars_os().collect())
    }

    /// Sets a variable of the child.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.env_remove(&name);
        self.env_mut()
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Takes a variable away from the child.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.env_mut().retain(|(known, _)| known != name.as_ref());
        self
    }

    /// Takes all variables away from the child.
    pub fn env_clear(&mut self) -> &mut Self {
        self.env = Some(Vec::new());
        self
    }

    /// The child's working directory, absolute.
    pub fn current_dir(&mut self, dir: impl Into<String>) -> &mut Self {
        self.cwd = Some(dir.into());
        self
    }

    /// The child's descriptor 0.
    pub fn stdin(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.stdio[0] = stdio.into();
        self
    }

    /// The child's descriptor 1.
    pub fn stdout(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.stdio[1] = stdio.into();
        self
    }

    /// The child's descriptor 2.
    pub fn stderr(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
        self.stdio[2] = stdio.into();
        self
    }

    /// A process group of its own.
    pub fn new_group(&mut self, yes: bool) -> &mut Self {
        self.new_group = yes;
        self
    }

    /// A session of its own.
    pub fn new_session(&mut self, yes: bool) -> &mut Self {
        self.new_session = yes;
        self
    }

    /// Calls `run` for each place that the program may be in, until one is not "missing" or "not allowed".
    fn try_each<T>(
        &self,
        fds: &[[u32; 2]],
        run: impl Fn(&Request<'_>) -> io::Result<T>,
    ) -> io::Result<T> {
        let cwd = self.cwd.clone().unwrap_or_else(start::cwd);
        let args = list(self.args.iter().map(OsString::as_os_str))?;
        let env = match &self.env {
            Some(env) => pairs(env)?,
            None => pairs(&env::vars_os().collect::<Vec<_>>())?,
        };
        let path = match &self.env {
            Some(env) => env
                .iter()
                .find(|(name, _)| name == "PATH")
                .map(|(_, value)| value.clone()),
            None => env::var_os("PATH"),
        };
        let program = search(&self.program, path.as_deref().and_then(OsStr::to_str), &cwd)?;
        let request = Request {
            path: &program,
            args: &args,
            env: &env,
            cwd: &cwd,
            fds,
            state: &[],
            new_group: self.new_group,
            new_session: self.new_session,
        };
        match run(&request) {
            // POSIX: a file without a known format is a script of the shell.
            Err(error) if errno::is(&error, errno::NOEXEC) => {
                let mut script = [SHELL.as_bytes(), b"\0", program.as_bytes(), b"\0"].concat();
                let own_name = args
                    .iter()
                    .position(|&byte| byte == 0)
                    .map_or(args.len(), |at| at + 1);
                script.extend_from_slice(&args[own_name..]);
                run(&Request {
                    path: SHELL,
                    args: &script,
                    ..request
                })
            }
            other => other,
        }
    }

    /// Starts the program. Fails with `NOENT` when it is nowhere, else as [`Request::spawn`].
    pub fn spawn(&mut self) -> io::Result<Child> {
        let mut ours: [Option<File>; 3] = Default::default();
        let mut theirs: [Option<OwnedFd>; 3] = Default::default();
        let mut fds = Vec::with_capacity(3);
        for (number, stdio) in self.stdio.iter().enumerate() {
            let target = number as u32;
            let source = match stdio {
                Stdio::Inherit if fd::kind(target).is_err() => continue,
                Stdio::Inherit => target,
                Stdio::Fd(fd) => fd.as_raw_fd().cast_unsigned(),
                Stdio::Null => {
                    let file = File::options()
                        .read(number == 0)
                        .write(number != 0)
                        .open("/dev/null")?;
                    number_of(theirs[number].insert(file.into()))
                }
                Stdio::Piped => {
                    let (read, write) = fd::pipe()?;
                    let (mine, other) = if number == 0 {
                        (write, read)
                    } else {
                        (read, write)
                    };
                    ours[number] = Some(File::from(mine));
                    number_of(theirs[number].insert(other))
                }
            };
            fds.push([target, source]);
        }
        let pid = self.try_each(&fds, |request| request.spawn())?;
        let [stdin, stdout, stderr] = ours;
        Ok(Child {
            pid,
            status: None,
            stdin,
            stdout,
            stderr,
        })
    }

    /// Starts the program and waits for its end.
    pub fn status(&mut self) -> io::Result<Status> {
        self.spawn()?.wait()
    }

    /// Starts the program with piped output and waits for its end and all its output.
    pub fn output(&mut self) -> io::Result<Output> {
        self.stdio[1] = Stdio::Piped;
        self.stdio[2] = Stdio::Piped;
        self.spawn()?.wait_with_output()
    }

    /// Replaces this process; returns only the error. Pipes make no sense here and are refused with `INVAL`.
    pub fn exec(&mut self) -> io::Error {
        let mut fds = Vec::with_capacity(3);
        let mut keep = Vec::new();
        for (number, stdio) in self.stdio.iter().enumerate() {
            let target = number as u32;
            match stdio {
                Stdio::Inherit if fd::kind(target).is_err() => {}
                Stdio::Inherit => fds.push([target, target]),
                Stdio::Fd(fd) => fds.push([target, fd.as_raw_fd().cast_unsigned()]),
                Stdio::Null => match File::options()
                    .read(number == 0)
                    .write(number != 0)
                    .open("/dev/null")
                {
                    Ok(file) => {
                        fds.push([target, file.as_raw_fd().cast_unsigned()]);
                        keep.push(file);
                    }
                    Err(error) => return error,
                },
                Stdio::Piped => return errno::error(errno::INVAL),
            }
        }
        match self.try_each(&fds, |request| Err::<(), _>(request.exec())) {
            Ok(()) => errno::error(errno::INVAL),
            Err(error) => error,
        }
    }
}

fn number_of(fd: &OwnedFd) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// Strings, each ended by NUL. Fails with `INVAL` when one has a NUL inside.
fn list<'a>(strings: impl Iterator<Item = &'a OsStr>) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    for string in strings {
        push(&mut out, string)?;
        out.push(0);
    }
    Ok(out)
}

fn pairs(env: &[(OsString, OsString)]) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    for (name, value) in env {
        push(&mut out, name)?;
        out.push(b'=');
        push(&mut out, value)?;
        out.push(0);
    }
    Ok(out)
}

fn push(out: &mut Vec<u8>, string: &OsStr) -> io::Result<()> {
    let bytes = string.as_encoded_bytes();
    if bytes.contains(&0) {
        return Err(errno::error(errno::INVAL));
    }
    out.extend_from_slice(bytes);
    Ok(())
}

/// The file that `program` means: itself when it has a `/`, else the first in `path` (`None`: a default) that may be
/// executed. Fails with `NOENT`, or with `ACCES` when only files that may not be executed were found.
pub fn search(program: &str, path: Option<&str>, cwd: &str) -> io::Result<String> {
    if program.contains('/') {
        return Ok(program.to_owned());
    }
    let mut failure = errno::NOENT;
    for dir in path.unwrap_or(DEFAULT_PATH).split(':') {
        let file = if dir.is_empty() {
            format!("./{program}")
        } else {
            format!("{dir}/{program}")
        };
        if files::access(cwd, &file, permission::EXECUTE).is_ok() {
            if files::stat(cwd, &file, true).is_ok_and(|stat| stat.is_file()) {
                return Ok(file);
            }
        } else if files::access(cwd, &file, permission::EXISTS).is_ok() {
            failure = errno::ACCES;
        }
    }
    Err(errno::error(failure))
}

/// A started program. Dropping it neither waits for it nor ends it.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    status: Option<Status>,
    /// Its input, when piped.
    pub stdin: Option<File>,
    /// Its output, when piped.
    pub stdout: Option<File>,
    /// Its error output, when piped.
    pub stderr: Option<File>,
}

/// What a program wrote, and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Output {
    /// How it ended.
    pub status: Status,
    /// All its output.
    pub stdout: Vec<u8>,
    /// All its error output.
    pub stderr: Vec<u8>,
}

impl Child {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.pid
    }

    /// Sends it a signal.
    pub fn signal(&self, number: u32) -> io::Result<()> {
        signal::send(self.pid, number)
    }

    /// Ends it.
    pub fn kill(&self) -> io::Result<()> {
        self.signal(9)
    }

    /// Waits for its end, whatever signals are caught meanwhile. Closes its piped input first.
    pub fn wait(&mut self) -> io::Result<Status> {
        self.stdin = None;
        if let Some(status) = self.status {
            return Ok(status);
        }
        let (_, status) = errno::retry(|| process::wait(self.pid))?;
        self.status = Some(status);
        Ok(status)
    }

    /// How it ended; `None` while it runs.
    pub fn try_wait(&mut self) -> io::Result<Option<Status>> {
        if self.status.is_none() {
            self.status = process::try_wait(self.pid)?.map(|(_, status)| status);
        }
        Ok(self.status)
    }

    /// Reads all piped output, both kinds as they come, and waits for its end.
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        self.stdin = None;
        let mut kept = [Vec::new(), Vec::new()];
        let mut open = [self.stdout.take(), self.stderr.take()];
        while open.iter().flatten().count() > 1 {
            let events: Vec<_> = open
                .iter()
                .flatten()
                .map(|file| poll::Event::Readable(file.as_raw_fd().cast_unsigned()))
                .collect();
            for at in errno::retry(|| poll::wait(&events, None))? {
                let Some(file) = &mut open[at] else { continue };
                let mut buf = [0; 8192];
                match errno::retry(|| file.read(&mut buf))? {
                    0 => open[at] = None,
                    count => kept[at].extend_from_slice(&buf[..count]),
                }
            }
        }
        for (at, file) in open.iter_mut().enumerate() {
            if let Some(file) = file {
                file.read_to_end(&mut kept[at])?;
            }
        }
        let status = self.wait()?;
        let [stdout, stderr] = kept;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}
