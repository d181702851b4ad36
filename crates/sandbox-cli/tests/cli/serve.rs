//! Starting a server, as far as it goes without a daemon, and further with one.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use sandbox_engine::store::{SqliteStore, Synchronous};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::args;
use crate::server::{Said, offline, program};

#[tokio::test]
async fn each_mistake_ends_the_start_with_one_line() {
    let here = tempfile::tempdir().unwrap();
    let at = |name: &str| here.path().join(name).to_str().unwrap().to_owned();
    let data = at("data");
    let serve = |rest: Vec<String>| {
        let args = args!["serve", "--data-dir", &data, "--listen", "127.0.0.1:0"];
        offline(args.into_iter().chain(rest).collect::<Vec<_>>())
    };
    fs::write(at("unknown.toml"), "[docker]\nnetwrk = \"x\"").unwrap();
    fs::write(at("broken.toml"), "a = 1\nb = [").unwrap();
    fs::write(at("filter.toml"), "[log]\nfilter = \"a=b=c\"").unwrap();
    fs::write(at("processes.toml"), "[wasm]\nmax_processes = 0").unwrap();
    for (rest, says) in [
        (
            vec!["--config".to_owned(), at("missing.toml")],
            "missing.toml cannot be read",
        ),
        (
            vec!["--config".to_owned(), at("unknown.toml")],
            "did you mean \"network\"?",
        ),
        (vec!["--config".to_owned(), at("broken.toml")], "line 2"),
        (vec!["--config".to_owned(), at("filter.toml")], "log.filter"),
        (
            vec!["--config".to_owned(), at("processes.toml")],
            "wasm.max_processes",
        ),
        (
            vec!["--runtime".to_owned(), "dcker".to_owned()],
            "did you mean \"docker\"?",
        ),
    ] {
        let line = serve(rest).await.failed(1);
        assert!(line.contains(says), "{line}");
    }
    assert!(
        !here.path().join("data").exists(),
        "nothing is made before all is checked"
    );

    let file = at("file");
    fs::write(&file, "").unwrap();
    let line = offline(["serve", "--data-dir", &file]).await.failed(1);
    assert!(line.starts_with("sandbox: data_dir: "), "{line}");
    let line = offline(["serve"]).await.failed(1);
    assert!(line.contains("--data-dir"), "{line}");
}

#[tokio::test]
async fn a_taken_port_and_a_directory_in_use_are_told() {
    let here = tempfile::tempdir().unwrap();
    let dir = here.path().to_str().unwrap();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    let line = offline(["serve", "--data-dir", dir, "--listen", &taken])
        .await
        .failed(1);
    assert!(line.contains(&format!("{taken} is taken")), "{line}");

    let database = here.path().join("sandbox.db");
    let _store = SqliteStore::open(&database, Synchronous::Process)
        .await
        .unwrap();
    let args = ["serve", "--data-dir", dir, "--listen", "127.0.0.1:0"];
    let line = offline(args).await.failed(1);
    assert!(line.starts_with("sandbox: data_dir: another"), "{line}");
}

#[tokio::test]
async fn a_first_start_without_a_daemon_fails_closed() {
    let here = tempfile::tempdir().unwrap();
    let mut program = program();
    program
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(here.path());
    let said: Said = program.output().await.unwrap().into();
    assert_eq!(said.out, "", "no key is shown");
    let line = said.failed(1);
    assert!(line.contains("DOCKER_HOST"), "{line}");
}

/// A server over the daemon of the tests, with a namespace of its own.
fn serve(dir: &std::path::Path, docker: &str) -> Command {
    let config = dir.join("sandbox.toml");
    fs::write(&config, "[docker]\nnamespace = \"cli_serve\"\n").unwrap();
    let mut program = program();
    program
        .env("DOCKER_HOST", docker)
        .args(["--json", "serve", "--listen", "127.0.0.1:0"])
        .arg("--data-dir")
        .arg(dir.join("data"))
        .arg("--config")
        .arg(config)
        .stdout(Stdio::piped());
    program
}

/// Starts a server, and answers it with what it said first.
async fn started(mut program: Command) -> (tokio::process::Child, serde_json::Value) {
    let mut child = program.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().expect("it starts");
    (child, serde_json::from_str(&line).unwrap())
}

fn terminate(child: &tokio::process::Child) {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn sandboxes_outlive_a_server_that_starts_again_also_while_its_daemon_is_away() {
    let docker = std::env::var("DOCKER_HOST").expect("DOCKER_HOST names the daemon");
    let image = std::env::var("SANDBOX_TEST_BASE_IMAGE").expect("the base image is named");
    let here = tempfile::tempdir().unwrap();
    let (mut first, said) = started(serve(here.path(), &docker)).await;
    let (url, key) = (
        said["url"].as_str().unwrap(),
        said["api_key"].as_str().unwrap(),
    );
    let ask = |url: &str, args: &[&str]| {
        let mut program = program();
        program
            .env("SANDBOX_URL", url)
            .env("SANDBOX_API_KEY", key)
            .args(args);
        async move { Said::from(program.output().await.unwrap()) }
    };
    let id = ask(url, &["create", "--image", &image, "--timeout", "1h"])
        .await
        .done();
    let id = id.trim().to_owned();
    ask(url, &["exec", &id, "--", "sh", "-c", "echo kept >/tmp/f"])
        .await
        .done();
    terminate(&first);
    assert_eq!(first.wait().await.unwrap().code(), Some(0));

    // The daemon was there before, so the server starts without it, and shows what it knew.
    let away = "unix:///nonexistent/docker.sock";
    let (mut second, said) = started(serve(here.path(), away)).await;
    assert_eq!(said.get("api_key"), None, "the key is shown once");
    let shown = ask(said["url"].as_str().unwrap(), &["--json", "inspect", &id])
        .await
        .json();
    assert_eq!(shown["available"], false);
    terminate(&second);
    assert_eq!(second.wait().await.unwrap().code(), Some(0));

    let (mut third, said) = started(serve(here.path(), &docker)).await;
    let url = said["url"].as_str().unwrap();
    assert_eq!(
        ask(url, &["exec", &id, "--", "cat", "/tmp/f"]).await.done(),
        "kept\n"
    );
    ask(url, &["rm", &id]).await.done();
    terminate(&third);
    assert_eq!(third.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
#[ignore = "needs a Docker daemon"]
async fn run_needs_no_server_and_leaves_nothing_on_the_daemon() {
    let docker = std::env::var("DOCKER_HOST").expect("DOCKER_HOST names the daemon");
    let image = std::env::var("SANDBOX_TEST_BASE_IMAGE").expect("the base image is named");
    let home = tempfile::tempdir().unwrap();
    let mut program = program();
    program
        .env("DOCKER_HOST", &docker)
        .env("HOME", home.path())
        .args([
            "run",
            "--image",
            &image,
            "--",
            "sh",
            "-c",
            "echo here; exit 6",
        ]);
    let said: Said = program.output().await.unwrap().into();
    assert_eq!((said.code, &*said.out), (6, "here\n"), "{said:?}");
    let runs = home.path().join(".local/state/sandbox/runs");
    assert_eq!(fs::read_dir(runs).unwrap().count(), 0);
}
