//! The host's shells.

use std::os::unix::fs::symlink;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Stdio};

use crate::Outcome;

/// What `shell` makes of `text`, in a directory of its own.
pub(crate) fn run(shell: &str, text: &str) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    // `sh` within the script is the same shell, whatever the host's is.
    let bin = tempfile::tempdir().unwrap();
    symlink(format!("/bin/{shell}"), bin.path().join("sh")).unwrap();
    let output = Command::new(format!("/bin/{shell}"))
        .arg0(if shell == "dash" { "sh" } else { shell })
        .args(["-c", text])
        .current_dir(home.path())
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", bin.path().display()))
        .env("HOME", home.path())
        .env("LC_ALL", if shell == "dash" { "C" } else { "C.UTF-8" })
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("these tests need /bin/{shell}: {error}"));
    let status = output.status;
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    (String::from_utf8_lossy(&output.stdout).into_owned(), code)
}
