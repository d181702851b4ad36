//! What all share is nobody's alone.

use axum::http::Method;
use http_body::Body as _;
use sandbox_engine::owners::Quotas;
use serde_json::json;

use super::lab::Lab;
use crate::config::ApiConfig;

async fn with_requests(most: usize) -> Lab {
    let config = ApiConfig {
        max_organisation_requests: most,
        ..ApiConfig::default()
    };
    Lab::with(config, Quotas::default()).await
}

#[tokio::test]
async fn an_organisation_has_only_so_many_requests_and_takes_none_of_others() {
    let lab = with_requests(2).await;
    let hang = || lab.get("/test/hang").send();
    let meanwhile = async {
        lab.doings.begun(2).await;
        let refused = lab.get("/test/fine").send().await.expect(429);
        assert_eq!(refused.code(), "rate_limited");
        assert_eq!(refused.header("retry-after"), "1");
        assert!(refused.json().to_string().contains("2 requests"));
        let rival = lab.ask_as(&lab.rival.read, Method::GET, "/test/fine");
        rival.send().await.expect(200);
        lab.doings.go.add_permits(2);
    };
    let (one, two, ()) = tokio::join!(hang(), hang(), meanwhile);
    one.expect(200);
    two.expect(200);
    lab.get("/test/fine").send().await.expect(200);
}

#[tokio::test]
async fn leaving_a_request_that_goes_on_gives_no_place_back() {
    let lab = with_requests(1).await;
    let hang = lab.post("/test/hang").header("idempotency-key", "k").send();
    tokio::select! {
        _ = hang => panic!("nobody let it go on"),
        () = lab.doings.begun(1) => {}
    }
    lab.get("/test/fine").send().await.expect(429);
    lab.doings.go.add_permits(1);
    while lab.get("/test/fine").send().await.status == 429 {
        tokio::task::yield_now().await;
    }
    assert_eq!(lab.doings.done(), 1);
}

#[tokio::test]
async fn an_answer_that_its_client_does_not_take_keeps_its_place() {
    let lab = with_requests(1).await;
    let add = || lab.post("/test/add").json(&json!({"inner": {"count": 1}}));
    let answer = add().open().await;
    assert_eq!(answer.status(), 201);
    assert!(
        answer
            .body()
            .size_hint()
            .exact()
            .is_some_and(|size| size > 0)
    );
    add().send().await.expect(429);
    drop(answer);
    add().send().await.expect(201);
}

#[tokio::test]
async fn streams_have_places_of_their_own() {
    let lab = with_requests(1).await;
    let stream = lab.get("/test/stream").open().await;
    assert_eq!(stream.status(), 200);
    lab.get("/test/fine").send().await.expect(200);
}
