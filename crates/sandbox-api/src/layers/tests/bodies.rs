//! Bodies that are too large, too slow, or not what they should be.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Method;
use futures_util::{Stream, StreamExt, stream};
use sandbox_engine::owners::Quotas;
use serde_json::json;

use super::lab::Lab;
use super::support::Ask;
use crate::config::ApiConfig;

async fn small() -> Lab {
    let config = ApiConfig {
        max_json_bytes: 100,
        max_file_bytes: 1000,
        body_idle_timeout: Duration::from_millis(30),
        ..ApiConfig::default()
    };
    Lab::with(config, Quotas::default()).await
}

/// `count` chunks of 100 bytes, and how many were taken.
fn chunks(count: usize) -> (Body, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let all = stream::iter(0..count).map(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok::<_, Infallible>(Bytes::from_static(&[b'x'; 100]))
    });
    (Body::from_stream(all), taken)
}

fn stuck() -> impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static {
    stream::iter([Ok(Bytes::from_static(b"{\"inner\""))]).chain(stream::pending())
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_path() {
    let lab = Lab::new().await;
    for (body, field, word) in [
        ("{}", "inner", "missing field"),
        (r#"{"inner": {}}"#, "inner.count", "missing field"),
        (
            r#"{"inner": {"count": 1, "size": 2}}"#,
            "inner.size",
            "unknown field",
        ),
        (
            r#"{"inner": {"count": "1"}}"#,
            "inner.count",
            "invalid type",
        ),
        (r#"{"inner": {"count": 256}}"#, "inner.count", "256"),
        (
            r#"{"inner": {"count": 1}, "inner": {"count": 1}}"#,
            "inner",
            "duplicate field",
        ),
        (r#"{"inner": {"count": 1}} x"#, "body", "trailing"),
        ("{", "body", "EOF"),
        ("", "body", "EOF"),
    ] {
        let ask = lab
            .post("/test/add")
            .header("content-type", "application/json");
        let answer = ask.body(body).send().await.expect(400);
        let message = answer.json()["error"]["message"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(
            (answer.code().as_str(), answer.field().as_str()),
            ("invalid_spec", field),
            "{body}"
        );
        assert!(message.contains(word), "{body}: {message}");
    }
    assert_eq!(lab.doings.done(), 0);
}

#[tokio::test]
async fn json_has_to_say_that_it_is_json() {
    let lab = Lab::new().await;
    let add = json!({"inner": {"count": 1}}).to_string();
    for wrong in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "json",
    ] {
        let ask = lab
            .post("/test/add")
            .header("content-type", wrong)
            .body(add.clone());
        let answer = ask.send().await.expect(415);
        assert_eq!(answer.code(), "unsupported_media_type", "{wrong}");
    }
    for right in [
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/vnd.x+json",
    ] {
        let ask = lab
            .post("/test/add")
            .header("content-type", right)
            .body(add.clone());
        ask.send().await.expect(201);
    }
}

#[tokio::test]
async fn json_over_the_limit_is_refused_whether_it_says_so_or_not() {
    let lab = small().await;
    for length in [Some("200"), None] {
        let (body, _) = chunks(2);
        let mut ask = lab
            .post("/test/add")
            .header("content-type", "application/json")
            .body(body);
        if let Some(length) = length {
            ask = ask.header("content-length", length);
        }
        let answer = ask.send().await.expect(413);
        assert_eq!(
            (answer.code().as_str(), answer.field().as_str()),
            ("payload_too_large", "body")
        );
        assert!(answer.json().to_string().contains("100 bytes"));
    }
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_naming_it() {
    let lab = small().await;
    for length in [Some("1100"), None] {
        let (body, _) = chunks(11);
        let mut ask = lab.ask(Method::PUT, "/test/file").body(body);
        if let Some(length) = length {
            ask = ask.header("content-length", length);
        }
        let answer = ask.send().await.expect(400);
        assert_eq!(
            (answer.code().as_str(), answer.field().as_str()),
            ("limit_exceeded", "body")
        );
        assert!(answer.json().to_string().contains("1000 bytes"));
    }
    assert_eq!(lab.doings.done(), 0);
    let (body, _) = chunks(10);
    let answer = lab
        .ask(Method::PUT, "/test/file")
        .body(body)
        .send()
        .await
        .expect(200);
    assert_eq!(answer.body, "1000");
}

#[tokio::test]
async fn whoever_is_known_and_still_sends_is_read_on_before_the_answer() {
    let lab = small().await;
    let (body, taken) = chunks(50);
    let ask = lab
        .ask(Method::PUT, "/test/file")
        .header("content-length", "5000")
        .body(body);
    ask.send().await.expect(400);
    assert_eq!(taken.load(Ordering::SeqCst), 50);

    // Also where its request has an idempotency key.
    let (body, taken) = chunks(50);
    let ask = lab
        .ask(Method::PUT, "/test/file")
        .header("idempotency-key", "k")
        .body(body);
    ask.send().await.expect(400);
    assert_eq!(taken.load(Ordering::SeqCst), 50);

    // One that waits to be told to send is not told to.
    let (body, taken) = chunks(50);
    let ask = lab
        .ask(Method::PUT, "/test/file")
        .header("content-length", "5000")
        .body(body);
    ask.header("expect", "100-continue")
        .send()
        .await
        .expect(400);
    assert_eq!(taken.load(Ordering::SeqCst), 0);

    // Nothing is read for somebody who is not known.
    let (body, taken) = chunks(50);
    let ask = lab.ask_as("unknown", Method::PUT, "/test/file").body(body);
    ask.send().await.expect(401);
    assert_eq!(taken.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_that_stops_coming_is_given_up() {
    let lab = small().await;
    let ask = lab
        .post("/test/add")
        .header("content-type", "application/json");
    let answer = ask
        .body(Body::from_stream(stuck()))
        .send()
        .await
        .expect(408);
    assert_eq!(
        (answer.code().as_str(), answer.field().as_str()),
        ("timeout", "body")
    );
    let ask = lab
        .ask(Method::PUT, "/test/file")
        .body(Body::from_stream(stuck()));
    assert_eq!(ask.send().await.expect(408).field(), "body");
    assert_eq!(lab.doings.done(), 0);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_body() {
    let lab = Lab::new().await;
    let broken = || {
        let parts = [
            Ok(Bytes::from_static(b"{")),
            Err(std::io::Error::other("reset")),
        ];
        Body::from_stream(stream::iter(parts))
    };
    let ask = lab
        .post("/test/add")
        .header("content-type", "application/json");
    assert_eq!(ask.body(broken()).send().await.expect(400).field(), "body");
    let ask = lab.ask(Method::PUT, "/test/file").body(broken());
    assert_eq!(ask.send().await.expect(400).field(), "body");
    assert_eq!(lab.doings.done(), 0);
}

/// A byte every now and then, for ever.
fn trickling() -> Body {
    let bytes = stream::repeat(()).then(async |()| {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok::<_, Infallible>(Bytes::from_static(b" "))
    });
    Body::from_stream(bytes)
}

/// One who asks before he sends is not read on when he is refused.
fn slowly(ask: Ask<'_>) -> Ask<'_> {
    let ask = ask.header("idempotency-key", "k");
    ask.header("expect", "100-continue").body(trickling())
}

#[tokio::test]
async fn a_key_gives_nobody_more_time_to_send_a_body() {
    let config = ApiConfig {
        unary_timeout: Duration::from_secs(2),
        long_timeout: Duration::from_secs(2),
        ..ApiConfig::default()
    };
    let lab = Lab::with(config, Quotas::default()).await;
    let json = lab
        .post("/test/add")
        .header("content-type", "application/json");
    let answer = slowly(json).send().await.expect(408);
    assert_eq!(
        (answer.code().as_str(), answer.field().as_str()),
        ("timeout", "body")
    );
    assert_eq!(lab.doings.done(), 0);

    let file = lab.ask(Method::PUT, "/test/file");
    file.header("idempotency-key", "k")
        .body("x")
        .send()
        .await
        .expect(200);
    let again = slowly(lab.ask(Method::PUT, "/test/file"))
        .send()
        .await
        .expect(408);
    assert_eq!(
        (again.code().as_str(), again.field().as_str()),
        ("timeout", "body")
    );
    assert_eq!(lab.doings.done(), 1);
}
