//! What needs no server.

use serde_json::Value;

use crate::server::offline;

#[tokio::test]
async fn its_version_and_its_help_are_results() {
    let version = offline(["--version"]).await.done();
    assert_eq!(
        version.trim(),
        concat!("sandbox ", env!("CARGO_PKG_VERSION"))
    );
    let help = offline(["--help"]).await.done();
    for command in ["serve", "run", "shell", "cp", "doctor"] {
        assert!(help.contains(command), "{help}");
    }
    assert!(help.contains("Exit codes"), "{help}");
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_ends_with_2() {
    for args in [
        vec!["frobnicate"],
        vec!["exec", "sbx_1"],
        vec!["create", "--timeout", "5"],
        vec!["create", "--template", "a", "--image", "b"],
        vec!["cp", "a", "sbx_1:relative"],
        vec!["rm"],
        vec!["keepalive", "sbx_1"],
        vec!["inspect", "NOT AN ID"],
        vec!["keys", "create", "--scope", "everything"],
    ] {
        let said = offline(&args).await;
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert_eq!(said.out, "", "{args:?}");
        assert!(said.err.contains("error"), "{args:?}: {said:?}");
    }
}

#[tokio::test]
async fn programs_get_a_mistake_as_json() {
    let said = offline(["--json", "frobnicate"]).await;
    assert_eq!(said.code, 2);
    let error: Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(error["error"]["code"], "usage");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("frobnicate"), "{message}");
}

#[tokio::test]
async fn without_a_server_it_says_how_to_name_one() {
    let line = offline(["ls"]).await.failed(1);
    assert!(line.contains("SANDBOX_URL"), "{line}");
    let said = offline(["--json", "ls"]).await;
    let error: Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(error["error"]["field"], "SANDBOX_URL");
    assert_eq!(error["error"]["code"], "invalid_spec");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_one_line() {
    let line = offline(["--url", "http://127.0.0.1:1", "inspect", "sbx_1"])
        .await
        .failed(1);
    assert!(line.contains("cannot be reached"), "{line}");
}

#[tokio::test]
async fn both_ends_of_a_copy_in_sandboxes_or_here_make_no_sense() {
    for ends in [["a", "b"], ["sbx_1:/a", "sbx_2:/b"], ["-", "-"]] {
        let args = ["--url", "http://127.0.0.1:1", "cp", ends[0], ends[1]];
        let line = offline(args).await.failed(2);
        assert!(line.contains("ID:/PATH"), "{line}");
    }
}

#[tokio::test]
async fn every_shell_gets_its_completion() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = offline(["completion", shell]).await.done();
        assert!(script.contains("keepalive"), "{shell}");
    }
}

#[tokio::test]
async fn run_without_a_daemon_says_what_to_do() {
    let mut program = crate::server::program();
    program
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .env("HOME", tempfile::tempdir().unwrap().path())
        .args(["run", "--image", "x", "--", "true"]);
    let said: crate::server::Said = program.output().await.unwrap().into();
    let line = said.failed(1);
    assert!(line.contains("DOCKER_HOST"), "{line}");
}

#[tokio::test]
async fn doctor_without_a_daemon_fails_and_says_what_to_do() {
    let mut program = crate::server::program();
    program
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .args(["--json", "doctor"]);
    let said: crate::server::Said = program.output().await.unwrap().into();
    assert_eq!(said.code, 1);
    let report: Value = serde_json::from_str(&said.out).unwrap();
    let docker = &report["checks"][0];
    assert_eq!(
        (&docker["name"], &docker["status"]),
        (&"docker".into(), &"failed".into())
    );
    assert!(docker["fix"].is_string());
}
