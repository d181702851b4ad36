//! What a guest sends to the first process.

use std::time::Duration;

use sandbox_core::{Command, KillCause};

use crate::harness::{Agent, collect, first_process, sh};

/// Queues SIGTERM with a sender of the guest's own invention: nobody, as if from outside.
const FORGE: &str = "import ctypes, platform
number = 129 if platform.machine() == 'x86_64' else 138
info = (ctypes.c_int * 32)(15, 0, -1, 0, 0, 0)
print(ctypes.CDLL(None).syscall(number, 1, 15, info))";

#[tokio::test]
#[ignore = "needs root: makes a process namespace"]
async fn a_forged_sender_does_not_end_the_sandbox() {
    let agent = Agent::start(&mut first_process());
    let client = agent.client().await;
    let line = "trap 'echo ended' TERM; echo ready; read x; echo went on";
    let other = client.spawn(Command::shell(line).piped_stdin());
    let other = other.await.unwrap();
    let forge = client.spawn(Command::argv(["python3", "-c", FORGE])).await;
    assert_eq!(collect(&forge.unwrap()).await.out, b"0\n");
    for _ in 0..3 {
        assert_eq!(sh(&client, "echo alive").await.out, b"alive\n");
    }
    other.write_stdin("x\n".into()).await.unwrap();
    assert_eq!(collect(&other).await.out, b"ready\nwent on\n");
}

#[tokio::test]
#[ignore = "needs root: makes a process namespace"]
async fn a_time_limit_is_kept_in_a_flood_of_signals_and_orphans() {
    let agent = Agent::start(&mut first_process());
    let client = agent.client().await;
    let signals = "import os\nwhile True: os.kill(1, 15); os.kill(1, 17)";
    let mut floods = Vec::new();
    for _ in 0..4 {
        let flood = Command::argv(["python3", "-c", signals]);
        floods.push(client.spawn(flood).await.unwrap());
    }
    let orphans = Command::shell("while :; do (true &); done");
    floods.push(client.spawn(orphans).await.unwrap());
    let limited = Command::argv(["sleep", "300"]).timeout(Duration::from_secs(1));
    let limited = client.spawn(limited).await.unwrap();
    let status = tokio::time::timeout(Duration::from_secs(60), limited.wait()).await;
    assert_eq!(status.unwrap().unwrap().cause, Some(KillCause::Timeout));
    assert_eq!(sh(&client, "echo alive").await.out, b"alive\n");
}
