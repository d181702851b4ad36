//! Diagnostics that find what is broken.

use std::time::Duration;

use sandbox_core::egress::EgressRules;
use sandbox_engine::tools::diagnostics::{Check, DiagnoseOptions, Target, diagnose};

use crate::local::LocalSandbox;

fn options(port: u16) -> DiagnoseOptions {
    DiagnoseOptions {
        target: Some(Target::new("localhost", port).unwrap()),
        timeout: Duration::from_secs(10),
        ..DiagnoseOptions::default()
    }
}

#[tokio::test]
async fn a_sandbox_that_works_is_healthy() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let report = diagnose(&LocalSandbox::new(), &options(port)).await;
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(text, r#"{"filesystem":"ok","network":"ok","runtime":"ok"}"#);
    assert!(report.is_healthy());
}

#[tokio::test]
async fn a_target_that_refuses_or_does_not_exist_fails_the_network_check_alone() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let report = diagnose(&LocalSandbox::new(), &options(closed)).await;
    let network = report.checks()["network"].to_string();
    assert!(
        network.starts_with("failed: cannot connect to localhost"),
        "{network}"
    );
    assert_eq!(report.checks()["runtime"], Check::Ok);
    assert!(!report.is_healthy());

    let unknown = DiagnoseOptions {
        target: Some(Target::new("no-such-host.invalid", 443).unwrap()),
        ..options(1)
    };
    let report = diagnose(&LocalSandbox::new(), &unknown).await;
    let network = report.checks()["network"].to_string();
    assert!(
        network.starts_with("failed: cannot resolve no-such-host.invalid"),
        "{network}"
    );
}

#[tokio::test]
async fn the_network_is_not_tried_where_policy_denies_it_or_nothing_could_try() {
    let denied = LocalSandbox::with_egress(EgressRules::deny_all());
    let report = diagnose(&denied, &options(1)).await;
    let network = report.checks()["network"].to_string();
    assert!(
        network.starts_with("skipped: the egress policy"),
        "{network}"
    );
    assert!(report.is_healthy());

    let report = diagnose(&LocalSandbox::new(), &DiagnoseOptions::default()).await;
    assert!(matches!(report.checks()["network"], Check::Skipped(_)));

    let bare = LocalSandbox::with_path("/nonexistent");
    let report = diagnose(&bare, &options(1)).await;
    assert!(
        report.checks()["network"]
            .to_string()
            .starts_with("skipped: the sandbox has no")
    );
    assert!(
        report.checks()["runtime"]
            .to_string()
            .starts_with("failed: ")
    );
}

#[tokio::test]
async fn the_other_probes_tell_the_same() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap().port();
    for program in ["node", "bash"] {
        // A PATH with this probe's program, and not the ones that are preferred.
        let directory = tempfile::tempdir().unwrap();
        for tool in [program, "echo", "getent"] {
            let found = std::process::Command::new("sh")
                .args([
                    "-c",
                    &format!("command -v /usr/bin/{tool} || command -v /bin/{tool}"),
                ])
                .output()
                .unwrap();
            let found = String::from_utf8(found.stdout).unwrap();
            assert!(!found.is_empty(), "this test needs {tool}");
            std::os::unix::fs::symlink(found.trim(), directory.path().join(tool)).unwrap();
        }
        let sandbox = LocalSandbox::with_path(directory.path().to_str().unwrap());
        let report = diagnose(&sandbox, &options(open)).await;
        assert_eq!(report.checks()["network"], Check::Ok, "{program}");
        let report = diagnose(&sandbox, &options(1)).await;
        let network = report.checks()["network"].to_string();
        assert!(
            network.starts_with("failed: cannot connect"),
            "{program}: {network}"
        );
        let unknown = DiagnoseOptions {
            target: Some(Target::new("no-such-host.invalid", 443).unwrap()),
            ..options(1)
        };
        let report = diagnose(&sandbox, &unknown).await;
        let network = report.checks()["network"].to_string();
        assert!(
            network.starts_with("failed: cannot resolve"),
            "{program}: {network}"
        );
    }
}

#[test]
fn targets_are_hosts_and_never_options() {
    for (host, port) in [
        ("", 1),
        ("-x", 1),
        ("a b", 1),
        ("a;b", 1),
        ("$(id)", 1),
        ("a", 0),
    ] {
        assert!(Target::new(host, port).is_err(), "{host}");
    }
    assert!(Target::new("::1", 1).is_err());
    assert!(Target::new("example.com", 443).is_ok());
}
