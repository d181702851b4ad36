//! This machine.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use sandbox_core::{Error, ErrorKind};

use super::check::Check;
use crate::serve::DataDir;

/// With less than this free, in bytes, a warning is due.
const LITTLE: u64 = 1 << 30;

/// Which control groups there are.
pub(super) fn cgroups(root: &Path) -> Check {
    let controllers = fs::read_to_string(root.join("cgroup.controllers"));
    match controllers {
        Ok(controllers) => Check::ok("cgroups", format!("version 2: {}", controllers.trim())),
        Err(_) if root.join("memory").is_dir() => Check::ok("cgroups", "version 1"),
        Err(_) => Check::warning(
            "cgroups",
            format!("none at {}", root.display()),
            "mount cgroup2 there, where the daemon runs on this machine",
        ),
    }
}

/// The directory of a server: who may read it, whether a server runs on it, what is free.
pub(super) fn data_dir(path: &Path) -> Vec<Check> {
    let found = match fs::metadata(path) {
        Ok(found) if found.is_dir() => found,
        Ok(_) => return vec![failed(path, io::Error::from(io::ErrorKind::NotADirectory))],
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let message = format!("{} is missing; the first start makes it", path.display());
            return vec![Check::ok("data directory", message)];
        }
        Err(error) => return vec![failed(path, error)],
    };
    let shown = path.display().to_string();
    let mut checks = Vec::new();
    let user = rustix::process::geteuid().as_raw();
    if found.permissions().mode() & 0o077 != 0 {
        let fix = format!("chmod 700 {shown}");
        let found = format!("{shown} can be read by others");
        checks.push(Check::warning("data directory", found, fix));
    } else if found.uid() != user && user != 0 {
        let fix = "run as that user";
        let found = format!("{shown} belongs to user {}", found.uid());
        checks.push(Check::warning("data directory", found, fix));
    } else {
        checks.push(Check::ok("data directory", shown));
    }
    checks.push(lock(path));
    checks.push(free(path));
    checks
}

fn failed(path: &Path, error: io::Error) -> Check {
    let message = format!("{} cannot be used", path.display());
    let error = Error::new(ErrorKind::InvalidSpec, "doctor", message).with_source(error);
    let fix = "choose another --data-dir, or mend its permissions";
    Check::failed("data directory", &error, fix)
}

/// Whether a server has the directory. The lock is let go of at once.
fn lock(path: &Path) -> Check {
    let mut name = DataDir::existing(path).database().into_os_string();
    name.push(".lock");
    let held = match File::open(&name) {
        Ok(file) => matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    };
    let found = match held {
        true => "a server runs on the data directory",
        false => "no server runs on the data directory",
    };
    Check::ok("server", found)
}

fn free(path: &Path) -> Check {
    match rustix::fs::statvfs(path) {
        Ok(found) => {
            let bytes = found.f_bavail.saturating_mul(found.f_frsize);
            let gib = bytes as f64 / f64::from(1 << 30);
            let found = format!("{gib:.1} GiB free for the data directory");
            match bytes >= LITTLE {
                true => Check::ok("disk", found),
                false => {
                    Check::warning("disk", found, "make room: a full disk refuses every change")
                }
            }
        }
        Err(errno) => {
            let message = "how much is free cannot be found out";
            let error = Error::new(ErrorKind::Unavailable, "doctor", message)
                .with_source(io::Error::from(errno));
            Check::failed(
                "disk",
                &error,
                "look at the file system of the data directory",
            )
        }
    }
}

/// Whether the address can be listened on.
pub(super) fn port(listen: &str) -> Check {
    match TcpListener::bind(listen) {
        Ok(_) => Check::ok("port", format!("{listen} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Check::warning(
            "port",
            format!("{listen} is taken"),
            "that is as it should be while the server runs; else choose another --listen",
        ),
        Err(error) => {
            let message = format!("{listen} cannot be listened on");
            let error = Error::new(ErrorKind::InvalidSpec, "doctor", message).with_source(error);
            Check::failed(
                "port",
                &error,
                "choose another --listen, such as 127.0.0.1:8080",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[test]
    fn both_kinds_of_control_groups_are_known() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(cgroups(root.path()).status, Status::Warning);
        fs::create_dir(root.path().join("memory")).unwrap();
        assert_eq!(cgroups(root.path()).found, "version 1");
        fs::write(root.path().join("cgroup.controllers"), "cpu memory\n").unwrap();
        assert_eq!(cgroups(root.path()).found, "version 2: cpu memory");
    }

    #[test]
    fn a_directory_that_others_can_read_is_warned_about() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let checks = data_dir(path);
        assert_eq!(checks[0].status, Status::Warning);
        assert!(checks[0].fix.as_deref().unwrap().starts_with("chmod 700"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(data_dir(path)[0].status, Status::Ok);
        let file = path.join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(data_dir(&file)[0].status, Status::Failed);
    }

    #[test]
    fn a_taken_port_is_told_from_no_address() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = held.local_addr().unwrap().to_string();
        assert_eq!(port(&taken).status, Status::Warning);
        assert_eq!(port("nowhere").status, Status::Failed);
    }
}
