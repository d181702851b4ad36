//! A request with a key is carried out once.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use futures_util::FutureExt;
use sandbox_engine::idempotency::{
    Idempotency, IdempotencyLimits, IdempotencyStore, MemoryIdempotency,
};
use sandbox_engine::owners::Quotas;
use serde_json::json;

use super::lab::Lab;
use crate::config::ApiConfig;

#[tokio::test]
async fn the_same_request_again_gets_the_first_answer_again() {
    let lab = Lab::new().await;
    let ask = |key: &str, count: u8| {
        let ask = lab
            .post("/test/add")
            .json(&json!({"inner": {"count": count}}));
        ask.header("idempotency-key", key)
    };
    let first = ask("k1", 1).send().await.expect(201);
    assert_eq!(first.header("idempotent-replayed"), "");
    let again = ask("k1", 1)
        .header("x-request-id", "another")
        .send()
        .await
        .expect(201);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(again.header("x-request-id"), "another");
    assert_eq!(again.header("x-added"), "yes");
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(again.body, first.body);
    assert_eq!(lab.doings.done(), 1);

    let other = ask("k1", 2).send().await.expect(409);
    assert_eq!(
        (other.code().as_str(), other.field().as_str()),
        ("conflict", "idempotency_key")
    );
    ask("k2", 1).send().await.expect(201);
    assert_eq!(lab.doings.done(), 2);
}

#[tokio::test]
async fn both_spellings_of_the_header_are_one_key() {
    let lab = Lab::new().await;
    let add = json!({"inner": {"count": 1}});
    lab.post("/test/add")
        .json(&add)
        .header("idempotency-key", "k")
        .send()
        .await
        .expect(201);
    let again = lab
        .post("/test/add")
        .json(&add)
        .header("x-idempotency-key", "k")
        .send()
        .await;
    assert_eq!(again.expect(201).header("idempotent-replayed"), "true");
    let both = lab
        .post("/test/add")
        .json(&add)
        .header("idempotency-key", "k");
    let both = both
        .header("x-idempotency-key", "l")
        .send()
        .await
        .expect(400);
    assert_eq!(both.field(), "idempotency_key");
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let lab = Lab::new().await;
    for bad in ["", "two words", &"k".repeat(256)] {
        let ask = lab.post("/test/add").json(&json!({"inner": {"count": 1}}));
        let answer = ask.header("idempotency-key", bad).send().await.expect(400);
        assert_eq!(answer.field(), "idempotency_key", "{bad:?}");
    }
    assert_eq!(lab.doings.done(), 0);
}

#[tokio::test]
async fn keys_of_others_and_on_other_queries_are_other_keys() {
    let lab = Lab::new().await;
    let add = json!({"inner": {"count": 1}});
    let ask = async |key: &str, path: &str| {
        let ask = lab.ask_as(key, Method::POST, path).json(&add);
        ask.header("idempotency-key", "k").send().await
    };
    ask(&lab.acme.write, "/test/add").await.expect(201);
    let rival = ask(&lab.rival.write, "/test/add").await.expect(201);
    assert_eq!(rival.header("idempotent-replayed"), "");
    ask(&lab.acme.write, "/test/add?more=1").await.expect(409);
    assert_eq!(lab.doings.done(), 2);
}

#[tokio::test]
async fn two_at_once_are_carried_out_once() {
    let lab = Lab::new().await;
    let ask = || lab.post("/test/hang").header("idempotency-key", "k").send();
    let meanwhile = async {
        lab.doings.begun(1).await;
        lab.doings.go.add_permits(2);
    };
    let (one, two, ()) = tokio::join!(ask(), ask(), meanwhile);
    let replayed = [one.expect(204), two.expect(204)];
    let replayed = replayed
        .iter()
        .filter(|answer| answer.header("idempotent-replayed") == "true");
    assert_eq!((replayed.count(), lab.doings.done()), (1, 1));
}

#[tokio::test]
async fn a_client_that_leaves_neither_stops_the_effect_nor_loses_the_answer() {
    let lab = Lab::new().await;
    {
        let mut leaving = Box::pin(lab.post("/test/hang").header("idempotency-key", "k").send());
        // Until the handler has begun, and no longer.
        tokio::select! {
            _ = &mut leaving => panic!("it does not end by itself"),
            () = lab.doings.begun(1) => {}
        }
        assert!((&mut leaving).now_or_never().is_none());
    }
    lab.doings.go.add_permits(1);
    let again = lab
        .post("/test/hang")
        .header("idempotency-key", "k")
        .send()
        .await
        .expect(204);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(lab.doings.done(), 1);
}

#[tokio::test]
async fn without_a_key_a_client_that_leaves_takes_its_request_with_it() {
    let lab = Lab::new().await;
    let mut leaving = Box::pin(lab.post("/test/hang").send());
    tokio::select! {
        _ = &mut leaving => panic!("it does not end by itself"),
        () = lab.doings.begun(1) => {}
    }
    drop(leaving);
    lab.doings.go.add_permits(1);
    assert_eq!(lab.doings.go.available_permits(), 1);
    assert_eq!(lab.doings.done(), 0);
}

#[tokio::test]
async fn what_was_refused_frees_its_key_and_what_may_have_been_done_does_not() {
    let lab = Lab::new().await;
    let ask = async |kind: &str, key: &str| {
        let ask = lab.post("/test/fail").json(&json!(kind));
        ask.header("idempotency-key", key).send().await
    };
    for (kind, status, runs) in [
        ("not_found", 404, 2),
        ("invalid_spec", 400, 2),
        ("conflict", 409, 2),
        ("timeout", 504, 1),
        ("internal", 500, 1),
    ] {
        let before = lab.doings.done();
        ask(kind, kind).await.expect(status);
        let again = ask(kind, kind).await.expect(status);
        assert_eq!(lab.doings.done() - before, runs, "{kind}");
        let replayed = again.header("idempotent-replayed") == "true";
        assert_eq!(replayed, runs == 1, "{kind}");
    }
    // Away in the middle: nobody knows.
    ask("unavailable", "u").await.expect(503);
    assert_eq!(
        ask("unavailable", "u").await.expect(409).field(),
        "idempotency_key"
    );
}

#[tokio::test]
async fn a_handler_that_panicked_is_not_run_again() {
    let lab = Lab::new().await;
    let ask = async || {
        lab.post("/test/panic")
            .header("idempotency-key", "k")
            .send()
            .await
    };
    let first = ask().await.expect(500);
    assert!(!first.json().to_string().contains("secret"));
    assert_eq!(ask().await.expect(409).field(), "idempotency_key");
    assert_eq!(lab.doings.done(), 1);
}

#[tokio::test]
async fn a_stream_refuses_a_key_and_a_read_does_not_mind_one() {
    let lab = Lab::new().await;
    let refused = lab
        .post("/test/stream")
        .header("idempotency-key", "k")
        .send()
        .await
        .expect(400);
    assert_eq!(refused.field(), "idempotency_key");
    assert_eq!(lab.doings.done(), 0);
    lab.post("/test/stream").send().await.expect(200);
    lab.get("/test/fine")
        .header("idempotency-key", "k")
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_body_that_a_route_does_not_take_does_not_matter() {
    let lab = Lab::new().await;
    lab.doings.go.add_permits(2);
    let ask = |body: &'static str| {
        lab.post("/test/hang")
            .header("idempotency-key", "k")
            .body(body)
    };
    ask("{}").send().await.expect(204);
    let again = ask("").send().await.expect(204);
    assert_eq!(again.header("idempotent-replayed"), "true");
}

#[tokio::test]
async fn keys_are_forgotten_in_time_also_where_nobody_asks_for_it() {
    let store = Arc::new(MemoryIdempotency::default());
    let config = ApiConfig {
        idempotency: Idempotency::new(store.clone(), IdempotencyLimits::default()),
        ..ApiConfig::default()
    };
    let lab = Lab::with(config, Quotas::default()).await;
    let owner = lab.acme.owner();
    let ask = async |key: &str| {
        let ask = lab.post("/test/add").json(&json!({"inner": {"count": 1}}));
        ask.header("idempotency-key", key).send().await.expect(201)
    };
    ask("first").await;
    lab.clock.advance(Duration::from_secs(24 * 60 * 60));
    ask("second").await;
    for _ in 0..6_000 {
        if store.totals(owner.as_str()).await.unwrap().records == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the first key is still there");
}
