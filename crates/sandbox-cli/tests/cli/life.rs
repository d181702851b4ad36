//! A sandbox from its making to its end.

use sandbox_testkit::FAKE_IMAGE;

use crate::args;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_is_made_shown_listed_kept_suspended_woken_and_destroyed() {
    let server = Server::start().await;
    let made = server
        .run(args![
            "create",
            "--image",
            FAKE_IMAGE,
            "--id",
            "mine",
            "--metadata",
            "user=42",
            "--memory",
            "64MiB",
            "--cpus",
            "0.5",
            "--timeout",
            "10m",
            "--env",
            "A=1"
        ])
        .await;
    assert_eq!(made.done(), "mine\n");

    let shown = server.run(["--json", "inspect", "mine"]).await.json();
    assert_eq!(shown["status"], "running");
    assert_eq!(shown["metadata"]["user"], "42");
    assert_eq!(shown["resources"]["memory"], 64 << 20);
    assert_eq!(shown["resources"]["milli_cpus"], 500);
    assert_eq!(shown["timeout_seconds"], 600);
    let lines = server.run(["inspect", "mine"]).await.done();
    assert!(lines.contains("metadata   user=42"), "{lines}");

    for list in ["ls", "ps"] {
        let table = server.run([list]).await.done();
        assert!(
            table.lines().nth(1).unwrap().starts_with("mine "),
            "{table}"
        );
    }
    let kept = server.run(["keepalive", "mine", "20m"]).await.done();
    assert!(kept.trim().ends_with('Z'), "{kept}");

    assert_eq!(server.run(["suspend", "mine"]).await.done(), "mine\n");
    let line = server.run(["exec", "mine", "--", "true"]).await.failed(1);
    assert!(
        line.starts_with("sandbox: the sandbox is paused: `wake`"),
        "{line}"
    );
    assert_eq!(server.run(["wake", "mine"]).await.done(), "mine\n");
    server.run(["exec", "mine", "--", "true"]).await.done();

    assert_eq!(server.run(["rm", "mine"]).await.done(), "mine\n");
    assert_eq!(
        server.run(["--json", "ls"]).await.json()["sandboxes"],
        serde_json::json!([])
    );
    assert!(server.runtime.daemon().sandboxes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_fails_does_not_hold_up_the_others() {
    let server = Server::start().await;
    let (first, second) = (server.sandbox().await, server.sandbox().await);
    let said = server.run(args!["rm", &first, "nobody", &second]).await;
    assert_eq!(said.out, format!("{first}\n{second}\n"));
    let line = said.failed(1);
    assert_eq!(line.trim(), "sandbox: there is no sandbox nobody");
    assert!(server.runtime.daemon().sandboxes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_can_be_narrowed() {
    let server = Server::start().await;
    let image = ["--image", FAKE_IMAGE];
    for (id, user) in [("a", "1"), ("b", "2")] {
        let user = format!("user={user}");
        let args = [
            "create",
            image[0],
            image[1],
            "--id",
            id,
            "--metadata",
            &user,
        ];
        server.run(args).await.done();
    }
    server.run(["suspend", "b"]).await.done();
    let ids = |value: serde_json::Value| -> Vec<String> {
        let all = value["sandboxes"].as_array().unwrap().iter();
        all.map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let suspended = server
        .run(["--json", "ls", "--status", "suspended"])
        .await
        .json();
    assert_eq!(ids(suspended), ["b"]);
    let of_one = server
        .run(["--json", "ls", "--metadata", "user=1"])
        .await
        .json();
    assert_eq!(ids(of_one), ["a"]);
    let line = server.run(["ls", "--status", "sleeping"]).await.failed(1);
    assert!(line.contains("status"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_refused_names_the_field() {
    let server = Server::start().await;
    let line = server
        .run(["create", "--template", "pyton"])
        .await
        .failed(1);
    assert!(
        line.contains("template") && line.contains("python"),
        "{line}"
    );
    let image = ["create", "--image", FAKE_IMAGE];
    let line = server
        .run(image.into_iter().chain(["--memory", "1k"]))
        .await
        .failed(1);
    assert!(line.contains("resources.memory"), "{line}");
    let said = server.run(["--json", "inspect", "nobody"]).await;
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    let error: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(error["error"]["code"], "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_sandbox_says_does_not_reach_the_terminal_as_it_is() {
    let server = Server::start().await;
    let hostile = "title=\u{1b}]0;owned\u{7}";
    server
        .run([
            "create",
            "--image",
            FAKE_IMAGE,
            "--id",
            "h",
            "--metadata",
            hostile,
        ])
        .await
        .done();
    let shown = server.run(["inspect", "h"]).await.done();
    assert!(
        !shown.contains('\u{1b}') && shown.contains("\\u{1b}]0;owned"),
        "{shown:?}"
    );
    let json = server.run(["--json", "inspect", "h"]).await;
    assert!(!json.out.contains('\u{1b}'));
    assert_eq!(json.json()["metadata"]["title"], "\u{1b}]0;owned\u{7}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_one_line() {
    let server = Server::start().await;
    let mut program = server.program(["ls"]);
    program.env("SANDBOX_API_KEY", "sbk_wrong");
    let said: crate::server::Said = program.output().await.unwrap().into();
    let line = said.failed(1);
    assert!(line.contains("key"), "{line}");
    let mut program = server.program(["doctor"]);
    program.env("SANDBOX_API_KEY", "sbk_wrong");
    let said: crate::server::Said = program.output().await.unwrap().into();
    assert_eq!(said.code, 1);
    assert!(said.out.contains("SANDBOX_API_KEY"), "{said:?}");
    // Without a key, that it answers is what there is to know.
    let mut program = server.program(["doctor"]);
    program.env_remove("SANDBOX_API_KEY");
    let said: crate::server::Said = program.output().await.unwrap().into();
    assert!(said.done().starts_with("warn  server: "));
}
