//! What a server says of itself.

use std::net::SocketAddr;

use axum::Extension;
use axum::extract::ConnectInfo;
use axum::http::Method;
use sandbox_api::{ApiConfig, MetricsAccess};
use sandbox_engine::owners::Quotas;

use crate::support::{Answer, World};

async fn measured(access: MetricsAccess) -> World {
    let mut config = ApiConfig::default();
    config.metrics = access;
    World::with(config, Quotas::default()).await
}

async fn probe(world: &World, path: &str) -> Answer {
    world.ask_without_key(Method::GET, path).send().await
}

#[tokio::test]
async fn a_server_is_ready_while_its_runtime_answers_and_no_shutdown_has_begun() {
    let config = ApiConfig::default();
    let shutdown = config.shutdown.clone();
    let world = World::with(config, Quotas::default()).await;
    assert_eq!(
        probe(&world, "/readyz").await.expect(200).json()["status"],
        "ok"
    );

    world.daemon.go_away();
    let mut answer = probe(&world, "/readyz").await;
    for _ in 0..6_000 {
        if answer.status == 503 {
            break;
        }
        // The engine looks after its runtimes by its own clock.
        world.clock.advance(std::time::Duration::from_secs(1));
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        answer = probe(&world, "/readyz").await;
    }
    let answer = answer.expect(503);
    assert_eq!(answer.code(), "unavailable");
    assert!(answer.json().to_string().contains("no runtime answers"));
    probe(&world, "/healthz").await.expect(200);

    shutdown.cancel();
    let answer = probe(&world, "/readyz").await.expect(503);
    assert!(answer.json().to_string().contains("shutting down"));
    probe(&world, "/healthz").await.expect(200);
}

#[tokio::test]
async fn the_metrics_count_requests_sandboxes_and_events() {
    let world = measured(MetricsAccess::Open).await;
    let id = world.sandbox(&world.acme).await;
    for _ in 0..3 {
        world
            .get(format!("/v1/sandboxes/{id}"))
            .send()
            .await
            .expect(200);
    }
    world.get("/v1/sandboxes/sbx_none").send().await.expect(404);
    world
        .ask_as("unknown", Method::GET, "/v1/sandboxes")
        .send()
        .await
        .expect(401);

    let answer = probe(&world, "/metrics").await.expect(200);
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let route = r#"dialect="cloud",method="GET",route="/v1/sandboxes/{id}""#;
    for line in [
        format!(r#"sandbox_api_requests_total{{{route},status="200"}} 3"#),
        format!(r#"sandbox_api_requests_total{{{route},status="404"}} 1"#),
        format!("sandbox_api_request_duration_seconds_count{{{route}}} 4"),
        "sandbox_api_failed_authentications_total 1".to_owned(),
        "sandbox_api_requests_in_flight 1".to_owned(),
        r#"sandbox_sandboxes{state="running"} 1"#.to_owned(),
    ] {
        assert!(
            text.lines().any(|found| found == line),
            "no {line} in\n{text}"
        );
    }
    let events = text
        .lines()
        .find_map(|line| line.strip_prefix("sandbox_events_total "));
    assert!(events.unwrap().parse::<u64>().unwrap() >= 2);
    // Nobody is named.
    for name in [id.as_str(), world.acme.organisation.id.as_str(), "unknown"] {
        assert!(!text.contains(name), "{name} in\n{text}");
    }
}

#[tokio::test]
async fn what_a_client_makes_up_makes_no_label() {
    let world = measured(MetricsAccess::Open).await;
    for number in 0..20 {
        let method = Method::from_bytes(format!("BREW{number}").as_bytes()).unwrap();
        world
            .ask(method, format!("/made/up/{number}"))
            .send()
            .await
            .expect(404);
        world
            .get(format!("/v1/sandboxes/sbx_{number}"))
            .send()
            .await
            .expect(404);
    }
    let text = probe(&world, "/metrics").await.expect(200).body;
    let text = String::from_utf8(text.to_vec()).unwrap();
    let counted = text
        .lines()
        .filter(|line| line.starts_with("sandbox_api_requests_total{"));
    assert_eq!(counted.count(), 2, "{text}");
    assert!(
        text.contains(r#"method="OTHER",route="unmatched",status="404"} 20"#),
        "{text}"
    );
}

#[tokio::test]
async fn the_metrics_are_for_whom_the_configuration_says() {
    let world = measured(MetricsAccess::Off).await;
    probe(&world, "/metrics").await.expect(404);

    let world = measured(MetricsAccess::Token("a-token-of-its-own".to_owned())).await;
    probe(&world, "/metrics").await.expect(401);
    for (key, status) in [
        ("a-token-of-its-own", 200),
        ("a-token-of-its-owm", 401),
        (world.acme.admin.as_str(), 401),
    ] {
        world
            .ask_as(key, Method::GET, "/metrics")
            .send()
            .await
            .expect(status);
    }

    let mut world = measured(MetricsAccess::Loopback).await;
    // Nobody knows who asks.
    probe(&world, "/metrics").await.expect(401);
    let router = world.router.clone();
    for (peer, status) in [
        ("127.0.0.1:1", 200),
        ("[::1]:1", 200),
        ("[::ffff:127.0.0.1]:1", 200),
        ("192.0.2.1:1", 401),
    ] {
        let peer: SocketAddr = peer.parse().unwrap();
        world.router = router.clone().layer(Extension(ConnectInfo(peer)));
        probe(&world, "/metrics").await.expect(status);
    }
}
