//! What runs without a server leave behind when they are killed, and who removes it.
//!
//! Each run has a namespace of its own on the daemon, and a file that says so, which it holds
//! locked while it lives. The system lets go of the lock when the process dies, however that comes
//! about; the next run finds the file unlocked and removes what its namespace still has.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::{env, io};

use sandbox_core::{Error, ErrorKind, Result};
use sandbox_runtime_docker::{DockerConfig, DockerRuntime};

/// What the names of these namespaces begin with.
const PREFIX: &str = "run_";
/// How many random bytes follow.
const RANDOM: usize = 12;

/// One run without a server.
#[derive(Debug)]
pub(super) struct Run {
    namespace: String,
    host: String,
    /// The file and its lock; nothing where none can be kept, and then nobody cleans up after a
    /// run that is killed.
    record: Option<Record>,
}

#[derive(Debug)]
struct Record {
    path: PathBuf,
    _locked: File,
}

impl Run {
    /// A run on the daemon at `host`.
    ///
    /// # Errors
    /// `Unavailable` without a source of randomness.
    pub(super) fn begin(host: &str) -> Result<Self> {
        let namespace = name()?;
        let record = directory().and_then(|directory| record(&directory, &namespace, host));
        if let Err(error) = &record {
            tracing::debug!(%error, "nobody will clean up after this run when it is killed");
        }
        Ok(Self {
            namespace,
            host: host.to_owned(),
            record: record.ok(),
        })
    }

    /// Its namespace on the daemon.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Ends the run, whose sandboxes are gone, and removes what killed ones left on this daemon.
    /// What cannot be removed stays for the next.
    pub(super) async fn end(self) {
        let Some(record) = self.record else { return };
        let _ = fs::remove_file(&record.path);
        let Some(directory) = record.path.parent() else {
            return;
        };
        for (namespace, left) in abandoned(directory, &self.host) {
            match purge(&namespace, &self.host).await {
                Ok(()) => {
                    let _ = fs::remove_file(&left.path);
                }
                Err(error) => tracing::debug!(%error, namespace, "a killed run is not cleaned up"),
            }
        }
    }
}

async fn purge(namespace: &str, host: &str) -> Result<()> {
    let mut config = DockerConfig::default();
    config.host = Some(host.to_owned());
    config.namespace = namespace.to_owned();
    DockerRuntime::open(config).await?.purge().await
}

fn name() -> Result<String> {
    let mut bytes = [0; RANDOM];
    getrandom::fill(&mut bytes).map_err(|e| {
        let message = "the system's source of randomness does not answer";
        let source = io::Error::other(e.to_string());
        Error::new(ErrorKind::Unavailable, "cli.run", message).with_source(source)
    })?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{PREFIX}{digits}"))
}

/// Whether `name` is a namespace of a run, so that no file makes this remove a server's.
fn is_ours(name: &str) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|digits| {
        digits.len() == 2 * RANDOM && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Where the files are: among the user's state, else among temporary files; the user's alone.
fn directory() -> io::Result<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let uid = rustix::process::getuid().as_raw();
    let directory = match (set("XDG_STATE_HOME"), set("HOME")) {
        (Some(state), _) => Path::new(&state).join("sandbox/runs"),
        (None, Some(home)) => Path::new(&home).join(".local/state/sandbox/runs"),
        (None, None) => env::temp_dir().join(format!("sandbox-runs-{uid}")),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)?;
    let found = fs::symlink_metadata(&directory)?;
    match found.is_dir() && found.uid() == uid && found.mode() & 0o022 == 0 {
        true => Ok(directory),
        false => Err(io::Error::other(
            "somebody else may write where runs are noted",
        )),
    }
}

fn record(directory: &Path, namespace: &str, host: &str) -> io::Result<Record> {
    let path = directory.join(namespace);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    // Locked before it says anything: an empty file is nobody's.
    file.try_lock().map_err(io::Error::from)?;
    file.write_all(host.as_bytes())?;
    Ok(Record {
        path,
        _locked: file,
    })
}

/// The namespaces whose runs on `host` are dead, each with its file, locked.
fn abandoned(directory: &Path, host: &str) -> Vec<(String, Record)> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let left = entries.filter_map(|entry| {
        let namespace = entry.file_name().into_string().ok()?;
        let path = entry.path();
        if !is_ours(&namespace) {
            return None;
        }
        let mut file = File::open(&path).ok()?;
        file.try_lock().ok()?;
        let mut of = String::new();
        file.read_to_string(&mut of).ok()?;
        let record = Record {
            path,
            _locked: file,
        };
        (of == host).then_some((namespace, record))
    });
    left.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dead_runs_of_the_same_daemon_are_abandoned() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let name = || name().unwrap();
        let (dead, elsewhere, alive) = (name(), name(), name());
        drop(record(path, &dead, "unix:///a").unwrap());
        drop(record(path, &elsewhere, "unix:///b").unwrap());
        let _held = record(path, &alive, "unix:///a").unwrap();
        // Nothing here may make the program remove what a server has.
        fs::write(path.join("default"), "unix:///a").unwrap();
        fs::write(path.join("run_default"), "unix:///a").unwrap();
        let found = abandoned(path, "unix:///a");
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [dead.as_str()]);
    }

    #[test]
    fn names_are_namespaces_and_never_a_servers() {
        let name = name().unwrap();
        assert!(is_ours(&name));
        let mut config = DockerConfig::default();
        assert!(!is_ours(&config.namespace));
        config.namespace = name;
        config.validate().unwrap();
    }
}
