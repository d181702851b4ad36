//! Templates, snapshots, events, usage, and what doctor says of a server.

use sandbox_testkit::FAKE_IMAGE;

use crate::args;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn templates_are_listed_and_shown() {
    let server = Server::start().await;
    let table = server.run(["templates"]).await.done();
    assert!(table.contains("python"), "{table}");
    let one = server.run(["templates", "python"]).await.done();
    assert!(one.contains("from       python:3.12-slim"), "{one}");
    let line = server.run(["templates", "pyton"]).await.failed(1);
    assert!(line.contains("did you mean"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_taken_listed_used_and_removed() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    server
        .run(args!["exec", &id, "--", "sh", "-c", "echo kept >/tmp/f"])
        .await
        .done();
    let snapshot = server.run(args!["snapshots", "create", &id]).await.done();
    let snapshot = snapshot.trim();
    assert!(
        server
            .run(["snapshots", "list"])
            .await
            .done()
            .contains(snapshot)
    );
    let args = ["run", "--snapshot", snapshot, "--", "cat", "/tmp/f"];
    assert_eq!(server.run(args).await.done(), "kept\n");
    server.run(["snapshots", "rm", snapshot]).await.done();
    server.run(["snapshots", "rm", snapshot]).await.failed(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_so_far_are_shown_and_the_list_ends() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let other = server.sandbox().await;
    server.run(args!["rm", &id, &other]).await.done();
    let all = server.run(["events"]).await.done();
    assert!(all.contains("created") && all.contains(&other), "{all}");
    let json = server
        .run(args!["--json", "events", "--sandbox", &id])
        .await
        .done();
    let events: Vec<serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let types: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["created", "running", "destroyed"]);
    let last = events.last().unwrap()["seq"].to_string();
    let rest = server
        .run(args!["events", "--sandbox", &id, "--from", &last])
        .await
        .done();
    assert_eq!(rest.lines().count(), 1, "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_shown_for_a_month() {
    let server = Server::start().await;
    server.sandbox().await;
    let now = server.run(["usage"]).await.done();
    assert!(
        now.contains("organisation acme") && now.contains("sandboxes    1"),
        "{now}"
    );
    let past = server
        .run(["--json", "usage", "--month", "2020-01"])
        .await
        .json();
    assert_eq!(past["usage"]["compute_seconds"], 0);
    assert_eq!(past["organization"]["usage"]["concurrent_sandboxes"], 1);
    let line = server.run(["usage", "--month", "soon"]).await.failed(1);
    assert!(line.contains("month"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tells_a_server_that_works_from_one_whose_runtime_is_away() {
    let server = Server::start().await;
    let well = server.run(["doctor"]).await.done();
    assert!(well.contains("ok    runtime: fake answers"), "{well}");
    server.runtime.daemon().go_away();
    let away = server.run(["doctor"]).await.done();
    assert!(away.contains("warn  runtime: fake is away"), "{away}");
    let line = server
        .run(["create", "--image", FAKE_IMAGE])
        .await
        .failed(1);
    assert!(!line.is_empty());
}
