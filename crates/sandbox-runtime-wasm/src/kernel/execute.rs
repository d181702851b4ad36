//! From a path to code: stubs of an image's programs, Wasm files, scripts.

use std::sync::Arc;

use sandbox_core::{FileKind, MAX_ARGUMENT_BYTES};

use super::account::Charge;
use super::errno::{Errno, Result};
use super::machine::Machine;
use super::process::Image;
use crate::engine::{Executable, Prepared};
use crate::fs::{Contents, OpenOptions, Result as FileResult};
use crate::lock::Lock;

/// The most bytes of a program's arguments, and the most of its environment.
pub(crate) const MAX_LIST_BYTES: usize = 1 << 20;
/// The most bytes of state that a program is handed.
pub(crate) const MAX_STATE_BYTES: usize = 16 << 20;
/// How many scripts may be each other's interpreters.
const MAX_SCRIPTS: usize = 4;
/// How much of a file says what it is; the `#!` line has to fit, as on Linux.
const HEAD_BYTES: usize = 256;
/// What an entry of an argument or environment list takes besides its bytes.
const ENTRY_BYTES: usize = 32;

const STUB: &[u8] = b"\0sandbox-program sha256:";
const WASM: &[u8] = b"\0asm";

/// What is to be executed, and with what.
#[derive(Debug)]
pub(super) struct Execution {
    /// Absolute, or relative to `cwd`.
    pub(super) path: String,
    pub(super) argv: Vec<String>,
    pub(super) env: Vec<String>,
    /// Absolute.
    pub(super) cwd: String,
    pub(super) state: Vec<u8>,
}

/// What a file turned out to be.
#[derive(Debug)]
enum Kind {
    Stub(String),
    Wasm(Contents),
    Script(Vec<String>),
}

impl Machine {
    /// Finds the code that `execution` names and puts together what it is started with.
    ///
    /// # Errors
    /// `NOENT`, `NOTDIR`, `LOOP` for the path or the working directory, `ACCES` for what is not a
    /// file that may be executed, `NOEXEC` for a file that nothing here can run, `TOOBIG` for
    /// arguments, environment or state past the limits, `NOMEM` when the sandbox has no memory for
    /// them or the file is too large, `AGAIN` when too much is being compiled.
    pub(super) async fn prepare(self: &Arc<Self>, execution: Execution) -> Result<Prepared> {
        let Execution {
            mut path,
            mut argv,
            env,
            cwd,
            state,
        } = execution;
        check_sizes(&argv, &env, &state)?;
        self.check_directory(&cwd)?;
        if argv.is_empty() {
            argv.push(path.clone());
        }
        let mut scripts = 0;
        let code = loop {
            match self.classify(&absolute(&cwd, &path))? {
                Kind::Stub(sha256) => break self.program(&sha256).await?,
                Kind::Wasm(wasm) => break self.programs.compile(wasm).await?,
                Kind::Script(interpreter) => {
                    scripts += 1;
                    if scripts > MAX_SCRIPTS {
                        return Err(Errno::LOOP);
                    }
                    argv.splice(0..1, interpreter.iter().cloned().chain([path]));
                    path = interpreter.into_iter().next().ok_or(Errno::NOEXEC)?;
                }
            }
        };
        let image = self.image(argv, env, cwd, state)?;
        Ok(Prepared { code, image })
    }

    async fn program(&self, sha256: &str) -> Result<Arc<Executable>> {
        if let Some(code) = self.programs.ready(sha256) {
            return Ok(code);
        }
        Ok(self.programs.load(sha256).await?)
    }

    pub(super) fn image(
        &self,
        argv: Vec<String>,
        mut env: Vec<String>,
        cwd: String,
        state: Vec<u8>,
    ) -> Result<Image> {
        env.retain(|variable| !variable.starts_with("PWD="));
        env.push(format!("PWD={cwd}"));
        let lists: usize = [&argv, &env].into_iter().map(|list| list_bytes(list)).sum();
        let charge = Charge::take(&self.memory, (lists + state.len()) as u64);
        Ok(Image {
            argv,
            env,
            cwd,
            state: Lock::new((!state.is_empty()).then_some(state)),
            charge: Lock::new(Some(charge.ok_or(Errno::NOMEM)?)),
        })
    }

    /// Refuses a working directory that is none.
    pub(super) fn check_directory(&self, cwd: &str) -> Result<()> {
        match self.files.lock().metadata(cwd, true)?.kind {
            FileKind::Directory => Ok(()),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// Whether a file may be executed, whatever is in it.
    ///
    /// # Errors
    /// Those of `stat(2)`, `ACCES`.
    pub(super) fn check_executable(&self, path: &str) -> Result<u64> {
        let metadata = self.files.lock().metadata(path, true)?;
        let runs = metadata.kind == FileKind::File && metadata.mode & 0o111 != 0;
        if runs {
            Ok(metadata.size)
        } else {
            Err(Errno::ACCES)
        }
    }

    fn classify(&self, path: &str) -> Result<Kind> {
        self.check_executable(path)?;
        let head = self.read_file(path, HEAD_BYTES)?;
        if let Some(stub) = head.strip_prefix(STUB) {
            let sha256 = stub.get(..64).ok_or(Errno::NOEXEC)?;
            let text = std::str::from_utf8(sha256).map_err(|_| Errno::NOEXEC)?;
            return Ok(Kind::Stub(text.into()));
        }
        if head.starts_with(WASM) {
            return Ok(Kind::Wasm(self.files.lock().contents(path)?));
        }
        let line = head.strip_prefix(b"#!").ok_or(Errno::NOEXEC)?;
        interpreter(line, head.len() == HEAD_BYTES).map(Kind::Script)
    }

    /// The first `length` bytes of a file.
    fn read_file(&self, path: &str, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let options = OpenOptions {
            read: true,
            ..OpenOptions::default()
        };
        let by = self.caller(self.user);
        let mut files = self.files.lock();
        let handle = files.open(path, options, by)?;
        let read: FileResult<usize> = files.read_at(handle, 0, &mut bytes);
        files.close(handle)?;
        bytes.truncate(read?);
        Ok(bytes)
    }
}

/// The interpreter of a script and its argument, from what follows `#!`.
fn interpreter(line: &[u8], cut: bool) -> Result<Vec<String>> {
    let end = line.iter().position(|byte| *byte == b'\n');
    if end.is_none() && cut {
        return Err(Errno::NOEXEC);
    }
    let line = std::str::from_utf8(&line[..end.unwrap_or(line.len())]);
    let line = line
        .map_err(|_| Errno::NOEXEC)?
        .trim_matches([' ', '\t', '\r']);
    let (program, argument) = match line.split_once([' ', '\t']) {
        Some((program, argument)) => (program, argument.trim_start_matches([' ', '\t'])),
        None => (line, ""),
    };
    if program.is_empty() || line.contains('\0') {
        return Err(Errno::NOEXEC);
    }
    let words = [program, argument].into_iter();
    Ok(words
        .filter(|word| !word.is_empty())
        .map(Into::into)
        .collect())
}

fn check_sizes(argv: &[String], env: &[String], state: &[u8]) -> Result<()> {
    for list in [argv, env] {
        let bytes: usize = list.iter().map(|entry| entry.len() + 1).sum();
        let long = list.iter().any(|entry| entry.len() > MAX_ARGUMENT_BYTES);
        if bytes > MAX_LIST_BYTES || long {
            return Err(Errno::TOOBIG);
        }
    }
    if state.len() > MAX_STATE_BYTES {
        return Err(Errno::TOOBIG);
    }
    Ok(())
}

fn list_bytes(list: &[String]) -> usize {
    list.iter().map(|entry| entry.len() + ENTRY_BYTES).sum()
}

/// `path` seen from `cwd`, which is absolute.
pub(super) fn absolute(cwd: &str, path: &str) -> String {
    if path.starts_with('/') {
        path.into()
    } else {
        format!("{}/{path}", cwd.trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_script_names_its_interpreter() {
        let words = |line: &str| interpreter(line.as_bytes(), false).unwrap();
        assert_eq!(words("/bin/sh\nrest"), ["/bin/sh"]);
        assert_eq!(
            words(" /usr/bin/env  python3 -u \r\n"),
            ["/usr/bin/env", "python3 -u"]
        );
        assert_eq!(words("/bin/sh"), ["/bin/sh"], "the file may end there");
        for bad in ["\n", "", " \t\n", "/bin/\0sh\n"] {
            assert_eq!(
                interpreter(bad.as_bytes(), false),
                Err(Errno::NOEXEC),
                "{bad:?}"
            );
        }
        assert_eq!(interpreter(b"/bin/sh", true), Err(Errno::NOEXEC), "cut off");
    }

    #[test]
    fn relative_paths_start_at_the_working_directory() {
        assert_eq!(absolute("/", "bin/x"), "/bin/x");
        assert_eq!(absolute("/a", "./x"), "/a/./x");
        assert_eq!(absolute("/a", "/x"), "/x");
    }
}
