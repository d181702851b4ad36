//! Pages of other origins.

use axum::http::Method;
use sandbox_api::ApiConfig;
use sandbox_engine::owners::Quotas;

use crate::support::World;

#[tokio::test]
async fn pages_of_other_origins_are_kept_out_unless_configured() {
    let world = World::new().await;
    let ask = world
        .get("/v1/sandboxes")
        .header("origin", "https://app.example");
    let answer = ask.send().await.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), "");

    let mut config = ApiConfig::default();
    config.cors_origins = vec!["https://app.example".parse().unwrap()];
    let world = World::with(config, Quotas::default()).await;
    let ask = world
        .get("/v1/sandboxes")
        .header("origin", "https://app.example");
    let answer = ask.send().await.expect(200);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert!(
        answer
            .header("access-control-expose-headers")
            .contains("x-request-id")
    );
    let ask = world
        .get("/v1/sandboxes")
        .header("origin", "https://evil.example");
    assert_eq!(
        ask.send()
            .await
            .expect(200)
            .header("access-control-allow-origin"),
        ""
    );
}

#[tokio::test]
async fn a_browser_that_asks_beforehand_is_answered_without_a_key() {
    let mut config = ApiConfig::default();
    config.cors_origins = vec!["https://app.example".parse().unwrap()];
    let world = World::with(config, Quotas::default()).await;
    let ask = world.ask_without_key(Method::OPTIONS, "/v1/sandboxes");
    let ask = ask.header("origin", "https://app.example");
    let ask = ask.header("access-control-request-method", "POST");
    let ask = ask.header(
        "access-control-request-headers",
        "authorization,idempotency-key",
    );
    let answer = ask.send().await.expect(200);
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert!(
        answer
            .header("access-control-allow-methods")
            .contains("POST")
    );
    assert!(
        answer
            .header("access-control-allow-headers")
            .contains("idempotency-key")
    );
}
