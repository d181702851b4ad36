//! Who is let in, and how often.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Method;
use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use sandbox_engine::owners::{NewKey, Quotas, Scope};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::lab::Lab;
use super::support::new_key;
use crate::config::ApiConfig;

#[tokio::test]
async fn a_key_is_taken_from_either_header_and_its_lack_explained() {
    let lab = Lab::new().await;
    let open = lab.ask_without_key(Method::GET, "/test/open").send().await;
    open.expect(200);
    let own = lab.ask_without_key(Method::GET, "/test/fine");
    own.header("x-api-key", &lab.acme.read)
        .send()
        .await
        .expect(200);

    let none = lab
        .ask_without_key(Method::GET, "/test/fine")
        .send()
        .await
        .expect(401);
    assert_eq!(none.header("www-authenticate"), "Bearer");
    assert_eq!(none.code(), "unauthorized");
    let message = none.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("Authorization: Bearer") && message.contains("X-API-Key"));
    lab.ask_as("sbk_unknown", Method::GET, "/test/fine")
        .send()
        .await
        .expect(401);
}

#[tokio::test]
async fn a_revoked_key_is_refused_from_the_next_request_on() {
    let lab = Lab::new().await;
    let now = lab.clock.now();
    let (key, record) = new_key(&lab.owners, &lab.acme.organisation, Scope::Admin, now).await;
    lab.ask_as(key.expose(), Method::GET, "/test/fine")
        .send()
        .await
        .expect(200);
    let organisation = &lab.acme.organisation.id;
    lab.owners
        .revoke_key(organisation, &record.id, now)
        .await
        .unwrap();
    lab.ask_as(key.expose(), Method::GET, "/test/fine")
        .send()
        .await
        .expect(401);
}

#[tokio::test]
async fn a_scope_that_is_too_small_is_refused_before_anything_is_done() {
    let lab = Lab::new().await;
    let add = json!({"inner": {"count": 1}});
    let refused = lab
        .ask_as(&lab.acme.read, Method::POST, "/test/add")
        .json(&add)
        .send()
        .await;
    let refused = refused.expect(403);
    assert_eq!(refused.code(), "permission_denied");
    assert!(
        refused.json()["error"]["message"]
            .as_str()
            .unwrap()
            .contains("write")
    );
    let refused = lab
        .ask_as(&lab.acme.write, Method::DELETE, "/test/all")
        .send()
        .await;
    refused.expect(403);
    assert_eq!(lab.doings.done(), 0);
    lab.ask_as(&lab.acme.admin, Method::DELETE, "/test/all")
        .send()
        .await
        .expect(204);
}

#[tokio::test]
async fn an_organisation_is_told_its_rate_and_held_to_it() {
    let quotas = Quotas {
        requests_per_minute: Some(2),
        ..Quotas::default()
    };
    let lab = Lab::with(ApiConfig::default(), quotas).await;
    let first = lab.get("/test/fine").send().await.expect(200);
    assert_eq!(first.header("x-ratelimit-limit"), "2");
    assert_eq!(first.header("x-ratelimit-remaining"), "1");
    let reset: u64 = first.header("x-ratelimit-reset").parse().unwrap();
    assert_eq!(reset, lab.clock.now().as_secs() + 30);
    // Also an answer that refuses counts and tells.
    let second = lab.delete("/test/all").send().await.expect(403);
    assert_eq!(second.header("x-ratelimit-remaining"), "0");

    let add = json!({"inner": {"count": 1}});
    let third = lab.post("/test/add").json(&add).send().await.expect(429);
    assert_eq!(third.code(), "rate_limited");
    assert_eq!(third.header("retry-after"), "30");
    assert_eq!(third.header("x-ratelimit-limit"), "2");
    assert_eq!(lab.doings.done(), 0);

    let rival = lab
        .ask_as(&lab.rival.read, Method::GET, "/test/fine")
        .send()
        .await;
    assert_eq!(rival.expect(200).header("x-ratelimit-limit"), "");
    lab.clock.advance(Duration::from_secs(30));
    lab.post("/test/add").json(&add).send().await.expect(201);
}

#[tokio::test]
async fn guessing_keys_is_slowed_down_and_locks_nobody_out() {
    let config = ApiConfig {
        failed_authentications_per_minute: 5,
        ..ApiConfig::default()
    };
    let lab = Lab::with(config, Quotas::default()).await;
    let peer: SocketAddr = "192.0.2.7:4711".parse().unwrap();
    let router = lab.router.clone().layer(Extension(ConnectInfo(peer)));
    let ask = async |key: String| {
        let request = axum::http::Request::get("/test/fine").header("x-api-key", key);
        let request = request.body(Body::empty()).unwrap();
        router.clone().oneshot(request).await.unwrap().status()
    };
    // Never a right key refused, whatever comes from its address; not even one that is new.
    let guesses = (0..200).map(|number| ask(format!("guess-{number}")));
    let rights = [&lab.acme.read, &lab.acme.write, &lab.rival.read].map(|key| ask(key.clone()));
    let (guesses, rights) = tokio::join!(join_all(guesses), join_all(rights));
    assert!(
        guesses
            .iter()
            .all(|status| *status == 401 || *status == 429)
    );
    assert!(rights.iter().all(|status| *status == 200), "{rights:?}");
    assert_eq!(ask(lab.acme.admin.clone()).await, 200);
}

#[tokio::test]
async fn a_stream_ends_clean_when_the_server_shuts_down() {
    let shutdown = CancellationToken::new();
    let config = ApiConfig {
        shutdown: shutdown.clone(),
        ..ApiConfig::default()
    };
    let lab = Lab::with(config, Quotas::default()).await;
    let request = axum::http::Request::get("/test/stream").header("x-api-key", &lab.acme.read);
    let request = request.body(Body::empty()).unwrap();
    let response = lab.router.clone().oneshot(request).await.unwrap();
    let mut chunks = response.into_body().into_data_stream();
    assert_eq!(chunks.next().await.unwrap().unwrap(), "first\n");
    shutdown.cancel();
    assert!(chunks.next().await.is_none());
}

#[tokio::test]
async fn an_organisation_has_only_so_many_streams_and_takes_none_of_others() {
    let config = ApiConfig {
        max_organisation_streams: 2,
        ..ApiConfig::default()
    };
    let lab = Lab::with(config, Quotas::default()).await;
    let open = async || lab.get("/test/stream").open().await;
    let (one, two) = (open().await, open().await);
    assert_eq!(
        (one.status(), two.status()),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );
    let refused = lab.get("/test/stream").send().await.expect(429);
    assert!(refused.json().to_string().contains("2 streams"));
    let rival = lab
        .ask_as(&lab.rival.read, Method::GET, "/test/stream")
        .open()
        .await;
    assert_eq!(rival.status(), 200);
    lab.get("/test/fine").send().await.expect(200);
    drop(one);
    assert_eq!(open().await.status(), 200);
}

#[tokio::test]
async fn a_stream_ends_when_its_key_is_revoked_or_expires_and_those_of_others_go_on() {
    let config = ApiConfig {
        key_check_interval: Duration::from_millis(10),
        ..ApiConfig::default()
    };
    let lab = Lab::with(config, Quotas::default()).await;
    let open = async |key: &str| {
        let ask = lab.ask_as(key, Method::GET, "/test/stream");
        let mut chunks = ask.open().await.into_body().into_data_stream();
        assert_eq!(chunks.next().await.unwrap().unwrap(), "first\n");
        chunks
    };
    let (organisation, now) = (&lab.acme.organisation.id, lab.clock.now());
    let new = |life| NewKey {
        expires_at: life,
        ..NewKey::default()
    };
    let stolen = lab.owners.create_key(organisation, new(None), now).await;
    let (stolen, record) = stolen.unwrap();
    let end = Some(now.plus(Duration::from_secs(60)));
    let (brief, _) = lab
        .owners
        .create_key(organisation, new(end), now)
        .await
        .unwrap();

    let mut mine = open(&lab.acme.read).await;
    let (mut one, mut two) = (open(stolen.expose()).await, open(stolen.expose()).await);
    let mut expiring = open(brief.expose()).await;
    lab.owners
        .revoke_key(organisation, &record.id, now)
        .await
        .unwrap();
    assert!(one.next().await.is_none());
    assert!(two.next().await.is_none());
    assert!(expiring.next().now_or_never().is_none());
    lab.clock.advance(Duration::from_secs(60));
    assert!(expiring.next().await.is_none());
    assert!(mine.next().now_or_never().is_none());
}
