//! Modes, owners and times of what is unpacked.

use std::io;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use sandbox_applet::cwd;
use sandbox_guest::files;

/// Sets the permissions of `path`.
pub fn mode(path: &str, mode: u32) -> io::Result<()> {
    files::chmod(&cwd(), path, true, mode & 0o7777)
}

/// Sets the time of `path`, seconds since 1970.
pub fn time(path: &str, seconds: u64) -> io::Result<()> {
    let time = Timespec {
        tv_sec: i64::try_from(seconds).unwrap_or(i64::MAX),
        tv_nsec: 0,
    };
    utimensat(
        CWD,
        path,
        &Timestamps {
            last_access: time,
            last_modification: time,
        },
        AtFlags::empty(),
    )?;
    Ok(())
}

/// Makes a symbolic link.
pub fn symlink(points_to: &str, path: &str) -> io::Result<()> {
    rustix::fs::symlink(points_to, path)?;
    Ok(())
}

/// The name of an archive as a path below here: without `/` at the start; `None` when it leads out with `..`.
pub fn inside(name: &str) -> Option<String> {
    let parts: Vec<&str> = name
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    let leads_out = parts.contains(&"..");
    (!leads_out).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_below_here() {
        assert_eq!(inside("/etc/passwd").as_deref(), Some("etc/passwd"));
        assert_eq!(inside("./a//b/").as_deref(), Some("a/b"));
        assert_eq!(inside("a/../../b"), None);
        assert_eq!(inside("./").as_deref(), Some(""));
    }
}
