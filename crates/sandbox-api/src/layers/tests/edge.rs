//! What every answer has, whatever it is.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::Method;
use sandbox_engine::owners::Quotas;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::lab::Lab;
use crate::config::ApiConfig;

#[tokio::test]
async fn every_answer_has_an_id_and_keeps_browsers_in_bounds() {
    let lab = Lab::new().await;
    for path in [
        "/test/open",
        "/test/fine",
        "/test/panic",
        "/nowhere",
        "/healthz",
    ] {
        let answer = lab.get(path).header("x-request-id", "mine-1").send().await;
        assert_eq!(answer.header("x-request-id"), "mine-1", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert!(
            answer.header("content-security-policy").contains("'none'"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_id_that_is_no_good_is_replaced() {
    let lab = Lab::new().await;
    for bad in ["", "two words", &"a".repeat(129)] {
        let answer = lab
            .get("/test/fine")
            .header("x-request-id", bad)
            .send()
            .await;
        let id = answer.header("x-request-id");
        assert!(
            id.starts_with("req_") && id.len() == 36,
            "{bad:?} became {id:?}"
        );
    }
}

#[tokio::test]
async fn a_defect_says_nothing_but_the_requests_id() {
    let lab = Lab::new().await;
    let panicked = lab.get("/test/panic").send().await.expect(500);
    let failed = lab
        .post("/test/fail")
        .json(&json!("internal"))
        .send()
        .await
        .expect(500);
    for answer in [panicked, failed] {
        let text = answer.json().to_string();
        assert!(
            !text.contains("secret") && !text.contains("vault"),
            "{text}"
        );
        assert!(text.contains(answer.header("x-request-id")), "{text}");
        assert_eq!(answer.code(), "internal");
    }
}

#[tokio::test]
async fn what_is_no_route_is_answered_in_the_dialects_shape() {
    let lab = Lab::new().await;
    let answer = lab.get("/nowhere").send().await.expect(404);
    assert_eq!(answer.code(), "not_found");
    for (method, allowed) in [
        (Method::PATCH, "POST"),
        (Method::OPTIONS, "POST"),
        (Method::HEAD, "POST"),
        (Method::from_bytes(b"BREW").unwrap(), "POST"),
    ] {
        let is_head = method == Method::HEAD;
        let answer = lab.ask(method, "/test/add").send().await.expect(405);
        assert_eq!(answer.header("allow"), allowed);
        assert!(is_head || answer.code() == "method_not_allowed");
    }
    let answer = lab.ask(Method::PUT, "/test/fine").send().await.expect(405);
    assert_eq!(answer.header("allow"), "GET,HEAD");
    lab.ask(Method::HEAD, "/test/fine").send().await.expect(200);
}

#[tokio::test]
async fn more_than_there_is_room_for_is_refused_and_probes_are_not() {
    let config = ApiConfig {
        max_concurrent_requests: 1,
        ..ApiConfig::default()
    };
    let lab = Lab::with(config, Quotas::default()).await;
    let hanging = lab.get("/test/hang").send();
    let meanwhile = async {
        lab.doings.begun(1).await;
        let refused = lab.get("/test/fine").send().await.expect(503);
        assert_eq!(
            (refused.code().as_str(), refused.header("retry-after")),
            ("overloaded", "1")
        );
        lab.get("/healthz").send().await.expect(200);
        lab.doings.go.add_permits(1);
    };
    let (hung, ()) = tokio::join!(hanging, meanwhile);
    hung.expect(200);
    lab.get("/test/fine").send().await.expect(200);
}

#[tokio::test]
async fn a_route_that_is_not_done_in_time_is_given_up() {
    let config = ApiConfig {
        unary_timeout: Duration::from_millis(20),
        ..ApiConfig::default()
    };
    let lab = Lab::with(config, Quotas::default()).await;
    let answer = lab.get("/test/hang").send().await.expect(504);
    assert_eq!(answer.code(), "timeout");
}

#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn the_log_names_the_request_and_none_of_its_secrets() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let lab = Lab::new().await;
    let body = json!({"inner": {"count": 1, "password": "hunter2"}});
    let ask = lab.post("/test/add?token=hunter3").json(&body);
    let ask = ask
        .header("x-request-id", "id-of-this-one")
        .header("idempotency-key", "hunter4");
    ask.send().await.expect(400);
    lab.get("/test/fine")
        .header("authorization", "Bearer hunter5")
        .send()
        .await
        .expect(401);
    lab.get("/test/panic").send().await.expect(500);

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for shown in [
        "id-of-this-one",
        "/test/add",
        "status=400",
        "POST",
        lab.acme.organisation.id.as_str(),
    ] {
        assert!(text.contains(shown), "no {shown:?} in {text}");
    }
    // What a panic says is for the operator.
    assert!(text.contains("the secret of the house"), "{text}");
    for secret in [
        "hunter2",
        "hunter3",
        "hunter4",
        "hunter5",
        lab.acme.write.as_str(),
    ] {
        assert!(!text.contains(secret), "{secret:?} in {text}");
    }
}
