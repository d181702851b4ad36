//! What a sandbox may connect to.

use crate::args;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_shown_replaced_and_explained() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let shown = server.run(args!["egress", "show", &id]).await.done();
    assert_eq!(shown, "deny everything\n");

    let set = args![
        "egress",
        "set",
        &id,
        "--allow-cidr",
        "192.0.2.0/24",
        "--allow-port",
        "443"
    ];
    server.run(set).await.done();
    let shown = server
        .run(args!["--json", "egress", "show", &id])
        .await
        .json();
    assert_eq!(shown["mode"], "deny_all");
    assert_eq!(shown["allow_ports"][0], 443);

    let explain = |to: &'static str| args!["--json", "egress", "explain", &id, to];
    let allowed = server.run(explain("192.0.2.7:443")).await.json();
    assert_eq!(allowed["allowed"], true);
    let denied = server.run(explain("192.0.2.7:80")).await.json();
    assert_eq!(denied["field"], "egress.allow_ports");
    let sentence = server
        .run(args!["egress", "explain", &id, "203.0.113.1:443"])
        .await
        .done();
    assert!(sentence.contains(" is denied: "), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_changes_nothing() {
    let server = Server::start().await;
    let id = server.sandbox().await;
    let line = server.run(args!["egress", "set", &id]).await.failed(2);
    assert!(line.contains("--egress"), "{line}");
    let line = server
        .run(args!["egress", "set", &id, "--allow-cidr", "x"])
        .await
        .failed(1);
    assert!(line.contains("egress.allow_cidrs[0]"), "{line}");
    let line = server
        .run(args!["egress", "explain", &id, "a b"])
        .await
        .failed(1);
    assert!(line.contains("destination"), "{line}");
    let shown = server.run(args!["egress", "show", &id]).await.done();
    assert_eq!(shown, "deny everything\n");
}
