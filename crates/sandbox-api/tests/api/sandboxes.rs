//! Looking at sandboxes and destroying them.

use sandbox_core::lifecycle::State;
use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn a_sandbox_is_shown_in_every_state() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let path = format!("/v1/sandboxes/{id}");
    let shown = world.get(&path).send().await.expect(200).json();
    assert_eq!(
        (&shown["id"], &shown["status"]),
        (&json!(id.as_str()), &json!("running"))
    );
    assert!(shown.get("env").is_none());

    world.engine.destroy(&id).await.unwrap();
    let shown = world.get(&path).send().await.expect(200).json();
    assert_eq!(shown["status"], "destroyed");
}

#[tokio::test]
async fn destroying_is_idempotent_and_destroys() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let path = format!("/v1/sandboxes/{id}");

    for _ in 0..2 {
        let answer = world.delete(&path).send().await.expect(204);
        assert!(answer.body.is_empty());
        assert_eq!(
            world.engine.get(&id).await.unwrap().state(),
            State::Destroyed
        );
    }
    assert!(world.daemon.sandboxes().is_empty());
}

#[tokio::test]
async fn another_organisations_sandbox_is_refused_and_stays() {
    let world = World::new().await;
    let id = world.sandbox(&world.rival).await;
    let answer = world
        .delete(format!("/v1/sandboxes/{id}"))
        .send()
        .await
        .expect(403);
    assert_eq!(answer.code(), "permission_denied");
    assert_eq!(world.engine.get(&id).await.unwrap().state(), State::Running);
}

#[tokio::test]
async fn an_id_of_nothing_is_not_found() {
    let world = World::new().await;
    for id in ["sbx_nothing", "NO-ID", "%2e%2e", "a%2Fb"] {
        let answer = world
            .delete(format!("/v1/sandboxes/{id}"))
            .send()
            .await
            .expect(404);
        assert_eq!(
            (answer.code().as_str(), answer.field().as_str()),
            ("not_found", "sandbox_id")
        );
    }
}
