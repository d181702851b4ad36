//! The shell's state.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

use sandbox_guest::{process, system};

use crate::ast::{Assign, Bytes, Function};
use crate::fds::Fds;
use crate::flow::{Flow, Run, USAGE};
use crate::jobs::Jobs;
use crate::options::Options;
use crate::parse::Aliases;
use crate::text;
use crate::traps::Traps;
use crate::vars::{Value, Var, Vars};

/// Variables that a function's `local` hides.
pub type Frame = Vec<(Bytes, Option<Var>)>;

#[derive(Debug)]
pub struct Shell {
    pub vars: Rc<Vars>,
    pub functions: Rc<BTreeMap<Bytes, Rc<Function>>>,
    pub aliases: Aliases,
    pub options: Options,
    /// `$1` and so on.
    pub args: Rc<Vec<Bytes>>,
    /// `$0`
    pub name: Bytes,
    /// Called `bash`: brace expansion, `echo` without escapes, and bash's statuses.
    pub bash: bool,
    /// `$?`
    pub status: i32,
    /// `$!`
    pub last_background: Option<i32>,
    /// `$$`: of the first shell; 0 until it is asked for.
    pub pid: i32,
    pub cwd: Rc<str>,
    pub fds: Fds,
    pub jobs: Jobs,
    pub traps: Traps,
    pub line: u32,
    /// Above 0 where `-e` is ignored.
    pub tested: u32,
    /// Loops around the present command.
    pub loops: u32,
    /// The local variables of each function being run.
    pub frames: Vec<Frame>,
    /// Functions and `.` files being run.
    pub returns: u32,
    /// The status of the last command substitution of the present command.
    pub substituted: Option<i32>,
    /// Where `getopts` stands within an argument.
    pub option_offset: usize,
    pub random: u64,
    /// Nanoseconds since 1970 when the shell began.
    pub started: u64,
    pub nullglob: bool,
    pub dotglob: bool,
    /// Subshells around the present command that run in this process.
    pub subshells: u32,
    /// The present command's redirections stay.
    pub keep_fds: bool,
    /// Assignments among the arguments of the builtin being called.
    pub declared: Vec<Assign>,
}

impl Shell {
    pub fn new(name: Bytes, fds: Fds) -> Self {
        Self {
            vars: Rc::default(),
            functions: Rc::default(),
            aliases: Aliases::default(),
            options: Options::default(),
            args: Rc::default(),
            name,
            bash: false,
            status: 0,
            last_background: None,
            pid: 0,
            cwd: "/".into(),
            fds,
            jobs: Jobs::default(),
            traps: Traps::default(),
            line: 1,
            tested: 0,
            loops: 0,
            frames: Vec::new(),
            returns: 0,
            substituted: None,
            option_offset: 0,
            random: 0,
            started: 0,
            nullglob: false,
            dotglob: false,
            subshells: 0,
            keep_fds: false,
            declared: Vec::new(),
        }
    }

    /// Writes a message of the shell itself.
    pub fn complain(&self, message: &str) {
        let name = text::lossy(&self.name);
        let name = name.rsplit('/').next().unwrap_or("sh");
        let text = if self.bash {
            format!("{name}: line {}: {message}\n", self.line)
        } else {
            format!("{name}: {}: {message}\n", self.line)
        };
        let _ = self.fds.write(2, text.as_bytes());
    }

    /// Complains, and ends a shell without a prompt.
    pub fn fail<T>(&self, message: &str) -> Run<T> {
        self.complain(message);
        Err(Flow::Error(if self.bash { 1 } else { USAGE }))
    }

    /// Complains on behalf of the builtin `name`.
    pub fn refuse(&self, name: &str, message: &str) -> Run {
        self.complain(&format!("{name}: {message}"));
        Ok(1)
    }

    /// Writes the output of the builtin `name`.
    pub fn print(&self, name: &str, bytes: &[u8]) -> Run {
        if bytes.is_empty() {
            return Ok(0);
        }
        match self.fds.write(1, bytes) {
            Ok(()) => Ok(0),
            Err(error) => self.refuse(name, &describe(&error)),
        }
    }

    /// The value of a variable as one text.
    pub fn get(&mut self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        // Known variables first: the special ones can be set like any other.
        if self.vars.get(name).is_some_and(|var| var.value.is_some()) {
            return self
                .vars
                .get(name)
                .and_then(Var::text)
                .map(|text| Cow::Borrowed(text.as_slice()));
        }
        self.special(name).map(Cow::Owned)
    }

    /// Variables whose value is made when it is asked for.
    fn special(&mut self, name: &[u8]) -> Option<Bytes> {
        let number = match name {
            b"LINENO" => i64::from(self.line),
            b"PPID" => i64::from(process::parent_id()),
            b"RANDOM" => i64::from(self.next_random()),
            b"SECONDS" => (crate::clock::now().saturating_sub(self.started) / 1_000_000_000) as i64,
            b"BASHPID" if self.bash => i64::from(process::id()),
            b"UID" | b"EUID" if self.bash => i64::from(system::user().0),
            b"EPOCHSECONDS" if self.bash => (crate::clock::now() / 1_000_000_000) as i64,
            b"HOSTNAME" if self.bash => return system::hostname().ok().map(String::into_bytes),
            b"BASH_VERSION" if self.bash => return Some(b"5.2.0(1)-sandbox".to_vec()),
            _ => return None,
        };
        Some(number.to_string().into_bytes())
    }

    fn next_random(&mut self) -> u16 {
        if self.random == 0 {
            self.random = crate::clock::now() ^ (process::id() as u64) << 32 | 1;
        }
        // xorshift64*: good enough for what `RANDOM` promises.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 49) as u16
    }

    pub fn is_set(&mut self, name: &[u8]) -> bool {
        self.get(name).is_some() || self.vars.get(name).is_some_and(|var| var.value.is_some())
    }

    /// The variable, to be changed; fails when it is readonly.
    pub fn writable(&mut self, name: &[u8]) -> Run<&mut Var> {
        if self.vars.get(name).is_some_and(|var| var.readonly) {
            return self.fail(&format!("{}: is read only", text::lossy(name)));
        }
        if name == b"OPTIND" {
            self.option_offset = 0;
        }
        let allexport = self.options.allexport();
        let var = Rc::make_mut(&mut self.vars).entry(name);
        var.exported |= allexport;
        Ok(var)
    }

    /// Sets a variable (element 0 of an array).
    pub fn set(&mut self, name: &[u8], value: Bytes) -> Run<()> {
        let value = if self.vars.get(name).is_some_and(|var| var.integer) {
            self.arithmetic(&value)?.to_string().into_bytes()
        } else {
            value
        };
        let var = self.writable(name)?;
        match &mut var.value {
            Some(Value::Array(items)) => {
                items.insert(0, value);
            }
            Some(Value::Map(items)) => {
                items.insert(b"0".to_vec(), value);
            }
            other => *other = Some(Value::Text(value)),
        }
        Ok(())
    }

    /// `$$`
    pub fn first_pid(&mut self) -> i32 {
        if self.pid == 0 {
            self.pid = process::id();
        }
        self.pid
    }

    /// `path` from the root.
    pub fn absolute(&self, path: &[u8]) -> String {
        let path = text::lossy(path);
        if path.starts_with('/') {
            return path.into_owned();
        }
        let base = if &*self.cwd == "/" { "" } else { &self.cwd };
        format!("{base}/{path}")
    }
}

/// What an error of the kernel says.
pub fn describe(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}
