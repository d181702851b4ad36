//! A remote with a password, an agent that watches for the token, and a search for what is left.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http::{Serve, Server};

/// Runs git on this machine, for what a test needs around the tool.
pub(crate) fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com"])
        .args([
            "-c",
            "init.defaultBranch=main",
            "-c",
            "protocol.file.allow=always",
        ])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A bare repository `repo.git` below `directory`, with one commit on `main` and one on `other`.
pub(crate) fn bare_repository(directory: &Path) {
    let work = directory.join("seed");
    std::fs::create_dir_all(&work).unwrap();
    git(&work, &["init", "-q"]);
    commit_file(&work, "README", "hello\n");
    git(&work, &["branch", "other"]);
    git(&work, &["tag", "v1"]);
    git(directory, &["clone", "-q", "--bare", "seed", "repo.git"]);
}

/// Writes a file and commits it; the commit.
pub(crate) fn commit_file(repository: &Path, name: &str, content: &str) -> String {
    std::fs::write(repository.join(name), content).unwrap();
    git(repository, &["add", "--", name]);
    git(
        repository,
        &["commit", "-q", "-m", &format!("change {name}")],
    );
    git(repository, &["rev-parse", "HEAD"])
}

/// A server for the repositories below `root` that wants `tester` and `token`.
pub(crate) async fn serve(root: &Path, user: &str, token: &str) -> Server {
    let authorization = format!("Basic {}", STANDARD.encode(format!("{user}:{token}")));
    let root = root.to_owned();
    Server::start(|_| Serve::Git {
        root,
        authorization,
    })
    .await
}

/// Looks at the arguments of every process of this machine, again and again, until it is dropped.
#[derive(Debug)]
pub(crate) struct ArgumentWatch {
    stop: Arc<AtomicBool>,
    found: Arc<AtomicUsize>,
    gits: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl ArgumentWatch {
    pub(crate) fn start(secret: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let found = Arc::new(AtomicUsize::new(0));
        let gits = Arc::new(AtomicUsize::new(0));
        let secret = secret.to_owned();
        let shared = (Arc::clone(&stop), Arc::clone(&found), Arc::clone(&gits));
        let thread = std::thread::spawn(move || {
            let (stop, found, gits) = shared;
            while !stop.load(Ordering::Relaxed) {
                for process in std::fs::read_dir("/proc").unwrap().flatten() {
                    let arguments = std::fs::read(process.path().join("cmdline"));
                    let arguments = arguments.unwrap_or_default();
                    let text = String::from_utf8_lossy(&arguments);
                    found.fetch_add(usize::from(text.contains(&secret)), Ordering::Relaxed);
                    // Only commands that are given credentials have this in their arguments.
                    let git = text.contains("SANDBOX_GIT_PASSWORD");
                    gits.fetch_add(usize::from(git), Ordering::Relaxed);
                }
            }
        });
        Self {
            stop,
            found,
            gits,
            thread: Some(thread),
        }
    }

    /// How often the secret was seen, and how often a command that was given it.
    pub(crate) fn end(mut self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
        let (found, gits) = (&self.found, &self.gits);
        (found.load(Ordering::Relaxed), gits.load(Ordering::Relaxed))
    }
}

/// The files below `directory`, and in what tools left in `/tmp`, that contain `secret`.
pub(crate) fn files_with(secret: &str, directory: &Path) -> String {
    let script = "grep -rlaF -e \"$1\" \"$2\" /tmp/.sandbox-tool-* 2>/dev/null";
    let found = Command::new("sh")
        .args(["-c", script, "sh", secret])
        .arg(directory)
        .output()
        .unwrap();
    String::from_utf8(found.stdout).unwrap()
}
