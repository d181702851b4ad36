//! Lists of sandboxes.

use sandbox_testkit::{Call, FAKE_IMAGE, Fault, When};
use serde_json::{Value, json};

use crate::support::World;

async fn make(world: &World, id: &str, user: &str) {
    let body = json!({"image": FAKE_IMAGE, "id": id, "metadata": {"user": user}});
    let made = world.post("/v1/sandboxes").json(&body).send().await;
    made.expect(201);
}

async fn list(world: &World, query: &str) -> Value {
    let listed = world.get(format!("/v1/sandboxes?{query}")).send().await;
    listed.expect(200).json()
}

fn ids(list: &Value) -> Vec<&str> {
    let sandboxes = list["sandboxes"].as_array().unwrap();
    sandboxes
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_callers_own_are_listed_newest_first_in_parts() {
    let world = World::new().await;
    for id in ["a", "b", "c", "d", "e"] {
        make(&world, id, "1").await;
    }
    world.sandbox(&world.rival).await;
    assert_eq!(ids(&list(&world, "").await), ["e", "d", "c", "b", "a"]);

    let mut seen = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let part = list(&world, &query).await;
        seen.extend(ids(&part).into_iter().map(str::to_owned));
        match part["next_cursor"].as_str() {
            Some(cursor) => query = format!("limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, ["e", "d", "c", "b", "a"]);
}

#[tokio::test]
async fn lists_are_filtered_by_status_and_metadata() {
    let world = World::new().await;
    for (id, user) in [("a", "1"), ("b", "2"), ("c", "1"), ("d", "ü &=")] {
        make(&world, id, user).await;
    }
    world
        .post("/v1/sandboxes/a/suspend")
        .send()
        .await
        .expect(200);
    world.delete("/v1/sandboxes/b").send().await.expect(204);
    for (query, expected) in [
        ("", &["d", "c", "a"][..]),
        ("status=running", &["d", "c"]),
        ("status=suspended", &["a"]),
        ("status=destroyed", &["b"]),
        ("status=creating", &[]),
        ("status=failed", &[]),
        ("metadata.user=1", &["c", "a"]),
        ("metadata.user=1&status=running", &["c"]),
        ("metadata.user=%C3%BC+%26%3D", &["d"]),
        ("metadata.user=3", &[]),
        ("metadata.other=1", &[]),
    ] {
        assert_eq!(ids(&list(&world, query).await), expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_on_its_way_out_counts_as_destroyed() {
    let world = World::new().await;
    make(&world, "going", "1").await;
    world
        .daemon
        .faults()
        .inject(Fault::hang(Call::Destroy, When::Before));
    let destroying = world.delete("/v1/sandboxes/going").send();
    let looking = async {
        world.daemon.faults().wait_for_hanging(1).await;
        assert!(ids(&list(&world, "").await).is_empty());
        assert_eq!(ids(&list(&world, "status=destroyed").await), ["going"]);
        world.daemon.faults().release();
    };
    let (destroyed, ()) = tokio::join!(destroying, looking);
    destroyed.expect(204);
}

#[tokio::test]
async fn a_query_that_makes_no_sense_is_refused_by_name() {
    let world = World::new().await;
    for (query, field) in [
        ("status=asleep", "status"),
        ("status=Running", "status"),
        ("status=", "status"),
        ("status=running&status=failed", "status"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("cursor=%00", "cursor"),
        ("cursor=zz", "cursor"),
        ("cursor=ffffffffffffffffff", "cursor"),
        ("owner=rival", "owner"),
        ("metadata=1", "metadata"),
    ] {
        let answer = world.get(format!("/v1/sandboxes?{query}")).send().await;
        assert_eq!(answer.expect(400).field(), field, "{query}");
    }
    let answer = world.get("/v1/sandboxes?status=asleep").send().await;
    let message = answer.expect(400).json()["error"]["message"].clone();
    assert!(
        message.as_str().unwrap().contains("\"asleep\""),
        "{message}"
    );
}
