//! Starting processes, what they say, how they end.

use std::time::Duration;

use bytes::Bytes;
use sandbox_core::{Command, ErrorKind, Exit, ExitStatus, PtySize, Signal};

use crate::harness::{Agent, TempDir, collect, plain, sh};

#[tokio::test]
async fn output_and_exit_code_arrive_in_order() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let output = sh(&client, "echo out; echo err >&2; exit 7").await;
    assert_eq!(output.out, b"out\n");
    assert_eq!(output.err, b"err\n");
    assert_eq!(output.status, Some(ExitStatus::from_code(7)));
}

#[tokio::test]
async fn ten_megabytes_arrive_whole() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let output = sh(&client, "head -c 10000000 /dev/zero | tr '\\0' x").await;
    assert_eq!(output.out.len(), 10_000_000);
    assert!(output.out.iter().all(|byte| *byte == b'x'));
    assert!(output.status.unwrap().success());
}

#[tokio::test]
async fn everything_written_before_the_exit_comes_before_it_and_the_rest_after() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let output = sh(
        &client,
        "head -c 400000 /dev/zero; (sleep 0.3; echo late) & exit 3",
    )
    .await;
    assert_eq!(output.out.len(), 400_000);
    assert_eq!(output.status, Some(ExitStatus::from_code(3)));
    assert_eq!(output.late, b"late\n");
}

#[tokio::test]
async fn waiting_needs_no_reader() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    // More than the window, less than the window and the pipe: it ends with unread output.
    let command = Command::shell("head -c 300000 /dev/zero; exit 5");
    let process = client.spawn(command).await.unwrap();
    let status = tokio::time::timeout(Duration::from_secs(10), process.wait()).await;
    assert_eq!(status.unwrap().unwrap(), ExitStatus::from_code(5));
    let output = collect(&process).await;
    assert_eq!(output.out.len(), 300_000);
    assert_eq!(output.status, Some(ExitStatus::from_code(5)));
}

#[tokio::test]
async fn input_reaches_the_process_and_its_end_too() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let process = client
        .spawn(Command::argv(["wc", "-c"]).piped_stdin())
        .await
        .unwrap();
    let data = Bytes::from(vec![b'x'; 1_000_000]);
    process.write_stdin(data).await.unwrap();
    process.close_stdin().await.unwrap();
    process.close_stdin().await.unwrap();
    let error = process.write_stdin(Bytes::from_static(b"x")).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(collect(&process).await.out, b"1000000\n");
}

#[tokio::test]
async fn input_is_refused_where_there_is_none() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let process = client.spawn(Command::shell("cat; sleep 5")).await.unwrap();
    for result in [
        process.write_stdin(Bytes::from_static(b"x")).await,
        process.close_stdin().await,
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Conflict);
    }
    process.signal(Signal::KILL).await.unwrap();
    assert_eq!(
        process.wait().await.unwrap(),
        ExitStatus::from_signal(Signal::KILL)
    );
    let error = process.signal(Signal::TERM).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_command_that_cannot_start_says_why() {
    let dir = TempDir::new();
    std::fs::write(dir.path().join("text"), "#!/no/such/shell\n").unwrap();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let timeout = Duration::from_secs(5);
    let text = dir.at("text").to_string();
    let cases = [
        (
            Command::argv(["no-such-program"]),
            ErrorKind::NotFound,
            "command",
        ),
        (Command::argv(["/no/such"]), ErrorKind::NotFound, "command"),
        (
            Command::argv([&text]),
            ErrorKind::PermissionDenied,
            "command",
        ),
        (
            Command::argv(["/tmp"]),
            ErrorKind::PermissionDenied,
            "command",
        ),
        (
            Command::shell("true").cwd("/no/such".parse().unwrap()),
            ErrorKind::NotFound,
            "cwd",
        ),
        (
            Command::shell("true").user("no-such-user".parse().unwrap()),
            ErrorKind::NotFound,
            "user",
        ),
        (
            Command::shell("true").user("0:no-such-group".parse().unwrap()),
            ErrorKind::NotFound,
            "user",
        ),
    ];
    for (command, kind, field) in cases {
        // With a time limit it is started another way.
        for command in [command.clone(), command.timeout(timeout)] {
            let error = client.spawn(command.clone()).await.unwrap_err();
            let found = (error.kind(), error.field());
            assert_eq!(found, (kind, Some(field)), "{command:?}: {error}");
        }
    }
    // None of them leaves anything behind.
    assert!(sh(&client, "true").await.status.unwrap().success());
}

#[tokio::test]
async fn the_environment_is_the_agents_and_the_commands() {
    let agent = Agent::start(plain().env_clear().env("BASE", "1").env("BOTH", "agent"));
    let client = agent.client().await;
    let command = Command::shell("echo $BASE $BOTH $PATH $0").env("BOTH", "command");
    let process = client.spawn(command).await.unwrap();
    let output = String::from_utf8(collect(&process).await.out).unwrap();
    assert!(output.starts_with("1 command /usr/local/sbin:"), "{output}");
}

#[tokio::test]
async fn a_time_limit_kills_what_ran_away_too() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    // Orphans in sessions of their own: neither group nor parent leads to them.
    let line = format!(
        "(setsid sh -c '(sleep 300 & echo $! > {0}/a) & (setsid sleep 301 & echo $! > {0}/b)' &); sleep 302",
        dir.path().display()
    );
    let command = Command::shell(line).timeout(Duration::from_millis(500));
    let process = client.spawn(command).await.unwrap();
    let output = collect(&process).await;
    let status = output.status.unwrap();
    assert!(status.timed_out(), "{status:?}");
    assert_eq!(status.exit, Exit::Signal(Signal::KILL));
    for name in ["a", "b"] {
        let pid = std::fs::read_to_string(dir.path().join(name)).unwrap();
        let pid: u32 = pid.trim().parse().unwrap();
        assert!(!crate::harness::is_running(pid), "{name} still runs");
    }
}

#[tokio::test]
async fn what_a_command_leaves_behind_in_time_goes_on() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let line = format!(
        "setsid sleep 2 > /dev/null 2>&1 & echo $! > {}/pid",
        dir.path().display()
    );
    let command = Command::shell(line).timeout(Duration::from_millis(300));
    let process = client.spawn(command).await.unwrap();
    assert!(collect(&process).await.status.unwrap().success());
    tokio::time::sleep(Duration::from_millis(700)).await;
    let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
    assert!(crate::harness::is_running(pid.trim().parse().unwrap()));
}

#[tokio::test]
async fn a_terminal_has_a_size_and_control_characters() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let size = PtySize { cols: 91, rows: 37 };
    let command =
        Command::shell("trap 'echo caught' INT; stty size; read x; echo got $x; stty size");
    let process = client.spawn(command.pty(size)).await.unwrap();
    process.resize(PtySize { cols: 10, rows: 5 }).await.unwrap();
    process
        .write_stdin(Bytes::from_static(b"hello\n"))
        .await
        .unwrap();
    let error = process.close_stdin().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let output = collect(&process).await;
    let text = String::from_utf8(output.out).unwrap();
    assert!(text.contains("got hello\r\n"), "{text:?}");
    assert!(text.ends_with("5 10\r\n"), "{text:?}");
    assert!(output.status.unwrap().success());
}

#[tokio::test]
async fn a_terminals_control_c_interrupts() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let command = Command::argv(["sleep", "100"]).pty(PtySize::default());
    let process = client.spawn(command).await.unwrap();
    process
        .write_stdin(Bytes::from_static(b"\x03"))
        .await
        .unwrap();
    let status = process.wait().await.unwrap();
    assert_eq!(status, ExitStatus::from_signal(Signal::INT));
}
