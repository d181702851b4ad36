//! Answers that a guest makes long.

use std::path::Path;
use std::process::Command as Program;
use std::time::Duration;

use sandbox_core::{Command, ListOptions};

use crate::harness::{Agent, TempDir, collect, plain, program, sh};

#[tokio::test]
async fn a_long_command_line_is_shown_in_part() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    // As many arguments as bytes.
    let script = "import os; os.execv('/bin/sleep', ['sleep', '300'] + [''] * 30000)";
    let mut pids = Vec::new();
    let empty = client.spawn(Command::argv(["python3", "-c", script]));
    pids.push(empty.await.unwrap());
    let long = Command::argv(["sh", "-c", "sleep 300; :", &"x".repeat(100_000)]);
    pids.push(client.spawn(long).await.unwrap());
    for process in pids {
        let argv = loop {
            let list = client.processes().await.unwrap();
            let info = list.into_iter().find(|one| one.pid == process.pid());
            let argv = info.expect("it runs").argv;
            if argv.first().is_some_and(|program| program != "python3") {
                break argv;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(argv.len() <= 256, "{}", argv.len());
        let bytes = argv.join(" ").len();
        assert!((16..=4096).contains(&bytes), "{bytes}");
    }
}

#[tokio::test]
#[ignore = "needs root: mounts"]
async fn an_account_with_an_endless_name_is_none() {
    let dir = TempDir::new();
    let passwd = dir.path().join("passwd");
    let name = "x".repeat(900_000);
    std::fs::write(&passwd, format!("{name}:x:0:0::/:/bin/sh\n")).unwrap();
    let script = "mount --bind $0 /etc/passwd && exec $1 agent";
    let mut command = Program::new("unshare");
    command.args(["--mount", "sh", "-c", script]);
    command.arg(&passwd).arg(program());
    let agent = Agent::start(&mut command);
    let client = agent.client().await;
    let root = client.stat(&"/".parse().unwrap()).await.unwrap();
    assert_eq!((root.uid, root.owner), (0, None));
    let path = "/etc".parse().unwrap();
    let list = client.list(&path, ListOptions::default()).await.unwrap();
    assert!(
        list.iter()
            .any(|one| Path::new(one.path.as_str()).ends_with("passwd"))
    );
    assert_eq!(sh(&client, "echo $USER on").await.out, b"on\n");
}

#[tokio::test]
async fn a_listing_too_long_to_hold_is_refused() {
    let dir = TempDir::new();
    // Characters that are six bytes each on their way.
    let deep: std::path::PathBuf = (0..14).map(|_| "\u{1}".repeat(250)).collect();
    let deep = dir.path().join(deep);
    std::fs::create_dir_all(&deep).unwrap();
    for number in 0..5000 {
        std::fs::write(deep.join(number.to_string()), "").unwrap();
    }
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let options = ListOptions {
        depth: 100,
        ..ListOptions::default()
    };
    let list = client.list(&dir.at("."), options).await;
    let error = list.map(|list| list.len()).unwrap_err();
    let found = (error.kind(), error.field());
    let expected = (sandbox_core::ErrorKind::LimitExceeded, Some("limit"));
    assert_eq!(found, expected, "{error}");
    let process = client.spawn(Command::argv(["true"])).await.unwrap();
    assert!(collect(&process).await.status.unwrap().success());
}
