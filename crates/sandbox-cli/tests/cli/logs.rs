//! Output that is kept.

use crate::args;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_command_is_followed_replayed_and_listed() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let line = "echo one; echo two >&2; sleep 0.2; echo three";
    let args = args!["exec", "-d", "--tag", "web", &id, "--", "sh", "-c", line];
    let process = server.run(args).await.done();
    assert!(process.starts_with("proc_"), "{process}");

    let followed = server.run(args!["logs", "--follow", &id]).await;
    assert_eq!((&*followed.out, &*followed.err), ("one\nthree\n", "two\n"));
    for which in [process.trim(), "tag:web"] {
        let again = server.run(args!["logs", &id, which]).await;
        assert_eq!(again.done(), "one\nthree\n");
    }
    let last = server.run(args!["logs", "--from", "3", &id]).await;
    assert_eq!(last.done(), "three\n");

    let events = server.run(args!["--json", "logs", &id]).await.done();
    let events: Vec<serde_json::Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(events[0]["data"], "one\n");
    assert_eq!(events[1]["stream"], "stderr");
    assert_eq!(events.last().unwrap()["event"], "exit");
    assert_eq!(events.last().unwrap()["exit_code"], 0);

    let list = server.run(args!["logs", "--list", &id]).await.done();
    assert!(list.contains("exited 0") && list.contains("web"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_not_there_is_one_line() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let line = server.run(args!["logs", &id]).await.failed(1);
    assert!(line.starts_with("sandbox: process: "), "{line}");
    server.run(args!["logs", &id, "tag:none"]).await.failed(1);
    let line = server.run(args!["logs", &id, "nonsense"]).await.failed(1);
    assert!(line.contains("proc_"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_listed() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    server
        .run(args!["exec", "-d", &id, "--", "sleep", "600"])
        .await
        .done();
    let table = server.run(args!["ps", &id]).await.done();
    assert!(table.contains("sleep 600"), "{table}");
}
