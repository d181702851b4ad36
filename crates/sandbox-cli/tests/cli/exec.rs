//! Commands, without a terminal.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::args;
use crate::server::{Said, Server};

#[tokio::test(flavor = "multi_thread")]
async fn streams_stay_apart_and_the_code_is_the_commands_own() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let line = "echo out; echo err >&2; exit 7";
    let said = server.run(args!["exec", &id, "--", "sh", "-c", line]).await;
    assert_eq!((said.code, &*said.out, &*said.err), (7, "out\n", "err\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_and_a_time_limit_have_codes_of_their_own() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let killed = server
        .run(args!["exec", &id, "--", "sh", "-c", "kill -KILL $$"])
        .await;
    assert_eq!(killed.code, 137, "{killed:?}");
    let late = server
        .run(args![
            "exec",
            "--timeout",
            "200ms",
            &id,
            "--",
            "sleep",
            "600"
        ])
        .await;
    assert_eq!(late.code, 124, "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_piped_in_arrives_whole_and_ends() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let input: Vec<u8> = (0..500_000_u32).map(|n| (n % 251) as u8).collect();
    let said = server
        .run_with(args!["exec", &id, "--", "wc", "-c"], &input)
        .await;
    assert_eq!(said.done().trim(), "500000");
    // A command that reads nothing of it is none the worse.
    let said = server
        .run_with(args!["exec", &id, "--", "echo", "hi"], &input)
        .await;
    assert_eq!(said.done(), "hi\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_come_back_as_they_are() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let mut program = server.program(args!["exec", &id, "--", "printf", "\\377\\033[31m\\000"]);
    let output = program.output().await.unwrap();
    assert_eq!(output.stdout, b"\xff\x1b[31m\0");
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_directory_and_user_are_passed_on() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let mut program = server.program(args![
        "exec",
        "-e",
        "A=x=y",
        "-e",
        "INHERITED",
        "-w",
        "/tmp",
        "-u",
        "nobody",
        &id,
        "--",
        "sh",
        "-c",
        "echo $A $INHERITED; pwd; whoami"
    ]);
    program.env("INHERITED", "here");
    let said: Said = program.output().await.unwrap().into();
    assert_eq!(said.done(), "x=y here\n/tmp\nnobody\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started_is_one_line() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let line = server
        .run(args!["exec", &id, "--", "nosuch"])
        .await
        .failed(1);
    assert!(line.starts_with("sandbox: command: "), "{line}");
    let line = server.run(["exec", "nobody", "--", "true"]).await.failed(1);
    assert!(
        line.contains("nobody") || line.contains("no such sandbox"),
        "{line}"
    );
    let line = server
        .run(args!["exec", "-t", &id, "--", "true"])
        .await
        .failed(1);
    assert!(line.contains("--tty"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_goes_to_the_command() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let line = "echo ready; sleep 600";
    let mut program = server.program(args!["exec", &id, "--", "sh", "-c", line]);
    program.stdout(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::INT).unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    // It was not just left alone.
    let table = server.run(args!["ps", &id]).await.done();
    assert!(!table.contains("sleep"), "{table}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_kills_a_command_that_ignores_the_first() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let line = "trap '' INT; echo ready; while true; do sleep 0.05; done";
    let mut program = server.program(args!["exec", &id, "--", "sh", "-c", line]);
    program.stdout(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("ready"));
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    let again = async {
        loop {
            kill_process(pid, Signal::INT).unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    let ended = tokio::select! {
        ended = child.wait() => ended.unwrap(),
        () = again => unreachable!("it is asked for ever"),
    };
    assert_eq!(ended.code(), Some(137));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_ends_the_program_quietly() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let mut program = server.program(args!["exec", "--timeout", "60s", &id, "--", "yes"]);
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("y"));
    drop(lines);
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_without_a_terminal_takes_a_script() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let script = b"echo one\nexit 4\n";
    let said = server.run_with(args!["shell", &id], script).await;
    assert_eq!((said.code, &*said.out), (4, "one\n"), "{said:?}");
    // With nothing to read it ends at once.
    let said = server.run(args!["shell", &id]).await;
    assert_eq!((said.code, &*said.out), (0, ""), "{said:?}");
    let line = server
        .run(args!["shell", "--shell", "/bin/none", &id])
        .await
        .failed(1);
    assert!(line.contains("command"), "{line}");
}
