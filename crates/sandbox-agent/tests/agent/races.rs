//! Guests that change directories while the agent works in them.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sandbox_core::{MakeDirOptions, WriteOptions, byte_stream};

use crate::harness::{Agent, TempDir, plain};

/// How often it is tried: each time may be the one that the guest wins.
const TRIES: u32 = 1500;

/// Does something again and again until it is dropped.
struct Guest {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Guest {
    fn start(mut act: impl FnMut() + Send + 'static) -> Self {
        let over = Arc::<AtomicBool>::default();
        let stop = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                act();
            }
        });
        Self {
            over,
            thread: Some(thread),
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = self.thread.take().unwrap().join();
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A directory that is not the guest's, with something in it.
fn victim(dir: &TempDir) -> PathBuf {
    let victim = dir.path().join("victim");
    fs::create_dir(&victim).unwrap();
    fs::write(victim.join("secret"), "x").unwrap();
    set_mode(&victim, 0o700);
    victim
}

/// Exchanges two names at once.
#[expect(unsafe_code, reason = "the standard library does not exchange names")]
fn exchange(one: &Path, other: &Path) {
    let name = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap();
    let (one, other) = (name(one), name(other));
    let at = libc::AT_FDCWD;
    // SAFETY: both names end with a zero.
    unsafe {
        let flags = libc::RENAME_EXCHANGE;
        libc::syscall(
            libc::SYS_renameat2,
            at,
            one.as_ptr(),
            at,
            other.as_ptr(),
            flags,
        );
    }
}

#[tokio::test]
async fn a_new_directory_that_is_swapped_for_a_link_does_not_open_where_that_leads() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let victim = victim(&dir);
    let place = dir.path().join("guests");
    fs::create_dir(&place).unwrap();
    let (made, away, link) = (place.join("d"), place.join("away"), victim.clone());
    let guest = Guest::start({
        let (made, away) = (made.clone(), away.clone());
        move || {
            if fs::rename(&made, &away).is_ok() {
                let _ = symlink(&link, &made);
            }
        }
    });
    let options = MakeDirOptions {
        mode: Some(0o777),
        ..MakeDirOptions::default()
    };
    for _ in 0..TRIES {
        // It is made, or it is said that something else is there.
        let _ = client.make_dir(&dir.at("guests/d"), options.clone()).await;
        assert_eq!(mode(&victim), 0o700, "it was opened to everybody");
        for left in [&made, &away] {
            let _ = fs::remove_file(left);
            let _ = fs::remove_dir(left);
        }
    }
    drop(guest);
}

#[tokio::test]
async fn a_directory_that_is_swapped_for_a_link_lends_no_mode_to_files_elsewhere() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let victim = victim(&dir);
    let (own, link) = (dir.path().join("d"), dir.path().join("link"));
    fs::create_dir(&own).unwrap();
    symlink(&victim, &link).unwrap();
    let guest = Guest::start(move || exchange(&own, &link));
    // What the guest's own file allows, the one elsewhere must not.
    let theirs = |path: &Path| {
        let _ = fs::write(path, "mine");
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o4777));
    };
    for _ in 0..TRIES {
        let guests = [dir.path().join("d"), dir.path().join("link")];
        for place in guests {
            if fs::symlink_metadata(&place).is_ok_and(|one| one.is_dir()) {
                theirs(&place.join("f"));
            }
        }
        let _ = fs::remove_file(victim.join("f"));
        let body = byte_stream("content");
        client
            .write(&dir.at("d/f"), body, WriteOptions::default())
            .await
            .unwrap();
        if let Ok(written) = fs::read(victim.join("f"))
            && written == b"content"
        {
            assert_eq!(mode(&victim.join("f")), 0o644);
        }
    }
    drop(guest);
}
