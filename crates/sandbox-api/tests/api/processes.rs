//! Processes that outlive their request.

use std::time::Duration;

use axum::http::Method;
use sandbox_core::SandboxId;
use serde_json::{Value, json};

use crate::stream::{Events, soon};
use crate::support::{Answer, World};

async fn world() -> (World, SandboxId) {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    (world, id)
}

fn base(id: &SandboxId) -> String {
    format!("/v1/sandboxes/{id}/processes")
}

async fn start(world: &World, id: &SandboxId, body: Value) -> Value {
    let started = world.post(base(id)).json(&body).send().await;
    started.expect(201).json()
}

/// The path of a process by its id.
fn at(id: &SandboxId, process: &Value) -> String {
    format!("{}/{}", base(id), process["id"].as_str().unwrap())
}

async fn wait(world: &World, path: &str) -> Value {
    let waited = soon(world.get(format!("{path}/wait")).send()).await;
    waited.expect(200).json()
}

/// All of its output that there is now.
async fn output(world: &World, path: &str, from: u64) -> Vec<crate::stream::Told> {
    let ask = world.get(format!("{path}/output?from={from}&follow=false"));
    Events::of(ask.open().await).rest().await
}

#[tokio::test]
async fn a_process_is_found_by_id_number_and_tag() {
    let (world, id) = world().await;
    let older = start(
        &world,
        &id,
        json!({"command": "sleep 1000", "tag": "a b/c"}),
    )
    .await;
    let body = json!({
        "command": ["sleep", "1000"], "cwd": "/tmp", "user": "nobody", "env": {"SECRET": "x"},
        "timeout": "1h", "tag": "a b/c", "stdin": true,
    });
    let process = start(&world, &id, body).await;
    assert!(process["id"].as_str().unwrap().starts_with("proc_"));
    assert_eq!(process["command"], json!(["sleep", "1000"]));
    assert_eq!(process["timeout_ms"], 3_600_000);
    assert_eq!(
        (&process["status"], &process["stdin"]),
        (&json!("running"), &json!(true))
    );
    assert!(!process.to_string().contains("SECRET"));
    assert_ne!(older["id"], process["id"]);

    let by_id = at(&id, &process);
    let by_number = format!("{}/{}", base(&id), process["pid"]);
    let by_tag = format!("{}/tag:a%20b%2Fc", base(&id));
    for path in [by_id, by_number, by_tag] {
        let shown = world.get(&path).send().await.expect(200).json();
        assert_eq!(shown, process, "{path}");
    }
    let list = world.get(base(&id)).send().await.expect(200).json();
    let ids: Vec<_> = list["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, [&older["id"], &process["id"]]);
}

#[tokio::test]
async fn what_names_no_process_is_not_found_or_refused() {
    let (world, id) = world().await;
    let other = world.sandbox(&world.acme).await;
    let foreign = start(&world, &other, json!({"command": "sleep 1000", "tag": "t"})).await;
    let foreign = foreign["id"].as_str().unwrap();
    let body = json!({"signal": "KILL"});
    for (name, status) in [
        (foreign, 404),
        ("tag:t", 404),
        ("tag:", 404),
        ("tag:..%2F..", 404),
        ("proc_", 404),
        ("proc_nothing", 404),
        ("proc_00000000000000000000000000000000", 404),
        ("proc_..%2F..%2Fetc", 404),
        ("1", 404),
        ("99999", 404),
        ("4294967295", 404),
        ("4294967296", 400),
        ("-1", 400),
        ("%2B1", 400),
        ("0x10", 400),
        ("x", 400),
        ("%00", 400),
        ("%ff", 400),
        ("%F0%9F%92%A9", 400),
    ] {
        let path = format!("{}/{name}", base(&id));
        let asks = [
            world.get(&path),
            world.delete(&path),
            world.get(format!("{path}/output")),
            world.get(format!("{path}/wait")),
            world.post(format!("{path}/signal")).json(&body),
            world.post(format!("{path}/stdin")).body("x"),
        ];
        for ask in asks {
            let answer = ask.send().await.expect(status);
            let field = if status == 404 { "process" } else { "pid" };
            assert_eq!(answer.field(), field, "{path}");
        }
    }
}

#[tokio::test]
async fn a_process_that_ended_says_how_and_can_be_killed_again() {
    let (world, id) = world().await;
    let process = start(&world, &id, json!({"command": "exit 3"})).await;
    let path = at(&id, &process);
    let ended = wait(&world, &path).await;
    assert_eq!(
        (&ended["status"], &ended["exit"]["exit_code"]),
        (&json!("exited"), &json!(3))
    );
    assert!(ended["ended_at"].is_string());
    for _ in 0..2 {
        world.delete(&path).send().await.expect(204);
    }
    let signal = world
        .post(format!("{path}/signal"))
        .json(&json!({"signal": "TERM"}));
    assert_eq!(signal.send().await.expect(404).field(), "process");
}

#[tokio::test]
async fn signals_reach_a_process_by_name_and_number() {
    let (world, id) = world().await;
    for (signal, code, name) in [
        ("TERM", 143, "SIGTERM"),
        ("sigint", 130, "SIGINT"),
        ("9", 137, "SIGKILL"),
    ] {
        let process = start(&world, &id, json!({"command": "sleep 1000"})).await;
        let path = at(&id, &process);
        let ask = world
            .post(format!("{path}/signal"))
            .json(&json!({"signal": signal}));
        ask.send().await.expect(204);
        let ended = wait(&world, &path).await;
        assert_eq!(ended["exit"]["exit_code"], code, "{signal}");
        assert_eq!(ended["exit"]["signal"], name, "{signal}");
    }
    let process = start(&world, &id, json!({"command": "sleep 1000"})).await;
    for body in [
        json!({}),
        json!({"signal": 15}),
        json!({"signal": "0"}),
        json!({"signal": "NONE"}),
    ] {
        let ask = world.post(at(&id, &process) + "/signal").json(&body);
        assert_eq!(ask.send().await.expect(400).field(), "signal", "{body}");
    }
}

#[tokio::test]
async fn bytes_reach_standard_input_as_they_are() {
    let (world, id) = world().await;
    let process = start(&world, &id, json!({"command": "wc -c", "stdin": true})).await;
    let path = at(&id, &process);
    let part = vec![0xff; 300_000];
    world
        .post(format!("{path}/stdin"))
        .body(part.clone())
        .send()
        .await
        .expect(204);
    world.post(format!("{path}/stdin")).send().await.expect(204);
    world
        .post(format!("{path}/stdin?close=true"))
        .body(part)
        .send()
        .await
        .expect(204);
    let ended = wait(&world, &path).await;
    assert_eq!(ended["exit"]["exit_code"], 0);
    let told = output(&world, &path, 0).await;
    assert_eq!(told[0].data["data"], "600000\n");
}

#[tokio::test]
async fn input_that_is_not_open_and_terminals_that_are_not_there_are_conflicts() {
    let (world, id) = world().await;
    let process = start(&world, &id, json!({"command": "sleep 1000"})).await;
    let path = at(&id, &process);
    world
        .post(format!("{path}/stdin"))
        .body("x")
        .send()
        .await
        .expect(409);
    let size = json!({"cols": 100, "rows": 30});
    world
        .post(format!("{path}/resize"))
        .json(&size)
        .send()
        .await
        .expect(409);
    let key = world
        .post(format!("{path}/stdin"))
        .header("idempotency-key", "k")
        .body("x");
    assert_eq!(key.send().await.expect(400).field(), "idempotency_key");
}

#[tokio::test]
async fn a_terminal_has_the_size_it_is_given() {
    let (world, id) = world().await;
    let body = json!({"command": "stty size; cat; stty size", "pty": {"cols": 100, "rows": 30}});
    let process = start(&world, &id, body).await;
    assert_eq!(process["pty"], json!({"cols": 100, "rows": 30}));
    let path = at(&id, &process);
    let ask = world.get(format!("{path}/output"));
    let mut events = Events::of(ask.open().await);
    let first = events.expect("output").await;
    assert_eq!(first.data["stream"], "pty");
    assert!(
        first.data["data"].as_str().unwrap().starts_with("30 100"),
        "{first:?}"
    );

    let resize = world
        .post(format!("{path}/resize"))
        .json(&json!({"cols": 7, "rows": 5}));
    resize.send().await.expect(204);
    let none = world
        .post(format!("{path}/resize"))
        .json(&json!({"cols": 0, "rows": 5}));
    none.send().await.expect(400);
    // The end of the file, as a terminal has it.
    world
        .post(format!("{path}/stdin"))
        .body("\u{4}")
        .send()
        .await
        .expect(204);
    let rest: String = events
        .rest()
        .await
        .iter()
        .filter_map(|told| told.data["data"].as_str().map(str::to_owned))
        .collect();
    assert!(rest.contains("5 7"), "{rest:?}");
}

#[tokio::test]
async fn output_is_read_from_any_number_on_and_says_what_is_missing() {
    let (world, id) = world().await;
    world.daemon.script("chunks", |context| async move {
        for chunk in 1..=3 {
            context.stdout(format!("{chunk}\n")).await;
        }
        0
    });
    let process = start(&world, &id, json!({"command": "chunks"})).await;
    let path = at(&id, &process);
    wait(&world, &path).await;
    for (from, numbers) in [
        (0, &[1, 2, 3, 4][..]),
        (1, &[1, 2, 3, 4]),
        (3, &[3, 4]),
        (4, &[4]),
        (5, &[]),
        (u64::MAX, &[]),
    ] {
        for follow in [true, false] {
            let ask = world.get(format!("{path}/output?from={from}&follow={follow}"));
            let told = Events::of(ask.open().await).rest().await;
            let seen: Vec<_> = told.iter().map(|one| one.id.unwrap()).collect();
            assert_eq!(seen, numbers, "from {from}, follow {follow}");
        }
    }
    for (query, field) in [
        ("from=-1", "from"),
        ("from=18446744073709551616", "from"),
        ("from=x", "from"),
        ("follow=maybe", "follow"),
        ("since=1", "since"),
    ] {
        let answer = world.get(format!("{path}/output?{query}")).send().await;
        assert_eq!(answer.expect(400).field(), field, "{query}");
    }
}

#[tokio::test]
async fn more_output_than_is_kept_leaves_a_gap_that_says_so() {
    let (world, id) = world().await;
    world.daemon.script("flood", |context| async move {
        for _ in 0..64 {
            context.stdout(vec![b'x'; 64 << 10]).await;
        }
        0
    });
    let process = start(&world, &id, json!({"command": "flood"})).await;
    let path = at(&id, &process);
    wait(&world, &path).await;
    let told = output(&world, &path, 0).await;
    assert_eq!(
        (told[0].name.as_str(), &told[0].data["from"]),
        ("gap", &json!(1))
    );
    let after = told[0].data["to"].as_u64().unwrap() + 1;
    assert_eq!(told[1].id, Some(after));
    assert_eq!(told.last().unwrap().name, "exit");
}

#[tokio::test]
async fn waiting_ends_with_the_process_or_in_time() {
    let (world, id) = world().await;
    let process = start(&world, &id, json!({"command": "sleep 10"})).await;
    let path = at(&id, &process);
    let waited = world.get(format!("{path}/wait?timeout=1ms")).send().await;
    assert_eq!(waited.expect(200).json()["status"], "running");
    let long = world.get(format!("{path}/wait?timeout=6m")).send().await;
    assert_eq!(long.expect(400).field(), "timeout");

    let waiting = wait(&world, &path);
    let passing = async {
        world.clock.advance(Duration::from_secs(10));
    };
    let (ended, ()) = tokio::join!(waiting, passing);
    assert_eq!(ended["status"], "exited");
}

async fn refused(world: &World, id: &SandboxId, body: Value) -> Answer {
    let started = world.post(base(id)).json(&body).send().await;
    started.expect(400)
}

#[tokio::test]
async fn what_cannot_be_started_is_refused_by_name() {
    let (world, id) = world().await;
    for (body, field) in [
        (json!({}), "command"),
        (json!({"command": "true", "tag": ""}), "tag"),
        (json!({"command": "true", "tag": "x".repeat(129)}), "tag"),
        (
            json!({"command": "true", "pty": {"cols": 0, "rows": 1}}),
            "pty",
        ),
        (
            json!({"command": "true", "pty": {"cols": 65536, "rows": 1}}),
            "pty.cols",
        ),
        (json!({"command": "true", "pty": {"cols": 1}}), "pty.rows"),
        (json!({"command": "true", "timeout": "0s"}), "timeout"),
        (json!({"command": "true", "timeout": "9999d"}), "timeout"),
        (json!({"command": "true", "stdin": "text"}), "stdin"),
    ] {
        assert_eq!(
            refused(&world, &id, body.clone()).await.field(),
            field,
            "{body}"
        );
    }
    assert!(world.engine.processes(&id).unwrap().is_empty());
}

#[tokio::test]
async fn there_are_only_so_many_processes_at_once() {
    let (world, id) = world().await;
    let body = json!({"command": "sleep 1000"});
    let first = start(&world, &id, body.clone()).await;
    for _ in 1..128 {
        start(&world, &id, body.clone()).await;
    }
    for _ in 0..200 {
        let answer = refused(&world, &id, body.clone()).await;
        assert_eq!(
            (answer.code().as_str(), answer.field().as_str()),
            ("limit_exceeded", "processes")
        );
    }
    let path = at(&id, &first);
    world.delete(&path).send().await.expect(204);
    wait(&world, &path).await;
    start(&world, &id, body).await;
    let list = world.get(base(&id)).send().await.expect(200).json();
    assert_eq!(list["processes"].as_array().unwrap().len(), 129);
}

#[tokio::test]
async fn a_list_shows_no_more_than_the_beginning_of_a_long_command() {
    let (world, id) = world().await;
    let line = format!("sleep 1000 #{}", "ü".repeat(50_000));
    let argv: Vec<_> = std::iter::once("true".to_owned())
        .chain((0..300).map(|_| "y".repeat(2_000)))
        .collect();
    let shell = start(&world, &id, json!({"command": line})).await;
    let listed = start(&world, &id, json!({"command": argv})).await;
    let list = world.get(base(&id)).send().await.expect(200);
    assert!(list.body.len() < 100_000, "{} bytes", list.body.len());
    for (process, whole) in [(shell, json!(line)), (listed, json!(argv))] {
        let shown = world.get(at(&id, &process)).send().await.expect(200).json();
        assert_eq!(shown["command"], whole);
    }
}

#[tokio::test]
async fn a_reader_can_look_and_nothing_else() {
    let (world, id) = world().await;
    let process = start(&world, &id, json!({"command": "sleep 1000"})).await;
    let path = at(&id, &process);
    let read = |method, path: &str| world.ask_as(&world.acme.read, method, path);
    for path in [
        base(&id),
        path.clone(),
        format!("{path}/output?follow=false"),
    ] {
        read(Method::GET, &path).send().await.expect(200);
    }
    read(Method::DELETE, &path).send().await.expect(403);
    for below in ["stdin", "signal", "resize"] {
        let ask = read(Method::POST, &format!("{path}/{below}"));
        ask.send().await.expect(403);
    }
    let system = format!("/v1/sandboxes/{id}/system/processes");
    read(Method::GET, &system).send().await.expect(200);
    read(Method::POST, &format!("{system}/1/signal"))
        .send()
        .await
        .expect(403);
    read(Method::GET, &format!("/v1/sandboxes/{id}/diagnostics"))
        .send()
        .await
        .expect(403);
}

#[tokio::test]
async fn every_process_is_listed_and_takes_signals_by_its_number() {
    let (world, id) = world().await;
    let started = start(&world, &id, json!({"command": ["sleep", "1000"]})).await;
    let path = format!("/v1/sandboxes/{id}/system/processes");
    let list = world.get(&path).send().await.expect(200).json();
    let found = list["processes"].as_array().unwrap();
    let own = found
        .iter()
        .find(|one| one["pid"] == started["pid"])
        .unwrap();
    assert_eq!(own["argv"], json!(["sleep", "1000"]));
    assert_eq!(own["spawned"], true);
    let numbers: Vec<_> = found.iter().map(|one| one["pid"].as_u64()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");

    let signal = async |pid: &str| {
        let ask = world.post(format!("{path}/{pid}/signal"));
        ask.json(&json!({"signal": "KILL"})).send().await
    };
    for (pid, status) in [
        ("0", 400),
        ("-1", 400),
        ("2147483648", 400),
        ("4294967295", 400),
        ("4294967296", 400),
        ("x", 400),
        ("31999", 404),
    ] {
        let answer = signal(pid).await.expect(status);
        assert_eq!(answer.field(), "pid", "{pid}: {answer:?}");
    }
    signal(&started["pid"].to_string()).await.expect(204);
    let ended = wait(&world, &at(&id, &started)).await;
    assert_eq!(ended["exit"]["exit_code"], 137);
}

#[tokio::test]
async fn a_sandbox_tells_what_it_uses_and_whether_it_works() {
    let (world, id) = world().await;
    let path = format!("/v1/sandboxes/{id}");
    let stats = world
        .get(format!("{path}/stats"))
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(stats["memory_limit"], 512 << 20);
    let report = world
        .get(format!("{path}/diagnostics"))
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(report["healthy"], true, "{report}");
    assert_eq!(report["checks"]["filesystem"], "ok");
    assert_eq!(report["checks"]["runtime"], "ok");
    let network = report["checks"]["network"].as_str().unwrap();
    assert!(network.starts_with("skipped: "), "{network}");

    world
        .post(format!("{path}/suspend"))
        .send()
        .await
        .expect(200);
    let report = world
        .get(format!("{path}/diagnostics"))
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(report["healthy"], false, "{report}");
    world.delete(&path).send().await.expect(204);
    for below in ["stats", "diagnostics", "processes", "system/processes"] {
        let answer = world.get(format!("{path}/{below}")).send().await;
        assert_eq!(answer.expect(409).code(), "conflict", "{below}");
    }
}
