//! Lists: scope, order, pages.

use sandbox_core::ErrorKind;
use sandbox_core::lifecycle::State;
use sandbox_engine::{CreateRequest, ListFilter, OwnerId, Page};

use crate::support::{World, ephemeral, request};

fn owner(name: &str) -> OwnerId {
    OwnerId::new(name).unwrap()
}

fn ids(page: &Page) -> Vec<&str> {
    page.sandboxes
        .iter()
        .map(|record| record.id().as_str())
        .collect()
}

async fn make(world: &World, of: &str, ids: &[&str]) {
    for id in ids {
        let mut request: CreateRequest = request(ephemeral(60)).owner(owner(of));
        request.id = Some(id.parse().unwrap());
        request
            .metadata
            .insert("parity".into(), (id.len() % 2).to_string());
        world.engine.create(request).await.unwrap();
    }
}

#[tokio::test]
async fn an_owner_sees_its_own_sandboxes_newest_first_and_no_others() {
    let world = World::new().await;
    make(&world, "a", &["a1", "a2"]).await;
    make(&world, "b", &["b1"]).await;
    make(&world, "a", &["a3"]).await;
    let page = world
        .engine
        .list(&ListFilter::of(owner("a")))
        .await
        .unwrap();
    assert_eq!(ids(&page), ["a3", "a2", "a1"]);
    let page = world
        .engine
        .list(&ListFilter::of(owner("b")))
        .await
        .unwrap();
    assert_eq!(ids(&page), ["b1"]);
    let page = world
        .engine
        .list(&ListFilter::of(owner("c")))
        .await
        .unwrap();
    assert!(page.sandboxes.is_empty());
    let page = world.engine.list(&ListFilter::default()).await.unwrap();
    assert_eq!(ids(&page), ["a3", "b1", "a2", "a1"]);
}

#[tokio::test]
async fn pages_join_without_a_gap_or_a_repetition_though_sandboxes_come_and_go() {
    let world = World::new().await;
    make(&world, "a", &["s1", "s2", "s3", "s4", "s5"]).await;
    let mut filter = ListFilter {
        limit: 2,
        ..ListFilter::default()
    };
    let first = world.engine.list(&filter).await.unwrap();
    assert_eq!(ids(&first), ["s5", "s4"]);
    make(&world, "a", &["s6"]).await;
    world.engine.destroy(&"s4".parse().unwrap()).await.unwrap();
    let shown = first.next.unwrap().to_string();
    filter.cursor = Some(shown.parse().unwrap());
    let second = world.engine.list(&filter).await.unwrap();
    assert_eq!(ids(&second), ["s3", "s2"]);
    filter.cursor = second.next;
    let third = world.engine.list(&filter).await.unwrap();
    assert_eq!(ids(&third), ["s1"]);
    assert_eq!(third.next, None);
}

#[tokio::test]
async fn lists_filter_by_state_and_metadata() {
    let world = World::new().await;
    make(&world, "a", &["x1", "x22", "x3", "x44"]).await;
    world.engine.pause(&"x22".parse().unwrap()).await.unwrap();
    world.engine.destroy(&"x3".parse().unwrap()).await.unwrap();
    let of = |states: &[State]| ListFilter {
        states: Some(states.to_vec()),
        ..ListFilter::default()
    };
    let paused = world.engine.list(&of(&[State::Paused])).await.unwrap();
    assert_eq!(ids(&paused), ["x22"]);
    let gone = world.engine.list(&of(&[State::Destroyed])).await.unwrap();
    assert_eq!(ids(&gone), ["x3"]);
    let both = [State::Running, State::Destroyed];
    let mut both = of(&both);
    let page = world.engine.list(&both).await.unwrap();
    assert_eq!(ids(&page), ["x44", "x3", "x1"]);
    both.metadata.insert("parity".into(), "0".into());
    let page = world.engine.list(&both).await.unwrap();
    assert_eq!(ids(&page), ["x3", "x1"]);
}

#[tokio::test]
async fn a_page_of_no_or_too_many_sandboxes_is_refused_by_name() {
    let world = World::new().await;
    for limit in [0, sandbox_engine::MAX_PAGE + 1] {
        let filter = ListFilter {
            limit,
            ..ListFilter::default()
        };
        let error = world.engine.list(&filter).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidSpec, Some("limit"))
        );
    }
}
