//! Time, memory and processes.

use std::time::{Duration, Instant};

use sandbox_core::{Command, Exit, KillCause, Signal};

use crate::harness::{
    Agent, TempDir, collect, eventually, first_process, is_running, plain, sh, signal,
};

#[tokio::test]
async fn time_in_which_everything_is_frozen_does_not_count() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let command = Command::argv(["sleep", "1.5"]).timeout(Duration::from_secs(3));
    let process = client.spawn(command).await.unwrap();
    let pid = process.pid();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // As a freezer does it: all of it, the agent included.
    signal(pid, "STOP");
    agent.signal("STOP");
    tokio::time::sleep(Duration::from_millis(4000)).await;
    agent.signal("CONT");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(is_running(pid), "the time limit went on");
    signal(pid, "CONT");
    let status = collect(&process).await.status.unwrap();
    assert!(status.success(), "{status:?}");
}

#[tokio::test]
async fn a_time_limit_still_bites_after_a_pause() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let command = Command::argv(["sleep", "100"]).timeout(Duration::from_secs(1));
    let process = client.spawn(command).await.unwrap();
    agent.signal("STOP");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    agent.signal("CONT");
    let start = Instant::now();
    let status = collect(&process).await.status.unwrap();
    assert_eq!(status.cause, Some(KillCause::Timeout));
    assert!(
        start.elapsed() > Duration::from_millis(500),
        "the pause counted"
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_it_starts_goes_first_when_memory_runs_out() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let own = std::fs::read_to_string(format!("/proc/{}/oom_score_adj", agent.pid())).unwrap();
    for timeout in [None, Some(Duration::from_secs(10))] {
        let mut command = Command::shell("cat /proc/self/oom_score_adj");
        command.timeout = timeout;
        let process = client.spawn(command).await.unwrap();
        assert_eq!(collect(&process).await.out, b"1000\n");
    }
    let after = std::fs::read_to_string(format!("/proc/{}/oom_score_adj", agent.pid())).unwrap();
    assert_eq!(own, after);
    assert_ne!(own.trim(), "1000");
}

#[tokio::test]
async fn nothing_of_the_agent_leaks_into_what_it_starts() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let busy = client
        .spawn(Command::argv(["cat"]).piped_stdin())
        .await
        .unwrap();
    for timeout in [None, Some(Duration::from_secs(10))] {
        let line = "ls /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign)' /proc/self/status; umask";
        let mut command = Command::shell(line);
        command.timeout = timeout;
        let process = client.spawn(command).await.unwrap();
        let text = String::from_utf8(collect(&process).await.out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        // Three standard streams and the directory that is being listed.
        assert_eq!(lines[0], "4", "{text}");
        assert_eq!(lines[1], "SigBlk:\t0000000000000000");
        assert_eq!(lines[2], "SigIgn:\t0000000000000000");
        assert_eq!(lines[3], "0022");
    }
    busy.close_stdin().await.unwrap();
    assert!(busy.wait().await.unwrap().success());
}

#[tokio::test]
async fn each_command_has_a_session_of_its_own() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let output = sh(&client, "set -- $(cat /proc/$$/stat); echo $$ $5 $6").await;
    let text = String::from_utf8(output.out).unwrap();
    let ids: Vec<&str> = text.split_whitespace().collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2], "{text}");
}

#[tokio::test]
async fn a_signal_reaches_the_whole_group() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let file = dir.path().join("child");
    let line = format!("sleep 300 & echo $! > {}; wait", file.display());
    let process = client.spawn(Command::shell(line)).await.unwrap();
    let read = || std::fs::read_to_string(&file).ok()?.trim().parse().ok();
    eventually("the child started", || read().is_some()).await;
    let child: u32 = read().unwrap();
    process.signal(Signal::TERM).await.unwrap();
    let status = process.wait().await.unwrap();
    assert_eq!(status.exit, Exit::Signal(Signal::TERM));
    eventually("the child ended too", || !is_running(child)).await;
}

#[tokio::test]
async fn a_supervisor_that_the_guest_kills_takes_its_command_along() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let file = dir.path().join("orphan");
    let line = format!(
        "(setsid sleep 300 & echo $! > {0}.new; mv {0}.new {0}); sleep 0.3; kill -9 $PPID; sleep 300",
        file.display()
    );
    let command = Command::shell(line).timeout(Duration::from_secs(100));
    let process = client.spawn(command).await.unwrap();
    let status = tokio::time::timeout(Duration::from_secs(20), process.wait()).await;
    assert_eq!(status.unwrap().unwrap().exit, Exit::Signal(Signal::KILL));
    let orphan: u32 = std::fs::read_to_string(&file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let main = process.pid();
    eventually("nothing of it is left", || {
        !is_running(orphan) && !is_running(main)
    })
    .await;
    client.ping().await.unwrap();
}

#[tokio::test]
async fn a_supervisor_that_the_guest_stops_does_not_save_its_command() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let command = Command::shell("kill -STOP $PPID; exec sleep 300");
    let process = client
        .spawn(command.timeout(Duration::from_millis(500)))
        .await
        .unwrap();
    let output = tokio::time::timeout(Duration::from_secs(20), collect(&process)).await;
    let status = output.unwrap().status.unwrap();
    assert_eq!(status.cause, Some(KillCause::Timeout));
    assert!(!is_running(process.pid()));
}

#[tokio::test]
async fn a_fork_bomb_ends_with_its_time() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    // Each process starts the next in a session of its own and ends: there is always one, never
    // for long, and never with the parent or group of the last. The file bounds it if it gets away.
    let script = dir.path().join("comet");
    std::fs::write(
        &script,
        "#!/bin/sh\n[ -e $0.stop ] && exit\ndate +%s%N > $0.beat\nsetsid $0 &\n",
    )
    .unwrap();
    let line = format!("sh {} & sleep 300", script.display());
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let command = Command::shell(line).timeout(Duration::from_millis(500));
    let process = client.spawn(command).await.unwrap();
    let status = tokio::time::timeout(Duration::from_secs(20), process.wait()).await;
    assert_eq!(status.unwrap().unwrap().cause, Some(KillCause::Timeout));
    let beat = || std::fs::read_to_string(dir.path().join("comet.beat")).unwrap();
    let mut ended = false;
    for _ in 0..50 {
        let before = beat();
        tokio::time::sleep(Duration::from_millis(200)).await;
        ended = beat() == before;
        if ended {
            break;
        }
    }
    std::fs::write(dir.path().join("comet.stop"), "").unwrap();
    assert!(ended, "it still runs");
}

#[tokio::test]
#[ignore = "needs root: makes a process namespace"]
async fn as_first_process_it_reaps_and_cannot_be_killed_from_inside() {
    let agent = Agent::start(&mut first_process());
    let client = agent.client().await;
    let line = "for i in 1 2 3; do (sleep 0 &) ; done; kill -9 1; kill 1; sleep 0.2; \
                cat /proc/[0-9]*/stat | grep -c ') Z '";
    let output = sh(&client, line).await;
    assert_eq!(output.out, b"0\n", "zombies");
    let error = client.signal(1, Signal::TERM).await.unwrap_err();
    let found = (error.kind(), error.field());
    assert_eq!(
        found,
        (sandbox_core::ErrorKind::PermissionDenied, Some("pid"))
    );
    client.ping().await.unwrap();
}

#[tokio::test]
async fn asked_to_end_it_ends_with_everything_it_started() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let process = client.spawn(Command::argv(["sleep", "300"])).await.unwrap();
    agent.signal("TERM");
    let pid = process.pid();
    eventually("the process ended", || !is_running(pid)).await;
    let own = agent.pid();
    eventually("the agent ended", || !is_running(own)).await;
}
