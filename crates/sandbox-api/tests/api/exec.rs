//! Commands that a request waits for.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use sandbox_core::SandboxId;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::stream::{Events, Told, soon, until};
use crate::support::World;

async fn world() -> (World, SandboxId) {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    (world, id)
}

fn path(id: &SandboxId) -> String {
    format!("/v1/sandboxes/{id}/exec")
}

async fn run(world: &World, id: &SandboxId, body: Value) -> Value {
    let ran = world.post(path(id)).json(&body).send().await;
    ran.expect(200).json()
}

#[tokio::test]
async fn a_command_answers_what_it_said_and_how_it_ended() {
    let (world, id) = world().await;
    for (body, expected) in [
        (
            json!({"command": "echo out; echo err >&2; exit 3"}),
            json!({"stdout": "out\n", "stderr": "err\n", "exit_code": 3}),
        ),
        (
            json!({"command": ["echo", "$HOME", "a b"]}),
            json!({"stdout": "$HOME a b\n", "exit_code": 0}),
        ),
        (
            json!({"command": "pwd; echo $A; whoami", "cwd": "/tmp", "env": {"A": "1 2"}, "user": "nobody"}),
            json!({"stdout": "/tmp\n1 2\nnobody\n"}),
        ),
        (
            json!({"command": "cat", "stdin": "text ü"}),
            json!({"stdout": "text ü", "exit_code": 0}),
        ),
        (
            json!({"command": "cat", "stdin": ""}),
            json!({"stdout": "", "exit_code": 0}),
        ),
        (
            json!({"command": "cat", "stdin_base64": "/wD/"}),
            json!({"stdout": "\u{fffd}\0\u{fffd}", "stdout_base64": "/wD/"}),
        ),
        (json!({"command": "cat"}), json!({"stdout": ""})),
        (
            json!({"command": "kill -TERM $$; sleep 100"}),
            json!({"exit_code": 143, "signal": "SIGTERM"}),
        ),
        (
            json!({"command": "no-such-program"}),
            json!({"exit_code": 127, "stdout": ""}),
        ),
    ] {
        let answer = run(&world, &id, body.clone()).await;
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&answer[field], value, "{field} of {body}: {answer}");
        }
        assert_eq!(answer["timed_out"], false, "{body}");
        assert_eq!(answer["truncated"], false, "{body}");
    }
    let plain = run(&world, &id, json!({"command": "true"})).await;
    let fields: Vec<_> = plain.as_object().unwrap().keys().cloned().collect();
    let contract = [
        "duration_ms",
        "exit_code",
        "stderr",
        "stdout",
        "timed_out",
        "truncated",
    ];
    assert_eq!(fields, contract);
}

#[tokio::test]
async fn a_command_that_runs_into_its_time_limit_is_killed_and_says_so() {
    for (timeout, seconds) in [(Some("2s"), 2), (Some("5m"), 300), (None, 30)] {
        let world = World::new().await;
        // One that is not at the end of its own time as well.
        let body = json!({"image": sandbox_testkit::FAKE_IMAGE, "mode": "persistent"});
        let made = world.post("/v1/sandboxes").json(&body).send().await;
        let shown = made.expect(201).json();
        let id = SandboxId::new(shown["id"].as_str().unwrap()).unwrap();
        let mut body = json!({"command": "echo before; sleep 1000"});
        if let Some(timeout) = timeout {
            body["timeout"] = json!(timeout);
        }
        let before = world.clock.sleepers();
        let running = run(&world, &id, body);
        let passing = async {
            // The command's sleep, and its limit.
            world.clock.wait_for_sleepers(before + 2).await;
            world.clock.advance(Duration::from_secs(seconds));
        };
        let (answer, ()) = soon(async { tokio::join!(running, passing) }).await;
        assert_eq!(answer["timed_out"], true, "{timeout:?}: {answer}");
        assert_eq!(answer["exit_code"], 137);
        assert_eq!(answer["stdout"], "before\n");
        assert_eq!(answer["duration_ms"], seconds * 1000);
    }
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_by_name() {
    let (world, id) = world().await;
    let started = world.daemon.faults().count(sandbox_testkit::Call::Spawn);
    let long = "x".repeat(200 << 10);
    let large = "x".repeat(1 << 20);
    for (body, status, field) in [
        (json!({}), 400, "command"),
        (json!({"command": ""}), 400, "command"),
        (json!({"command": " \n"}), 400, "command"),
        (json!({"command": []}), 400, "command"),
        (json!({"command": [""]}), 400, "command"),
        (json!({"command": null}), 400, "command"),
        (json!({"command": 5}), 400, "command"),
        (json!({"command": ["echo", 5]}), 400, "command"),
        (json!({"command": "a\0b"}), 400, "command"),
        (json!({"command": long}), 400, "command"),
        (json!({"command": large}), 413, ""),
        (
            json!({"command": "true", "timeout": "5m1s"}),
            400,
            "timeout",
        ),
        (json!({"command": "true", "timeout": "0s"}), 400, "timeout"),
        (
            json!({"command": "true", "timeout": "soon"}),
            400,
            "timeout",
        ),
        (json!({"command": "true", "timeout": 30}), 400, "timeout"),
        (
            json!({"command": "true", "timeout": "99999999999999999999s"}),
            400,
            "timeout",
        ),
        (json!({"command": "true", "cwd": "tmp"}), 400, "cwd"),
        (json!({"command": "true", "cwd": "/a\0b"}), 400, "cwd"),
        (json!({"command": "true", "user": "a:b:c"}), 400, "user"),
        (json!({"command": "true", "env": {"": "x"}}), 400, "env"),
        (
            json!({"command": "true", "env": {"A": "x".repeat(1_000_000)}}),
            400,
            "env",
        ),
        (
            json!({"command": "true", "stdin": "a", "stdin_base64": "YQ=="}),
            400,
            "stdin_base64",
        ),
        (
            json!({"command": "true", "stdin_base64": "?"}),
            400,
            "stdin_base64",
        ),
        (json!({"command": "true", "shell": "zsh"}), 400, "shell"),
        (json!(["true"]), 400, "body"),
        (json!("true"), 400, "body"),
    ] {
        for path in [path(&id), path(&id) + "/stream"] {
            let answer = world.post(&path).json(&body).send().await;
            let shown = body.to_string().chars().take(80).collect::<String>();
            assert_eq!(answer.status.as_u16(), status, "{shown}: {answer:?}");
            if status == 400 {
                assert_eq!(answer.field(), field, "{shown}: {answer:?}");
            }
        }
    }
    let message = |body: Value| {
        let ask = world.post(path(&id)).json(&body);
        async { ask.send().await.json()["error"]["message"].to_string() }
    };
    let limit = message(json!({"command": "true", "timeout": "1h"})).await;
    assert!(limit.contains("5m"), "{limit}");
    let kinds = message(json!({"command": {}})).await;
    assert!(kinds.contains("a line for the shell"), "{kinds}");
    let text = world.post(path(&id)).body("true").send().await;
    assert_eq!(text.expect(415).code(), "unsupported_media_type");
    let now = world.daemon.faults().count(sandbox_testkit::Call::Spawn);
    assert_eq!(now, started, "nothing was started");
}

#[tokio::test]
async fn output_beyond_what_an_answer_holds_is_cut_and_says_so() {
    let (world, id) = world().await;
    world.daemon.script("flood", |context| async move {
        for _ in 0..160 {
            context.stdout(vec![b'x'; 64 << 10]).await;
        }
        context.stderr("the end").await;
        7
    });
    let answer = run(&world, &id, json!({"command": "flood"})).await;
    assert_eq!(answer["truncated"], true);
    assert_eq!(answer["exit_code"], 7, "it ran to its end all the same");
    let (out, err) = (&answer["stdout"], &answer["stderr"]);
    let held = out.as_str().unwrap().len() + err.as_str().unwrap().len();
    assert_eq!(held, 8 << 20);
}

#[tokio::test]
async fn a_client_that_goes_away_kills_nothing_and_its_input_arrives_whole() {
    let (world, id) = world().await;
    let (started, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (has_started, may_go_on) = (Arc::clone(&started), Arc::clone(&goes_on));
    world.daemon.script("slow", move |context| {
        let (started, goes_on) = (Arc::clone(&started), Arc::clone(&goes_on));
        async move {
            started.notify_one();
            goes_on.notified().await;
            let mut read = 0;
            loop {
                let chunk = context.read_stdin().await;
                if chunk.is_empty() {
                    break;
                }
                read += chunk.len();
            }
            context.write_file("/tmp/read", read.to_string().as_bytes());
            0
        }
    });
    // More than a pipe holds.
    let input = "x".repeat(300_000);
    let running = run(&world, &id, json!({"command": "slow", "stdin": input}));
    tokio::select! {
        answer = running => panic!("{answer}"),
        () = soon(has_started.notified()) => {}
    }
    may_go_on.notify_one();
    let read = soon(async {
        loop {
            let body = json!({"command": "cat /tmp/read"});
            let answer = run(&world, &id, body).await;
            if answer["exit_code"] == 0 {
                return answer["stdout"].clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(read, "300000");
}

#[tokio::test]
async fn children_left_behind_hold_nothing_up() {
    let (world, id) = world().await;
    let body = json!({"command": "sleep 1000 & echo started"});
    let answer = soon(run(&world, &id, body)).await;
    assert_eq!(answer["stdout"], "started\n");
}

#[tokio::test]
async fn the_same_key_runs_a_command_once() {
    let (world, id) = world().await;
    let body = json!({"command": "echo x >> /tmp/count; wc -l /tmp/count"});
    let ask = || {
        world
            .post(path(&id))
            .header("idempotency-key", "k")
            .json(&body)
    };
    let first = ask().send().await.expect(200);
    let second = ask().send().await.expect(200);
    assert_eq!(first.body, second.body);
    let counted = run(&world, &id, json!({"command": "cat /tmp/count"})).await;
    assert_eq!(counted["stdout"], "x\n");
}

#[tokio::test]
async fn commands_need_a_key_that_may_write_and_a_sandbox_of_ones_own() {
    let (world, id) = world().await;
    let body = json!({"command": "true"});
    for path in [path(&id), path(&id) + "/stream"] {
        for (key, status) in [(&world.acme.read, 403), (&world.rival.write, 403)] {
            let ask = world.ask_as(key, Method::POST, &path).json(&body);
            ask.send().await.expect(status);
        }
    }
}

async fn stream(world: &World, id: &SandboxId, body: Value) -> Events {
    let ask = world.post(path(id) + "/stream").json(&body);
    Events::of(ask.open().await)
}

fn names(told: &[Told]) -> Vec<&str> {
    told.iter().map(|one| one.name.as_str()).collect()
}

#[tokio::test]
async fn a_watched_command_says_what_happens_in_order() {
    let (world, id) = world().await;
    let body = json!({"command": "echo out; cat >&2; exit 3", "stdin": "in"});
    let told = stream(&world, &id, body).await.rest().await;
    assert_eq!(names(&told), ["start", "output", "output", "exit"]);
    assert_eq!(told[0].id, None);
    assert_eq!(told[0].data["process"]["stdin"], true);
    assert_eq!(
        told[1].data,
        json!({"seq": 1, "stream": "stdout", "data": "out\n"})
    );
    assert_eq!(
        told[2].data,
        json!({"seq": 2, "stream": "stderr", "data": "in"})
    );
    assert_eq!(told[3].data["exit_code"], 3);
    let numbers: Vec<_> = told.iter().map(|one| one.id).collect();
    assert_eq!(numbers, [None, Some(1), Some(2), Some(3)]);
}

#[tokio::test]
async fn a_watched_command_ends_with_itself_and_not_with_what_it_leaves() {
    let (world, id) = world().await;
    let body = json!({"command": "sleep 1000 & echo started"});
    let told = soon(stream(&world, &id, body).await.rest()).await;
    assert_eq!(names(&told), ["start", "output", "exit"]);
}

#[tokio::test]
async fn bytes_that_are_no_text_come_in_base_64() {
    let (world, id) = world().await;
    let body = json!({"command": "cat", "stdin_base64": "/wD/"});
    let told = stream(&world, &id, body).await.rest().await;
    assert_eq!(
        told[1].data,
        json!({"seq": 1, "stream": "stdout", "data_base64": "/wD/"})
    );
}

#[tokio::test]
async fn closing_the_stream_kills_nothing() {
    let (world, id) = world().await;
    let mut events = stream(&world, &id, json!({"command": "echo up; sleep 1000"})).await;
    let started = events.expect("start").await;
    events.expect("output").await;
    drop(events);
    let process = started.data["process"]["id"].as_str().unwrap();
    let path = format!("/v1/sandboxes/{id}/processes/{process}");
    let shown = world.get(&path).send().await.expect(200).json();
    assert_eq!(shown["status"], "running");
    world.delete(&path).send().await.expect(204);
    until("it was not killed", || {
        let processes = world.engine.processes(&id).unwrap();
        processes[0].status() != sandbox_engine::process::ProcessStatus::Running
    })
    .await;
}

#[tokio::test]
async fn a_reader_that_never_reads_holds_up_nobody() {
    let (world, id) = world().await;
    world.daemon.script("flood", |context| async move {
        for _ in 0..1024 {
            context.stdout(vec![b'x'; 64 << 10]).await;
        }
        0
    });
    let mut events = stream(&world, &id, json!({"command": "flood"})).await;
    let process = events.expect("start").await.data["process"]["id"].clone();
    let path = format!("/v1/sandboxes/{id}/processes/{}", process.as_str().unwrap());
    // All 64 MiB are written although nobody reads.
    let waited = world.get(format!("{path}/wait")).send().await.expect(200);
    assert_eq!(waited.json()["status"], "exited");
    let rest = events.rest().await;
    assert_eq!(rest[0].name, "gap", "{:?}", rest[0].name);
    assert_eq!(rest.last().unwrap().name, "exit");
    let kept = rest.iter().filter(|one| one.name == "output").count();
    assert!(kept <= 16, "{kept} chunks of 64 KiB are over 1 MiB");
}

#[tokio::test]
async fn a_stream_refuses_keys_that_it_cannot_honour() {
    let (world, id) = world().await;
    let ask = world
        .post(path(&id) + "/stream")
        .header("idempotency-key", "k");
    let answer = ask.json(&json!({"command": "true"})).send().await;
    assert_eq!(answer.expect(400).field(), "idempotency_key");
}
