//! What an organisation may use and has used.

use std::time::Duration;

use sandbox_api::ApiConfig;
use sandbox_engine::owners::Quotas;
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn an_organisation_sees_its_quotas_and_what_it_holds_and_nobody_elses() {
    let quotas = Quotas {
        concurrent_sandboxes: Some(3),
        compute_seconds_per_month: Some(1000),
        ..Quotas::default()
    };
    let world = World::with(ApiConfig::default(), quotas).await;
    let empty = world
        .get("/v1/organization")
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(empty["id"], world.acme.organisation.id.as_str());
    assert_eq!(empty["name"], "acme");
    assert_eq!(empty["quotas"]["concurrent_sandboxes"], 3);
    assert_eq!(empty["quotas"]["memory"], json!(null));
    assert_eq!(empty["usage"]["concurrent_sandboxes"], 0);

    world.sandbox(&world.rival).await;
    let id = world.sandbox(&world.acme).await;
    world.clock.advance(Duration::from_millis(1500));
    let held = world
        .get("/v1/organization")
        .send()
        .await
        .expect(200)
        .json();
    let resources = world
        .engine
        .get(&id)
        .await
        .unwrap()
        .spec
        .resources()
        .clone();
    assert_eq!(
        held["usage"],
        json!({
            "concurrent_sandboxes": 1,
            "milli_cpus": resources.milli_cpus,
            "memory": resources.memory,
            "compute_seconds": 2,
        })
    );
    world.engine.destroy(&id).await.unwrap();
    let after = world
        .get("/v1/organization")
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(after["usage"]["concurrent_sandboxes"], 0);
    assert_eq!(after["usage"]["compute_seconds"], 2);
}

#[tokio::test]
async fn usage_is_told_by_month() {
    let quotas = Quotas {
        compute_seconds_per_month: Some(10),
        ..Quotas::default()
    };
    let world = World::with(ApiConfig::default(), quotas).await;
    let id = world.sandbox(&world.acme).await;
    world.clock.advance(Duration::from_secs(4));
    world.engine.destroy(&id).await.unwrap();
    let this_month = json!({
        "month": "2026-01", "compute_seconds": 4, "limit_seconds": 10, "remaining_seconds": 6,
    });
    for path in ["/v1/usage", "/v1/usage?month=2026-01"] {
        assert_eq!(world.get(path).send().await.expect(200).json(), this_month);
    }
    for month in ["1970-01", "2025-12", "9999-12"] {
        let usage = world.get(format!("/v1/usage?month={month}")).send().await;
        let usage = usage.expect(200).json();
        assert_eq!(
            (&usage["month"], &usage["compute_seconds"]),
            (&json!(month), &json!(0))
        );
    }
    let theirs = world.ask_as(&world.rival.read, axum::http::Method::GET, "/v1/usage");
    let theirs = theirs.send().await.expect(200).json();
    assert_eq!(theirs["compute_seconds"], 0);
    assert_eq!(theirs["limit_seconds"], json!(null));
    for bad in [
        "",
        "2026",
        "2026-13",
        "2026-00",
        "26-01",
        "2026-1",
        "last",
        "2026-01-01",
        "%00",
    ] {
        let answer = world
            .get(format!("/v1/usage?month={bad}"))
            .send()
            .await
            .expect(400);
        assert_eq!(answer.field(), "month", "{bad:?}");
    }
    let answer = world
        .get("/v1/usage?organization=rival")
        .send()
        .await
        .expect(400);
    assert_eq!(answer.field(), "organization");
}
