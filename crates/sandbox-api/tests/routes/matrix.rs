//! Every route against everybody who may not use it, and against what it cannot read. The routes
//! are the listed ones, so that a new one is held to the same without a word here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::http::Method;
use sandbox_api::cloud::routes;
use sandbox_api::{ApiConfig, BodyClass, Repeat, RouteInfo};
use sandbox_core::{Command, SandboxId, Stdin};
use sandbox_engine::owners::{NewKey, Quotas, Scope, Scopes};
use sandbox_engine::process::ProcessOptions;
use sandbox_testkit::LoggedCall;
use serde_json::{Value, json};

use crate::support::{Answer, Ask, Tenant, World, new_key};

/// A sandbox with a process that runs, past whatever limits requests.
async fn busy(world: &World, of: &Tenant) -> SandboxId {
    let id = world.sandbox(of).await;
    let mut command = Command::shell("sleep 1000");
    command.stdin = Stdin::Piped;
    let options = ProcessOptions::default().tag("matrix");
    world
        .engine
        .start_process(&id, command, options)
        .await
        .unwrap();
    id
}

/// A path of the route, about the sandbox `id`. What else it names need not be there.
fn path_of(route: &RouteInfo, id: &SandboxId) -> String {
    let mut path = route.path.clone();
    let is_system = path.contains("/system/");
    for (parameter, value) in [
        ("{*path}", "tmp/matrix"),
        ("{pid}", if is_system { "1" } else { "tag:matrix" }),
        ("{port}", "8080"),
        ("{name}", "python"),
    ] {
        path = path.replace(parameter, value);
    }
    if path.contains("/sandboxes/{id}") {
        path = path.replace("{id}", id.as_str());
    }
    path = path.replace("{id}", "other-1");
    assert!(!path.contains('{'), "what stands for a part of {path}?");
    path
}

fn name_of(route: &RouteInfo) -> String {
    format!("{} {}", route.method, route.path)
}

/// The request with what makes it look like one for the route, but for a body that it can read.
fn dressed<'a>(ask: Ask<'a>, route: &RouteInfo) -> Ask<'a> {
    let ask = match route.policy.body {
        BodyClass::None => ask,
        BodyClass::Json => ask.json(&json!({})),
        BodyClass::File => ask.body("content"),
    };
    let is_websocket = ["/attach", "/connect"]
        .iter()
        .any(|end| route.path.ends_with(end));
    match is_websocket {
        true => ask
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        false => ask,
    }
}

/// Everything that a request could have changed.
#[derive(Debug, PartialEq)]
struct Traces {
    events: u64,
    calls: Vec<LoggedCall>,
    keys: usize,
    snapshots: usize,
}

async fn traces(world: &World) -> Traces {
    let mut keys = 0;
    let mut snapshots = 0;
    for tenant in [&world.acme, &world.rival] {
        keys += world
            .owners
            .keys(&tenant.organisation.id)
            .await
            .unwrap()
            .len();
        snapshots += world.engine.snapshots(&tenant.owner()).await.unwrap().len();
    }
    Traces {
        events: *world.engine.store().committed().borrow(),
        calls: world.daemon.faults().calls(),
        keys,
        snapshots,
    }
}

#[test]
fn the_policies_say_what_the_methods_promise() {
    let all = routes();
    assert!(all.len() > 30, "only {} routes", all.len());
    for route in &all {
        let name = name_of(route);
        let scope = route
            .policy
            .scope
            .unwrap_or_else(|| panic!("{name} asks for no key"));
        // A command that is started by opening a WebSocket is a GET all the same.
        let only_looks = route.method == Method::GET && !route.path.ends_with("/attach");
        let only_looks = only_looks && !route.path.ends_with("/connect");
        match route.method {
            Method::GET if only_looks => assert_eq!(route.policy.body, BodyClass::None, "{name}"),
            Method::GET => assert_ne!(route.policy.repeat, Repeat::Create, "{name}"),
            _ => assert!(scope >= Scope::Read, "{name}"),
        }
        if scope == Scope::Read {
            assert_eq!(
                route.policy.repeat,
                Repeat::Safe,
                "{name} changes something"
            );
        }
        if route.path.starts_with("/v1/keys") {
            assert_eq!(scope, Scope::Admin, "{name}");
        }
        if matches!(route.method, Method::PUT | Method::DELETE) {
            assert!(scope >= Scope::Write, "{name}");
        }
    }
}

/// Asks every route as somebody whom it refuses, and sees that nothing comes of it.
async fn refused_everywhere(
    world: &World,
    key: impl Fn(&RouteInfo) -> Option<String>,
    sandbox: &SandboxId,
    check: impl Fn(&RouteInfo, &Answer),
) {
    let before = traces(world).await;
    for route in routes() {
        let path = path_of(&route, sandbox);
        let method = route.method.clone();
        let ask = match key(&route) {
            Some(key) => world.ask_as(&key, method, path),
            None => world.ask_without_key(method, path),
        };
        let answer = dressed(ask, &route).send().await;
        check(&route, &answer);
        assert_eq!(
            answer.header("content-type"),
            "application/json",
            "{}",
            name_of(&route)
        );
        assert!(
            !answer.header("x-request-id").is_empty(),
            "{}",
            name_of(&route)
        );
    }
    assert_eq!(traces(world).await, before);
}

fn is(route: &RouteInfo, answer: &Answer, status: u16, code: &str) {
    let name = name_of(route);
    assert_eq!(answer.status.as_u16(), status, "{name}: {answer:?}");
    assert_eq!(answer.code(), code, "{name}");
}

#[tokio::test]
async fn nobody_gets_in_without_a_key_that_is_valid() {
    let world = World::new().await;
    let id = busy(&world, &world.acme).await;
    let now = world.clock.now();
    let acme = &world.acme.organisation;
    let (revoked, record) = new_key(&world.owners, acme, Scope::Admin, now).await;
    world
        .owners
        .revoke_key(&acme.id, &record.id, now)
        .await
        .unwrap();
    let brief = NewKey {
        scopes: Scopes::up_to(Scope::Admin),
        expires_at: Some(now.plus(Duration::from_secs(60))),
        ..NewKey::default()
    };
    let (expired, _) = world.owners.create_key(&acme.id, brief, now).await.unwrap();
    world.clock.advance(Duration::from_secs(61));

    let unknown = "sbk_0000000000000000000000000000000000000000000000000000000000000000";
    for key in [
        None,
        Some(unknown),
        Some(revoked.expose()),
        Some(expired.expose()),
    ] {
        let present = |_: &RouteInfo| key.map(str::to_owned);
        refused_everywhere(&world, present, &id, |route, answer| {
            is(route, answer, 401, "unauthorized");
            assert_eq!(
                answer.header("www-authenticate"),
                "Bearer",
                "{}",
                name_of(route)
            );
        })
        .await;
    }
}

#[tokio::test]
async fn a_key_does_no_more_than_its_scope() {
    let world = World::new().await;
    let id = busy(&world, &world.acme).await;
    let before = traces(&world).await;
    let mut refused = 0;
    for route in routes() {
        let key = match route.policy.scope {
            Some(Scope::Admin) => &world.acme.write,
            Some(Scope::Write) => &world.acme.read,
            Some(Scope::Read) | None => continue,
        };
        let ask = world.ask_as(key, route.method.clone(), path_of(&route, &id));
        let answer = dressed(ask, &route).send().await;
        is(&route, &answer, 403, "permission_denied");
        refused += 1;
    }
    assert!(refused > 20, "{refused}");
    assert_eq!(traces(&world).await, before);
}

#[tokio::test]
async fn another_organisations_sandbox_is_nobodys_to_use() {
    let world = World::new().await;
    let id = busy(&world, &world.rival).await;
    let before = traces(&world).await;
    let about_one = routes()
        .into_iter()
        .filter(|route| route.path.contains("/sandboxes/{id}"));
    let mut refused = 0;
    for route in about_one {
        let ask = world.ask_as(
            &world.acme.admin,
            route.method.clone(),
            path_of(&route, &id),
        );
        let answer = dressed(ask, &route).send().await;
        is(&route, &answer, 403, "permission_denied");
        assert_eq!(answer.field(), "sandbox_id", "{}", name_of(&route));
        let text = answer.json().to_string();
        assert!(
            !text.contains(world.rival.organisation.id.as_str()),
            "{text}"
        );

        let nowhere = path_of(&route, &SandboxId::new("sbx_nowhere").unwrap());
        let ask = world.ask_as(&world.acme.admin, route.method.clone(), nowhere);
        is(&route, &dressed(ask, &route).send().await, 404, "not_found");
        refused += 1;
    }
    assert!(refused > 20, "{refused}");
    assert_eq!(traces(&world).await, before);
}

#[tokio::test]
async fn a_key_of_a_request_that_cannot_be_replayed_is_refused() {
    let world = World::new().await;
    let id = busy(&world, &world.acme).await;
    let before = traces(&world).await;
    let streams = routes()
        .into_iter()
        .filter(|route| route.policy.repeat == Repeat::Refused);
    let mut refused = 0;
    for route in streams {
        let ask = world.ask(route.method.clone(), path_of(&route, &id));
        let ask = dressed(ask, &route).header("idempotency-key", "k");
        let answer = ask.send().await;
        is(&route, &answer, 400, "invalid_spec");
        assert_eq!(answer.field(), "idempotency_key", "{}", name_of(&route));
        refused += 1;
    }
    assert!(refused > 3, "{refused}");
    assert_eq!(traces(&world).await, before);
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_refused_with_those_that_it_does() {
    let world = World::new().await;
    let id = busy(&world, &world.acme).await;
    let before = traces(&world).await;
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for route in routes() {
        let taken = methods.entry(path_of(&route, &id)).or_default();
        taken.insert(route.method.to_string());
        if route.method == Method::GET {
            taken.insert("HEAD".to_owned());
        }
    }
    for (path, taken) in methods {
        for other in [
            "GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "BREW",
        ] {
            if taken.contains(other) {
                continue;
            }
            let method = Method::from_bytes(other.as_bytes()).unwrap();
            let answer = world.ask_as(&world.acme.admin, method, &path).send().await;
            assert_eq!(answer.status.as_u16(), 405, "{other} {path}: {answer:?}");
            let allowed = answer
                .header("allow")
                .split(',')
                .map(|name| name.trim().to_owned());
            assert_eq!(allowed.collect::<BTreeSet<_>>(), taken, "{other} {path}");
            assert!(
                other == "HEAD" || answer.code() == "method_not_allowed",
                "{other} {path}"
            );
        }
    }
    assert_eq!(traces(&world).await, before);
}

#[tokio::test]
async fn a_path_that_leads_nowhere_says_so() {
    let world = World::new().await;
    for path in [
        "/v1",
        "/v1/",
        "/v1/sandboxes/",
        "/v2/sandboxes",
        "/v1/nothing",
        "//",
        "/v1/keys/a/b",
    ] {
        let answer = world.get(path).send().await.expect(404);
        assert_eq!(answer.code(), "not_found", "{path}");
    }
}

/// The fields of a route's JSON body, as the API's description has them.
fn fields_of(document: &Value, route: &RouteInfo) -> Vec<String> {
    let path = route.path.replace("{*", "{");
    let operation = &document["paths"][path][route.method.as_str().to_lowercase()];
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let mut names = BTreeSet::new();
    collect(document, schema, &mut names);
    names.into_iter().collect()
}

fn collect(document: &Value, schema: &Value, names: &mut BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).unwrap();
        return collect(document, target, names);
    }
    if let Some(properties) = schema["properties"].as_object() {
        names.extend(properties.keys().cloned());
    }
    for several in ["allOf", "oneOf", "anyOf"] {
        for part in schema[several].as_array().into_iter().flatten() {
            collect(document, part, names);
        }
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_by_its_field() {
    let world = World::new().await;
    let id = busy(&world, &world.acme).await;
    let document = serde_json::to_value(sandbox_api::openapi()).unwrap();
    let before = traces(&world).await;
    let mut mistyped = 0;
    for route in routes()
        .into_iter()
        .filter(|route| route.policy.body == BodyClass::Json)
    {
        let name = name_of(&route);
        let ask = || {
            world.ask_as(
                &world.acme.admin,
                route.method.clone(),
                path_of(&route, &id),
            )
        };

        let broken = ask().header("content-type", "application/json").body("{\"");
        let answer = broken.send().await;
        is(&route, &answer, 400, "invalid_spec");
        assert_eq!(answer.field(), "body", "{name}");
        let untyped = ask().body("{}").send().await;
        is(&route, &untyped, 415, "unsupported_media_type");
        let list = ask().json(&json!([1])).send().await;
        is(&route, &list, 400, "invalid_spec");

        let answer = ask().json(&json!({"no_such_field": 1})).send().await;
        is(&route, &answer, 400, "invalid_spec");
        assert_eq!(answer.field(), "no_such_field", "{name}: {answer:?}");

        for field in fields_of(&document, &route) {
            // Nothing has a list of lists of objects.
            let answer = ask().json(&json!({&field: [[{}]]})).send().await;
            is(&route, &answer, 400, "invalid_spec");
            let blamed = answer.field();
            assert!(
                blamed.starts_with(&field),
                "{name}: {field} is wrong, {blamed} is blamed"
            );
            mistyped += 1;
        }
    }
    assert!(mistyped > 30, "{mistyped}");
    assert_eq!(traces(&world).await, before);
}

#[tokio::test]
async fn a_parameter_that_is_not_known_is_refused_by_its_name() {
    let world = World::new().await;
    let id = busy(&world, &world.acme).await;
    let document = serde_json::to_value(sandbox_api::openapi()).unwrap();
    let before = traces(&world).await;
    let mut refused = 0;
    for route in routes().into_iter().filter(|route| route.is_described) {
        let path = route.path.replace("{*", "{");
        let operation = &document["paths"][path][route.method.as_str().to_lowercase()];
        let parameters = operation["parameters"].as_array();
        let takes_some = parameters
            .into_iter()
            .flatten()
            .any(|one| one["in"] == "query");
        if !takes_some {
            continue;
        }
        let path = format!("{}?no_such_parameter=1", path_of(&route, &id));
        let ask = world.ask_as(&world.acme.admin, route.method.clone(), path);
        let answer = dressed(ask, &route).send().await;
        is(&route, &answer, 400, "invalid_spec");
        assert_eq!(answer.field(), "no_such_parameter", "{}", name_of(&route));
        refused += 1;
    }
    assert!(refused > 5, "{refused}");
    assert_eq!(traces(&world).await, before);
}

#[tokio::test]
async fn whoever_asks_too_often_is_refused_on_every_route() {
    let quotas = Quotas {
        requests_per_minute: Some(1),
        ..Quotas::default()
    };
    let world = World::with(ApiConfig::default(), quotas).await;
    let id = busy(&world, &world.acme).await;
    world.get("/v1/sandboxes").send().await.expect(200);
    let key = |_: &RouteInfo| Some(world.acme.admin.clone());
    refused_everywhere(&world, key, &id, |route, answer| {
        is(route, answer, 429, "rate_limited");
        assert_eq!(answer.header("retry-after"), "60", "{}", name_of(route));
        assert_eq!(
            answer.header("x-ratelimit-remaining"),
            "0",
            "{}",
            name_of(route)
        );
    })
    .await;
}
