//! A sandbox for one command, on a server.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use sandbox_testkit::FAKE_IMAGE;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_is_gone_afterwards_however_the_command_ended() {
    let server = Server::start().await;
    let run = ["run", "--image", FAKE_IMAGE];
    for (rest, code) in [
        (vec!["--", "sh", "-c", "exit 5"], 5),
        (vec!["--", "nosuch"], 1),
        (vec!["--timeout", "200ms", "--", "sleep", "600"], 124),
        (vec!["--", "sh", "-c", "kill -TERM $$"], 143),
    ] {
        let said = server.run(run.iter().chain(&rest)).await;
        assert_eq!(said.code, code, "{rest:?}: {said:?}");
        assert!(server.runtime.daemon().sandboxes().is_empty(), "{rest:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn input_and_environment_reach_the_command() {
    let server = Server::start().await;
    let args = [
        "run",
        "--image",
        FAKE_IMAGE,
        "--env",
        "A=b",
        "--",
        "sh",
        "-c",
        "cat; echo $A",
    ];
    let said = server.run_with(args, b"in\n").await;
    assert_eq!(said.done(), "in\nb\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_the_command_and_removes_the_sandbox() {
    let server = Server::start().await;
    let args = [
        "run",
        "--image",
        FAKE_IMAGE,
        "--",
        "sh",
        "-c",
        "echo ready; sleep 600",
    ];
    let mut program = server.program(args);
    program.stdout(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    assert!(server.runtime.daemon().sandboxes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_leaves_nothing() {
    let server = Server::start().await;
    let line = server
        .run(["run", "--image", "none", "--", "true"])
        .await
        .failed(1);
    assert!(line.contains("none"), "{line}");
    assert!(server.runtime.daemon().sandboxes().is_empty());
}
