//! Guests that may signal supervisors.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sandbox_core::{Command, ErrorKind, Process, Result};

use crate::harness::{Agent, TempDir, collect, eventually, plain, sh};

/// What signals every supervisor it sees until it is dropped, as a guest with the agent's user can.
struct Hunter {
    over: Arc<AtomicBool>,
    shots: Arc<AtomicUsize>,
    thread: Option<std::thread::JoinHandle<()>>,
}

fn children(agent: u32) -> Vec<i32> {
    let list = std::fs::read_to_string(format!("/proc/{agent}/task/{agent}/children")).unwrap();
    list.split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// Whether it is a supervisor: it has the agent's name, and unlike a command whose program has
/// only just begun no group of its own.
fn is_supervisor(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((name, rest)) = stat.rsplit_once(") ") else {
        return false;
    };
    let group = rest.split(' ').nth(2).and_then(|group| group.parse().ok());
    name.contains("(sandbox-agent") && group != Some(pid)
}

impl Hunter {
    fn start(agent: &Agent, signal: i32) -> Self {
        let (over, shots) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (stop, count, agent) = (Arc::clone(&over), Arc::clone(&shots), agent.pid());
        let thread = std::thread::spawn(move || {
            // Each once: whoever is hit again and again has no chance, and needs none.
            let mut hit = HashSet::new();
            while !stop.load(Ordering::SeqCst) {
                for pid in children(agent) {
                    if is_supervisor(pid) && hit.insert(pid) {
                        // Not through a program: that would take longer than a supervisor lives.
                        shoot(pid, signal);
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        });
        Self {
            over,
            shots,
            thread: Some(thread),
        }
    }
}

#[expect(unsafe_code, reason = "kill is a C function")]
fn shoot(pid: i32, signal: i32) {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(pid, signal) };
}

impl Drop for Hunter {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = self.thread.take().unwrap().join();
    }
}

/// Runs commands that each leave a mark, and says which they were with what was answered.
async fn marked(
    agent: &Agent,
    dir: &TempDir,
    command: impl Fn(&str) -> Command,
) -> Vec<(PathBuf, Result<Arc<dyn Process>>)> {
    let client = agent.client().await;
    let mut answers = Vec::new();
    for number in 0..150 {
        let mark = dir.path().join(format!("{number}"));
        let spawned = client.spawn(command(mark.to_str().unwrap()));
        let answer = tokio::time::timeout(Duration::from_secs(60), spawned).await;
        answers.push((mark, answer.expect("it is answered")));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_whose_supervisor_is_killed_is_never_said_not_to_have_run_when_it_did() {
    for timeout in [None, Some(Duration::from_secs(600))] {
        let dir = TempDir::new();
        let agent = Agent::start(&mut plain());
        let hunter = Hunter::start(&agent, libc::SIGKILL);
        let answers = marked(&agent, &dir, |mark| {
            let mut command = Command::argv(["touch", mark]);
            command.timeout = timeout;
            command
        });
        let answers = answers.await;
        assert!(hunter.shots.load(Ordering::SeqCst) > 20, "it hit nothing");
        drop(hunter);
        let own = agent.pid();
        eventually("nothing runs any more", || children(own).is_empty()).await;
        for (mark, answer) in answers {
            match answer {
                // What its end was is told all the same.
                Ok(process) => {
                    let end = tokio::time::timeout(Duration::from_secs(60), process.wait()).await;
                    end.expect("it is known to have ended").unwrap();
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
                    assert!(!mark.exists(), "it ran, and was said not to: {error}");
                }
            }
        }
        let client = agent.client().await;
        assert_eq!(sh(&client, "echo alive").await.out, b"alive\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_not_there_is_said_to_be_missing_whoever_kills_its_supervisor() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let hunter = Hunter::start(&agent, libc::SIGKILL);
    let answers = marked(&agent, &dir, |mark| Command::argv([mark])).await;
    drop(hunter);
    let mut missing = 0;
    for (_, answer) in answers {
        match answer {
            // It was killed before it got as far.
            Ok(process) => assert!(!process.wait().await.unwrap().success()),
            Err(error) if error.kind() == ErrorKind::Unavailable => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
                missing += 1;
            }
        }
    }
    assert!(missing > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_supervisor_that_is_stopped_goes_on() {
    for timeout in [None, Some(Duration::from_secs(600))] {
        let dir = TempDir::new();
        let agent = Agent::start(&mut plain());
        let hunter = Hunter::start(&agent, libc::SIGSTOP);
        let answers = marked(&agent, &dir, |mark| {
            let mut command = Command::argv(["touch", mark]);
            command.timeout = timeout;
            command
        });
        for (mark, answer) in answers.await {
            let end = answer.unwrap();
            let end = tokio::time::timeout(Duration::from_secs(60), end.wait()).await;
            assert!(end.expect("it ends").unwrap().success());
            assert!(mark.exists());
        }
        assert!(hunter.shots.load(Ordering::SeqCst) > 20, "it hit nothing");
    }
}

#[tokio::test]
#[ignore = "needs root: gives rights up"]
async fn another_process_of_its_user_does_not_set_its_limits() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    // As in a container: root without the right to change any limit.
    let attempt = format!(
        "setpriv --bounding-set=-sys_resource prlimit --pid {} --nofile=3:3 2>&1 \
         && echo changed; setpriv --bounding-set=-sys_resource prlimit --pid $PPID --cpu=1:1 2>&1 \
         && echo changed; setpriv --bounding-set=-sys_resource prlimit --pid $$ --nofile=99:99 \
         && ulimit -n; grep ^Gid: /proc/self/status",
        agent.pid()
    );
    // With a time limit the parent is its supervisor.
    let command = Command::shell(attempt).timeout(Duration::from_secs(600));
    let output = collect(&client.spawn(command).await.unwrap()).await;
    let text = String::from_utf8(output.out).unwrap();
    assert!(!text.contains("changed"), "{text}");
    assert!(text.contains("\n99\n"), "its own it may: {text}");
    assert!(text.ends_with("Gid:\t0\t0\t0\t0\n"), "{text}");
}
