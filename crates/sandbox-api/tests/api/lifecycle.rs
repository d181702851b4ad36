//! The life of a sandbox, as its callers change it.

use std::time::Duration;

use axum::http::Method;
use sandbox_core::SandboxId;
use sandbox_core::lifecycle::State;
use sandbox_testkit::{Call, FAKE_IMAGE, Fault, When};
use serde_json::{Value, json};

use crate::stream::soon;
use crate::support::World;

/// A state to bring a sandbox into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    Creating,
    Running,
    Suspended,
    Failed,
    Destroyed,
}

const ALL: [In; 5] = [
    In::Creating,
    In::Running,
    In::Suspended,
    In::Failed,
    In::Destroyed,
];

/// A sandbox of `mode` that was brought into `state`.
async fn sandbox(world: &World, mode: &str, state: In) -> SandboxId {
    let faults = world.daemon.faults();
    match state {
        In::Creating => faults.inject(Fault::hang(Call::Create, When::Before)),
        In::Running | In::Suspended | In::Failed | In::Destroyed => {}
    }
    let body =
        json!({"image": FAKE_IMAGE, "mode": mode, "timeout": "10m", "wait": state != In::Creating});
    let made = world.post("/v1/sandboxes").json(&body).send().await;
    let shown = made.expect(201).json();
    let id = SandboxId::new(shown["id"].as_str().unwrap()).unwrap();
    match state {
        In::Creating => faults.wait_for_hanging(1).await,
        In::Running => {}
        In::Suspended => {
            world.engine.pause(&id).await.unwrap();
        }
        In::Failed => {
            assert!(world.daemon.crash(&id));
            reached(world, &id, State::Failed).await;
        }
        In::Destroyed => {
            world.engine.destroy(&id).await.unwrap();
        }
    }
    id
}

async fn reached(world: &World, id: &SandboxId, state: State) {
    soon(async {
        while world.engine.get(id).await.unwrap().state() != state {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// What `method` on `path` below a sandbox in each of the states is answered.
async fn answers(mode: &str, path: &str, body: Option<&Value>, expected: [(In, u16); 5]) {
    for (state, status) in expected {
        let world = World::new().await;
        let id = sandbox(&world, mode, state).await;
        let mut ask = world.ask(Method::POST, format!("/v1/sandboxes/{id}/{path}"));
        if let Some(body) = body {
            ask = ask.json(body);
        }
        let answering = ask.send();
        // What waits for a creation is answered when that goes on.
        let releasing = async {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                world.daemon.faults().release();
            }
        };
        let answer = tokio::select! {
            answer = answering => answer,
            () = releasing => unreachable!("it goes on for ever"),
        };
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{path}, {mode}, {state:?}: {answer:?}"
        );
        if status == 409 {
            assert_eq!(answer.code(), "conflict", "{path}, {mode}, {state:?}");
        }
    }
}

fn in_each(statuses: [u16; 5]) -> [(In, u16); 5] {
    std::array::from_fn(|at| (ALL[at], statuses[at]))
}

// Each row: creating, running, suspended, failed, destroyed.

#[tokio::test]
async fn keepalive_is_for_ephemeral_sandboxes_that_run() {
    let body = json!({"timeout": "1h"});
    let rows = in_each([409, 200, 409, 409, 409]);
    answers("ephemeral", "keepalive", Some(&body), rows).await;
    let rows = in_each([409, 409, 409, 409, 409]);
    answers("persistent", "keepalive", Some(&body), rows).await;
}

#[tokio::test]
async fn a_timeout_is_for_ephemeral_sandboxes_that_have_not_ended() {
    let body = json!({"timeout": "1h"});
    let rows = in_each([200, 200, 200, 409, 409]);
    answers("ephemeral", "timeout", Some(&body), rows).await;
    let rows = in_each([409, 409, 409, 409, 409]);
    answers("persistent", "timeout", Some(&body), rows).await;
}

#[tokio::test]
async fn waking_is_for_what_can_be_woken_or_runs() {
    for mode in ["ephemeral", "persistent"] {
        answers(mode, "wake", None, in_each([200, 200, 200, 409, 409])).await;
    }
}

#[tokio::test]
async fn suspending_is_for_what_runs_or_is_suspended() {
    for mode in ["ephemeral", "persistent"] {
        answers(mode, "suspend", None, in_each([200, 200, 200, 409, 409])).await;
    }
}

#[tokio::test]
async fn commands_are_for_sandboxes_that_run() {
    let body = json!({"command": "true"});
    let rows = in_each([200, 200, 409, 409, 409]);
    answers("persistent", "exec", Some(&body), rows).await;
    answers("persistent", "exec/stream", Some(&body), rows).await;
    let rows = in_each([201, 201, 409, 409, 409]);
    answers("persistent", "processes", Some(&body), rows).await;
}

#[tokio::test]
async fn keepalive_extends_is_clamped_and_never_shortens() {
    let world = World::new().await;
    let id = sandbox(&world, "ephemeral", In::Running).await;
    let path = format!("/v1/sandboxes/{id}/keepalive");
    for (asked, seconds) in [
        ("1m", 600),
        ("1h", 3600),
        ("30d", 24 * 3600),
        ("10000000000h", 24 * 3600),
        ("1h", 24 * 3600),
    ] {
        let body = json!({"timeout": asked});
        let shown = world
            .post(&path)
            .json(&body)
            .send()
            .await
            .expect(200)
            .json();
        let expires = world.clock.now().plus(Duration::from_secs(seconds));
        assert_eq!(shown["expires_at"], expires.to_string(), "{asked}");
    }
}

#[tokio::test]
async fn a_timeout_is_exact_and_clamped() {
    let world = World::new().await;
    let id = sandbox(&world, "ephemeral", In::Running).await;
    let path = format!("/v1/sandboxes/{id}/timeout");
    for (asked, seconds) in [("1h", 3600), ("1m", 60), ("48h", 24 * 3600), ("1s", 1)] {
        let body = json!({"timeout": asked});
        let shown = world
            .post(&path)
            .json(&body)
            .send()
            .await
            .expect(200)
            .json();
        let expires = world.clock.now().plus(Duration::from_secs(seconds));
        assert_eq!(shown["expires_at"], expires.to_string(), "{asked}");
    }
    world.clock.advance(Duration::from_secs(1));
    reached(&world, &id, State::Destroyed).await;
}

#[tokio::test]
async fn a_time_that_makes_no_sense_is_refused_by_name() {
    let world = World::new().await;
    let id = sandbox(&world, "ephemeral", In::Running).await;
    for path in ["keepalive", "timeout"] {
        for (body, field) in [
            (json!({}), "timeout"),
            (json!({"timeout": "0s"}), "timeout"),
            (json!({"timeout": "-5m"}), "timeout"),
            (json!({"timeout": 300}), "timeout"),
            (json!({"timeout": "5m", "more": 1}), "more"),
        ] {
            let ask = world.post(format!("/v1/sandboxes/{id}/{path}")).json(&body);
            assert_eq!(ask.send().await.expect(400).field(), field, "{path} {body}");
        }
    }
}

#[tokio::test]
async fn a_sandbox_with_auto_wake_is_woken_by_its_use() {
    let world = World::new().await;
    let body = json!({"image": FAKE_IMAGE, "mode": "persistent", "auto_wake": true});
    let made = world.post("/v1/sandboxes").json(&body).send().await;
    let id = made.expect(201).json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/sandboxes/{id}");
    let suspended = world.post(format!("{path}/suspend")).send().await;
    assert_eq!(suspended.expect(200).json()["status"], "suspended");

    // Looking at it does not wake it.
    let shown = world.get(&path).send().await.expect(200).json();
    assert_eq!(shown["status"], "suspended");
    let body = json!({"command": "echo awake"});
    let ran = world.post(format!("{path}/exec")).json(&body).send().await;
    assert_eq!(ran.expect(200).json()["stdout"], "awake\n");
    let shown = world.get(&path).send().await.expect(200).json();
    assert_eq!(shown["status"], "running");
}

#[tokio::test]
async fn a_command_is_activity_and_a_look_is_none() {
    let world = World::new().await;
    let id = sandbox(&world, "persistent", In::Running).await;
    let path = format!("/v1/sandboxes/{id}");
    let last = async || {
        let shown = world.get(&path).send().await.expect(200).json();
        shown["last_activity_at"].as_str().unwrap().to_owned()
    };
    let first = last().await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(last().await, first);
    let body = json!({"command": "true"});
    world
        .post(format!("{path}/exec"))
        .json(&body)
        .send()
        .await
        .expect(200);
    soon(async {
        while last().await == first {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
