//! API keys: made, listed, revoked.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{Ask, World};

impl World {
    /// A request with acme's key for managing keys.
    fn manage(&self, method: Method, path: impl AsRef<str>) -> Ask<'_> {
        self.ask_as(&self.acme.admin, method, path)
    }

    async fn make_key(&self, body: Value) -> Value {
        let ask = self.manage(Method::POST, "/v1/keys").json(&body);
        ask.send().await.expect(201).json()
    }
}

#[tokio::test]
async fn a_key_is_shown_once_and_works() {
    let world = World::new().await;
    let made = world
        .make_key(json!({"name": "ci", "scopes": ["write"]}))
        .await;
    let key = made["key"].as_str().unwrap();
    assert_eq!(made["scopes"], json!(["read", "write"]));
    assert_eq!(made["expires_at"], json!(null));
    assert!(key.starts_with(made["hint"].as_str().unwrap()));
    let get = || world.ask_as(key, Method::GET, "/v1/sandboxes");
    get().send().await.expect(200);

    let listed = world
        .manage(Method::GET, "/v1/keys")
        .send()
        .await
        .expect(200);
    assert!(!String::from_utf8_lossy(&listed.body).contains(key));
    let listed = listed.json();
    let keys = listed["keys"].as_array().unwrap();
    let mine = keys.iter().find(|one| one["id"] == made["id"]).unwrap();
    let now = serde_json::to_value(world.clock.now().to_string()).unwrap();
    assert_eq!((&mine["name"], &mine["last_used_at"]), (&json!("ci"), &now));
    assert!(mine.get("key").is_none() && mine.get("hash").is_none());
    assert_eq!(keys.len(), 4, "acme's own, and no one else's");
}

#[tokio::test]
async fn a_revoked_key_is_none_from_the_next_request_on() {
    let world = World::new().await;
    let made = world
        .make_key(json!({"name": "ci", "scopes": ["read"]}))
        .await;
    let key = made["key"].as_str().unwrap();
    let path = format!("/v1/keys/{}", made["id"].as_str().unwrap());
    for _ in 0..2 {
        world.manage(Method::DELETE, &path).send().await.expect(204);
        let refused = world.ask_as(key, Method::GET, "/v1/sandboxes").send().await;
        refused.expect(401);
        world.clock.advance(Duration::from_secs(5));
    }
    let theirs = world
        .ask_as(&world.rival.admin, Method::DELETE, &path)
        .send()
        .await;
    assert_eq!(theirs.expect(404).field(), "key_id");
    for id in ["key_nothing", "NO%20ID", "%2e%2e", key] {
        let answer = world
            .manage(Method::DELETE, format!("/v1/keys/{id}"))
            .send()
            .await;
        assert_eq!(answer.expect(404).field(), "key_id", "{id}");
    }
}

#[tokio::test]
async fn only_a_key_that_manages_keys_can_and_none_outdoes_it() {
    let world = World::new().await;
    for key in [&world.acme.read, &world.acme.write] {
        for (method, path) in [
            (Method::POST, "/v1/keys"),
            (Method::GET, "/v1/keys"),
            (Method::DELETE, "/v1/keys/key_x"),
        ] {
            let body = json!({"name": "mine", "scopes": ["admin"]});
            let ask = world.ask_as(key, method.clone(), path).json(&body);
            let answer = ask.send().await.expect(403);
            assert_eq!(answer.code(), "permission_denied", "{method}");
        }
    }
    let short = json!({"name": "short", "scopes": ["admin"], "expires_in": "1h"});
    let short = world.make_key(short).await;
    let ask = |body: Value| {
        let key = short["key"].as_str().unwrap();
        world.ask_as(key, Method::POST, "/v1/keys").json(&body)
    };
    let longer = json!({"name": "longer", "scopes": ["admin"], "expires_in": "2h"});
    let refused = ask(longer).send().await.expect(403);
    assert_eq!(refused.field(), "expires_in");
    let silent = ask(json!({"name": "silent", "scopes": ["admin"]}))
        .send()
        .await;
    let silent = silent.expect(201).json();
    assert_eq!(
        silent["expires_at"], short["expires_at"],
        "it ends with its maker"
    );

    world.clock.advance(Duration::from_secs(3600));
    for ended in [&short, &silent] {
        let key = ended["key"].as_str().unwrap();
        world
            .ask_as(key, Method::GET, "/v1/sandboxes")
            .send()
            .await
            .expect(401);
    }
}

#[tokio::test]
async fn the_last_key_that_manages_keys_stays() {
    let world = World::new().await;
    let listed = world.manage(Method::GET, "/v1/keys").send().await.json();
    let own = listed["keys"].as_array().unwrap().iter();
    let own = own.filter(|key| key["scopes"].as_array().unwrap().contains(&json!("admin")));
    let own: Vec<_> = own
        .map(|key| key["id"].as_str().unwrap().to_owned())
        .collect();
    let [own] = own.as_slice() else {
        panic!("{own:?}")
    };
    let own = format!("/v1/keys/{own}");
    let refused = world.manage(Method::DELETE, &own).send().await.expect(409);
    assert_eq!(refused.field(), "key_id");
    world
        .manage(Method::GET, "/v1/keys")
        .send()
        .await
        .expect(200);

    let next = world
        .make_key(json!({"name": "next", "scopes": ["admin"]}))
        .await;
    world.manage(Method::DELETE, &own).send().await.expect(204);
    let next = next["key"].as_str().unwrap();
    world
        .ask_as(next, Method::GET, "/v1/keys")
        .send()
        .await
        .expect(200);
    world
        .manage(Method::GET, "/v1/keys")
        .send()
        .await
        .expect(401);
}

#[tokio::test]
async fn what_makes_no_key_is_refused_by_its_field() {
    let world = World::new().await;
    let before = world
        .owners
        .keys(&world.acme.organisation.id)
        .await
        .unwrap()
        .len();
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": "x"}), "scopes"),
        (json!({"name": "x", "scopes": []}), "scopes"),
        (json!({"name": "x", "scopes": ["owner"]}), "scopes[0]"),
        (json!({"name": "x", "scopes": ["read", 1]}), "scopes[1]"),
        (json!({"name": "x".repeat(129), "scopes": ["read"]}), "name"),
        (json!({"name": "a\nb", "scopes": ["read"]}), "name"),
        (
            json!({"name": "x", "scopes": ["read"], "expires_in": "0s"}),
            "expires_in",
        ),
        (
            json!({"name": "x", "scopes": ["read"], "expires_in": "1ms"}),
            "expires_in",
        ),
        (
            json!({"name": "x", "scopes": ["read"], "expires_in": 60}),
            "expires_in",
        ),
        (
            json!({"name": "x", "scopes": ["read"], "expires_in": "soon"}),
            "expires_in",
        ),
        (
            json!({"name": "x", "scopes": ["read"], "key": "sbk_mine"}),
            "key",
        ),
        (
            json!({"name": "x", "scopes": ["read"], "organization": "rival"}),
            "organization",
        ),
    ] {
        let answer = world
            .manage(Method::POST, "/v1/keys")
            .json(&body)
            .send()
            .await;
        assert_eq!(answer.expect(400).field(), field, "{body}");
    }
    let after = world
        .owners
        .keys(&world.acme.organisation.id)
        .await
        .unwrap()
        .len();
    assert_eq!(after, before);
}
