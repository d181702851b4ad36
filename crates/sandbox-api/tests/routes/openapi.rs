//! The description that is committed is the one that is served.

use std::path::Path;

use serde_json::Value;

use crate::support::World;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");

#[test]
fn the_committed_description_is_the_current_one() {
    let mut current = serde_json::to_string_pretty(&sandbox_api::openapi()).unwrap();
    current.push('\n');
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        std::fs::write(GOLDEN, &current).unwrap();
    }
    let committed = std::fs::read_to_string(Path::new(GOLDEN)).unwrap_or_default();
    let first = current
        .lines()
        .zip(committed.lines())
        .position(|(a, b)| a != b);
    assert!(
        current == committed,
        "openapi.json is not up to date (first at line {:?}); run this test with UPDATE_GOLDEN=1",
        first.map(|line| line + 1)
    );
}

#[tokio::test]
async fn the_description_is_served_to_everybody() {
    let world = World::new().await;
    let answer = world
        .ask_without_key(axum::http::Method::GET, "/openapi.json")
        .send()
        .await;
    let served = answer.expect(200).json();
    let current = serde_json::to_value(sandbox_api::openapi()).unwrap();
    assert!(served == current);
}

/// Every operation of the description, with its path and method.
fn operations(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().unwrap();
        item.iter()
            .map(move |(method, operation)| (path.clone(), method.clone(), operation))
    });
    all.collect()
}

#[test]
fn every_operation_is_complete() {
    let document = serde_json::to_value(sandbox_api::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = std::collections::BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let at = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{at}: {id} is there twice");
        assert!(
            !operation["summary"].as_str().unwrap_or_default().is_empty(),
            "{at}"
        );
        assert!(!operation["tags"].as_array().unwrap().is_empty(), "{at}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.contains_key("500"), "{at}");
        let is_good = |status: &String| status.starts_with(['1', '2', '3']);
        assert!(responses.keys().any(is_good), "{at} never succeeds");
        if path.starts_with("/v1/") {
            assert!(
                operation["security"]
                    .as_array()
                    .is_some_and(|all| all.len() == 2),
                "{at}"
            );
            for status in ["401", "403", "429"] {
                assert!(responses.contains_key(status), "{at}: {status}");
            }
        }
        for name in path.split(['{', '}']).skip(1).step_by(2) {
            let parameters = operation["parameters"].as_array().unwrap();
            let is_it = |parameter: &Value| parameter["name"] == name && parameter["in"] == "path";
            assert!(parameters.iter().any(is_it), "{at}: {name}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = serde_json::to_value(sandbox_api::openapi()).unwrap();
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(reference)) = map.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                open.extend(map.values());
            }
            Value::Array(list) => open.extend(list),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

#[test]
fn every_listed_route_is_described() {
    let document = serde_json::to_value(sandbox_api::openapi()).unwrap();
    let routes = sandbox_api::cloud::routes();
    for route in routes.iter().filter(|route| route.is_described) {
        let path = route.path.replace("{*", "{");
        let method = route.method.as_str().to_lowercase();
        assert!(
            document["paths"][&path][&method].is_object(),
            "{method} {path}"
        );
    }
}

#[test]
fn another_spelling_is_no_other_way_in() {
    let routes = sandbox_api::cloud::routes();
    for spelling in routes.iter().filter(|route| !route.is_described) {
        let is_alike = routes.iter().any(|route| {
            route.is_described
                && route.method == spelling.method
                && route.policy == spelling.policy
                && route.path.starts_with(spelling.path.trim_end_matches('/'))
        });
        assert!(is_alike, "{} {}", spelling.method, spelling.path);
    }
}
