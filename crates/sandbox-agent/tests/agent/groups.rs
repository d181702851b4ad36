//! Control groups (version 1) with an agent in them.

use std::path::{Path, PathBuf};
use std::process::Command as Program;
use std::time::Duration;

use sandbox_core::{Command, Exit, KillCause};

use crate::harness::{Agent, TempDir, collect, eventually, is_running, program, sh};

/// A control group that is removed with the test.
struct Group(PathBuf);

impl Group {
    fn new(controller: &str) -> Self {
        let root = Path::new("/sys/fs/cgroup").join(controller);
        let name = format!("agent-test-{}", std::process::id());
        let path = root.join(name);
        if let Err(error) = std::fs::create_dir(&path) {
            let root = root.display();
            panic!("needs control groups of version 1 at {root}: {error}");
        }
        Self(path)
    }

    fn set(&self, file: &str, value: &str) {
        std::fs::write(self.0.join(file), value).unwrap();
    }

    /// An agent that sees the group where a container sees its own.
    fn agent(&self) -> Agent {
        let script = "echo $$ > $0/cgroup.procs && mount --bind $0 $2 && exec $1 agent";
        let mut command = Program::new("unshare");
        command.args(["--mount", "sh", "-c", script]).arg(&self.0);
        command.arg(program()).arg(self.0.parent().unwrap());
        Agent::start(&mut command)
    }

    async fn remove(self) {
        eventually("the group is empty", || {
            std::fs::remove_dir(&self.0).is_ok()
        })
        .await;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What a failed test left in it is not to go on.
        for _ in 0..100 {
            if !self.0.exists() || std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            let members = std::fs::read_to_string(self.0.join("cgroup.procs"));
            for pid in members.unwrap_or_default().lines() {
                let _ = Program::new("kill").args(["-9", pid]).status();
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs root: makes a control group"]
async fn a_command_that_runs_out_of_memory_says_so_and_the_agent_lives() {
    let group = Group::new("memory");
    group.set("memory.limit_in_bytes", "33554432");
    // Machines without swap have no second limit.
    let _ = std::fs::write(group.0.join("memory.memsw.limit_in_bytes"), "33554432");
    let agent = group.agent();
    let client = agent.client().await;
    assert_eq!(client.stats().await.unwrap().memory_limit, 33_554_432);
    for timeout in [None, Some(Duration::from_secs(60))] {
        let mut hog = Command::argv(["python3", "-c", "x = bytearray(300 << 20)"]);
        hog.timeout = timeout;
        let output = collect(&client.spawn(hog).await.unwrap()).await;
        let status = output.status.unwrap();
        assert_eq!(status.cause, Some(KillCause::OutOfMemory), "{output:?}");
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let output = sh(&client, "kill -9 $$").await;
    assert_eq!(
        output.status.unwrap().cause,
        None,
        "that was something else"
    );
    drop((client, agent));
    group.remove().await;
}

#[tokio::test]
#[ignore = "needs root: makes a control group"]
async fn a_time_limit_is_kept_when_there_may_be_no_more_processes() {
    let group = Group::new("pids");
    group.set("pids.max", "40");
    let agent = group.agent();
    let client = agent.client().await;
    let bomb = Command::shell("f() { while :; do f & done; }; (f 2> /dev/null) & exec sleep 300");
    let bomb = bomb.timeout(Duration::from_secs(1));
    let process = client.spawn(bomb).await.unwrap();
    let current = || std::fs::read_to_string(group.0.join("pids.current")).unwrap();
    let full = || current().trim().parse::<u32>().unwrap() >= 39;
    eventually("there may be no more", full).await;
    // Answers need no process.
    client.ping().await.unwrap();
    let status = tokio::time::timeout(Duration::from_secs(20), process.wait()).await;
    assert_eq!(status.unwrap().unwrap().cause, Some(KillCause::Timeout));
    let output = sh(&client, "echo room again").await;
    assert_eq!(output.out, b"room again\n");
    drop((client, process, agent));
    group.remove().await;
}

#[tokio::test]
#[ignore = "needs root: makes a control group"]
async fn time_in_the_freezer_does_not_count() {
    let group = Group::new("freezer");
    let agent = group.agent();
    let client = agent.client().await;
    let command = Command::argv(["sleep", "300"]).timeout(Duration::from_secs(2));
    let process = client.spawn(command).await.unwrap();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        group.set("freezer.state", "FROZEN");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        group.set("freezer.state", "THAWED");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(is_running(process.pid()), "the time limit went on");
    let status = process.wait().await.unwrap();
    assert_eq!(status.exit, Exit::Signal(sandbox_core::Signal::KILL));
    assert_eq!(status.cause, Some(KillCause::Timeout));
    drop((client, process, agent));
    group.remove().await;
}

#[tokio::test]
#[ignore = "needs root: makes a control group"]
async fn the_agent_outlives_everything_it_starts_when_memory_runs_out() {
    let dir = TempDir::new();
    let group = Group::new("memory");
    group.set("memory.limit_in_bytes", "33554432");
    let agent = group.agent();
    let client = agent.client().await;
    // Many at once, none of them larger than the agent itself needs to fear.
    let line = format!(
        "for i in 1 2 3 4 5 6 7 8; do python3 -c 'import time; x = bytearray(6 << 20); time.sleep(3)' & done; \
         wait; touch {}/end",
        dir.path().display()
    );
    sh(&client, &line).await;
    client.ping().await.unwrap();
    let kills = std::fs::read_to_string(group.0.join("memory.oom_control")).unwrap();
    assert!(!kills.contains("oom_kill 0"), "memory did run out: {kills}");
    drop((client, agent));
    group.remove().await;
}
