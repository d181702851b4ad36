//! What a command of the host means in its sandbox: its environment, its program, why not.

use std::collections::BTreeMap;

use sandbox_core::{Error, ErrorKind};

use super::errno::Errno;
use super::execute::absolute;
use super::machine::Machine;

/// The search path of a command whose environment has none.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Machine {
    /// The sandbox's variables with the command's over them, and the search path among them.
    pub(super) fn environment(&self, over: &BTreeMap<String, String>) -> (Vec<String>, String) {
        let own = self.env.iter().filter(|(name, _)| !over.contains_key(name));
        let own = own.map(|(name, value)| (name, value));
        let mut env: Vec<String> = own.chain(over).map(|(n, v)| format!("{n}={v}")).collect();
        let path = env
            .iter()
            .find_map(|variable| variable.strip_prefix("PATH="));
        let path = path.unwrap_or(DEFAULT_PATH).to_owned();
        if !env.iter().any(|variable| variable.starts_with("PATH=")) {
            env.push(format!("PATH={path}"));
        }
        (env, path)
    }

    /// The file that `name` means: itself when it has a `/`, else the first of this name in
    /// `path` that may be executed.
    pub(super) fn search(&self, name: &str, cwd: &str, path: &str) -> super::Result<String> {
        if name.contains('/') {
            self.check_executable(&absolute(cwd, name))?;
            return Ok(name.into());
        }
        let mut worst = Errno::NOENT;
        for dir in path.split(':') {
            // An empty entry is the working directory.
            let file = match dir {
                "" => name.to_owned(),
                dir => format!("{}/{name}", dir.trim_end_matches('/')),
            };
            match self.check_executable(&absolute(cwd, &file)) {
                Ok(_) => return Ok(file),
                Err(Errno::ACCES) => worst = Errno::ACCES,
                Err(_) => {}
            }
        }
        Err(worst)
    }
}

/// A refusal as the host hears of it.
pub(super) fn refused(errno: Errno, field: &'static str) -> Error {
    let (kind, message) = match errno {
        Errno::NOENT => (ErrorKind::NotFound, "does not exist"),
        Errno::NOTDIR if field == "cwd" => (ErrorKind::NotFound, "is not a directory"),
        Errno::NOTDIR => (
            ErrorKind::NotFound,
            "something on the way is not a directory",
        ),
        Errno::LOOP => (
            ErrorKind::NotFound,
            "leads through too many links or scripts",
        ),
        Errno::ACCES => (
            ErrorKind::PermissionDenied,
            "is not a file that may be executed",
        ),
        Errno::NOEXEC => {
            let message = "is neither a program of the image, nor a Wasm module or component that \
                           can run here, nor a script";
            (ErrorKind::InvalidSpec, message)
        }
        Errno::TOOBIG => (
            ErrorKind::LimitExceeded,
            "has arguments or variables past the limit",
        ),
        Errno::NOMEM => (
            ErrorKind::LimitExceeded,
            "needs more memory than the sandbox has",
        ),
        Errno::AGAIN => (ErrorKind::LimitExceeded, "there may be no more processes"),
        Errno::NFILE | Errno::MFILE => (ErrorKind::LimitExceeded, "too many files are open"),
        _ => (ErrorKind::InvalidSpec, "cannot be run"),
    };
    Error::new(kind, "wasm.spawn", message).with_field(field)
}
