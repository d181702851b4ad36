//! Files as an answer and a body each.

use std::time::Duration;

use axum::http::Method;
use sandbox_api::ApiConfig;
use sandbox_core::lifecycle::{LifecyclePolicy, Persistent};
use sandbox_core::{ReadOptions, Sandbox, SandboxId, SandboxPath, Source};
use sandbox_engine::CreateRequest;
use sandbox_engine::owners::Quotas;
use sandbox_testkit::FAKE_IMAGE;
use serde_json::{Value, json};

use crate::support::World;

/// The files of a sandbox, as their paths in requests.
fn files(id: &SandboxId) -> String {
    format!("/v1/sandboxes/{id}/files")
}

async fn content(world: &World, id: &SandboxId, path: &str) -> Option<Vec<u8>> {
    use futures_util::StreamExt;
    let path = SandboxPath::new(path).unwrap();
    let sandbox = world.engine.sandbox(id).unwrap();
    let file = sandbox.read(&path, ReadOptions::default()).await.ok()?;
    let chunks: Vec<_> = file.body.map(Result::unwrap).collect().await;
    Some(chunks.concat())
}

#[tokio::test]
async fn what_is_uploaded_is_downloaded_byte_for_byte() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let every_byte: Vec<u8> = (0..=255).collect();
    for body in [Vec::new(), every_byte.clone(), every_byte.repeat(1000)] {
        let path = format!("{}/srv/deep/down", files(&id));
        let done = world.put(&path).body(body.clone()).send().await.expect(204);
        assert!(done.body.is_empty());
        assert_eq!(done.header("x-file-size"), body.len().to_string());

        let read = world.get(&path).send().await.expect(200);
        assert_eq!(read.body, body);
        for (header, value) in [
            ("content-type", "application/octet-stream"),
            ("content-length", &body.len().to_string()),
            ("x-content-type-options", "nosniff"),
            ("x-file-size", &body.len().to_string()),
            ("x-file-mode", "0644"),
        ] {
            assert_eq!(read.header(header), value, "{header}");
        }
    }
}

#[tokio::test]
async fn a_part_is_what_was_asked_for() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let path = format!("{}/f", files(&id));
    world.put(&path).body("0123456789").send().await.expect(204);
    for (query, part) in [
        ("offset=3", "3456789"),
        ("length=3", "012"),
        ("offset=8&length=3", "89"),
        ("offset=10", ""),
        (
            "offset=18446744073709551615&length=18446744073709551615",
            "",
        ),
    ] {
        let read = world
            .get(format!("{path}?{query}"))
            .send()
            .await
            .expect(200);
        assert_eq!(read.body, part, "{query}");
        assert_eq!(read.header("content-length"), part.len().to_string());
        assert_eq!(read.header("x-file-size"), "10", "the whole file's");
    }
}

#[tokio::test]
async fn names_are_what_they_decode_to_once() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    for (spelled, name) in [
        ("/plain", "/plain"),
        ("//doubled", "/doubled"),
        ("/a%20b", "/a b"),
        ("/a+b", "/a+b"),
        ("/line%0Abreak", "/line\nbreak"),
        ("/100%25", "/100%"),
        ("/%2525", "/%25"),
        ("/%252e%252e", "/%2e%2e"),
        ("/-rf", "/-rf"),
        ("/--help", "/--help"),
        ("/%C3%A9%F0%9F%98%80", "/\u{e9}\u{1f600}"),
        ("/q%3Fuery%23frag", "/q?uery#frag"),
        ("/a%2Fb", "/a/b"),
        ("/./c/", "/c"),
        ("/...", "/..."),
        ("/back%5Cslash", "/back\\slash"),
        ("/%22quoted%22%27", "/\"quoted\"'"),
        ("/%01%7F", "/\u{1}\u{7f}"),
    ] {
        let path = format!("{}{spelled}", files(&id));
        world.put(&path).body(spelled).send().await.expect(204);
        let stored = content(&world, &id, name).await;
        assert_eq!(stored.as_deref(), Some(spelled.as_bytes()), "{name:?}");
        let read = world.get(&path).send().await.expect(200);
        assert_eq!(read.body, spelled);
        let stat = world.get(format!("{path}?stat=true")).send().await;
        assert_eq!(stat.expect(200).json()["path"], name);
        world.delete(&path).send().await.expect(204);
        assert_eq!(content(&world, &id, name).await, None, "{name:?}");
    }
}

#[tokio::test]
async fn paths_that_climb_or_name_no_file_are_refused_in_every_encoding() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let long = format!("/{}", "n".repeat(256));
    let longer = "/d".repeat(2100);
    let climbing = [
        "/..",
        "/../etc/passwd",
        "/a/../../etc/passwd",
        "/%2e%2e/etc/passwd",
        "/%2E./etc/passwd",
        "/a%2F..%2F..%2Fetc",
        "//../etc",
        "/a/..",
        "/a/../b",
    ];
    let impossible = [
        "", "/", "//", "/%2F", "/.", "/a%00b", "/%ff%fe", &long, &longer,
    ];
    for spelled in climbing.into_iter().chain(impossible) {
        let path = format!("{}{spelled}", files(&id));
        for method in [Method::PUT, Method::GET, Method::DELETE] {
            let answer = world.ask(method.clone(), &path).body("x").send().await;
            let answer = answer.expect(400);
            assert_eq!(answer.field(), "path", "{method} {spelled:?}");
        }
    }
    for spelled in climbing {
        let bodies = [
            (
                "directories",
                json!({"path": spelled.replace("%2e", ".").replace("%2E", ".").replace("%2F", "/")}),
            ),
            ("rename", json!({"from": "/etc/passwd", "to": "/tmp/../x"})),
            ("rename", json!({"from": "/../etc/passwd", "to": "/x"})),
        ];
        for (route, body) in bodies {
            let ask = world.post(format!("/v1/sandboxes/{id}/{route}"));
            let field = ask.json(&body).send().await.expect(400).field();
            assert!(["path", "from", "to"].contains(&field.as_str()), "{field}");
        }
    }
    let passwd = content(&world, &id, "/etc/passwd").await.unwrap();
    assert!(passwd.starts_with(b"root:"));
}

#[tokio::test]
async fn an_upload_over_the_limit_is_refused_and_leaves_what_was_there() {
    let mut config = ApiConfig::default();
    config.max_file_bytes = 1000;
    let world = World::with(config, Quotas::default()).await;
    let id = world.sandbox(&world.acme).await;
    let path = format!("{}/dir/f", files(&id));
    let exact = vec![1; 1000];
    world
        .put(&path)
        .body(exact.clone())
        .send()
        .await
        .expect(204);
    for path in [path.clone(), format!("{}/other/g", files(&id))] {
        // Once with a length beforehand, once without.
        let chunks = vec![vec![2_u8; 500]; 3];
        let chunks = futures_util::stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>));
        let told = world.put(&path).header("content-length", "1001");
        for ask in [
            told.body(vec![2; 1001]),
            world.put(&path).body(axum::body::Body::from_stream(chunks)),
        ] {
            let refused = ask.send().await.expect(400);
            assert_eq!(refused.field(), "body");
            let said = refused.json()["error"]["message"].to_string();
            assert!(said.contains("api.max_file_bytes"), "{said}");
            let message = refused.json()["error"]["message"].to_string();
            assert!(message.contains("1000"), "{message}");
        }
    }
    assert_eq!(content(&world, &id, "/dir/f").await, Some(exact));
    world
        .get(format!("{}/other?stat=true", files(&id)))
        .send()
        .await
        .expect(404);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_what_was_there() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let path = format!("{}/f", files(&id));
    world.put(&path).body("old").send().await.expect(204);
    let chunks = [Ok("new"), Err(std::io::Error::other("gone"))];
    let body = axum::body::Body::from_stream(futures_util::stream::iter(chunks));
    let refused = world.put(&path).body(body).send().await.expect(400);
    assert_eq!(refused.field(), "body");
    assert_eq!(content(&world, &id, "/f").await.unwrap(), b"old");
}

#[tokio::test]
async fn attributes_are_set_and_shown() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let path = format!("{}/f", files(&id));
    let ask = world
        .put(format!("{path}?mode=0750&user=nobody&info=true"))
        .body("abc");
    let info = ask.send().await.expect(200).json();
    assert_eq!(
        (&info["mode"], &info["owner"], &info["size"], &info["kind"]),
        (&json!("0750"), &json!("nobody"), &json!(3), &json!("file"))
    );
    let stat = world
        .get(format!("{path}?stat=true"))
        .send()
        .await
        .expect(200);
    assert_eq!(stat.json()["mode"], "0750");
    for (query, field, status) in [
        ("mode=9", "mode", 400),
        ("mode=70000", "mode", 400),
        ("user=stranger", "user", 404),
        ("create_parents=maybe", "create_parents", 400),
        ("owner=root", "owner", 400),
    ] {
        let answer = world.put(format!("{path}?{query}")).body("x").send().await;
        assert_eq!(answer.expect(status).field(), field, "{query}");
    }
    let orphan = format!("{}/none/f?create_parents=false", files(&id));
    let answer = world.put(orphan).body("x").send().await.expect(404);
    assert_eq!(answer.field(), "path");
    assert_eq!(content(&world, &id, "/f").await.unwrap(), b"abc");
}

fn names(listed: &Value) -> Vec<&str> {
    let files = listed["files"].as_array().unwrap();
    files
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn directories_are_listed_to_the_depth_and_number_asked_for() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    for name in ["a/one", "a/b/two", "a/b/c/three"] {
        let path = format!("{}/work/{name}", files(&id));
        world.put(path).body("x").send().await.expect(204);
    }
    let list = format!("{}/work/a?list=true", files(&id));
    for (more, expected) in [
        ("", &["/work/a/b", "/work/a/one"][..]),
        (
            "&depth=2",
            &["/work/a/b", "/work/a/b/c", "/work/a/b/two", "/work/a/one"],
        ),
        ("&limit=2", &["/work/a/b", "/work/a/one"]),
    ] {
        let listed = world.get(format!("{list}{more}")).send().await.expect(200);
        assert_eq!(names(&listed.json()), expected, "{more}");
    }
    let deepest = world.get(format!("{list}&depth=4294967295")).send().await;
    assert_eq!(names(&deepest.expect(200).json()).len(), 5);
    for root in [
        "?list=true",
        "/?list=true",
        "//?list=true",
        "/%2F?list=true",
    ] {
        let listed = world.get(format!("{}{root}", files(&id))).send().await;
        assert!(
            names(&listed.expect(200).json()).contains(&"/work"),
            "{root}"
        );
    }
    for (query, field) in [
        ("list=true&limit=1", "limit"),
        ("list=true&limit=100001", "limit"),
        ("list=true&limit=4294967296", "limit"),
        ("list=true&depth=0", "depth"),
        ("list=true&depth=-1", "depth"),
        ("list=true&stat=true", "stat"),
        ("list=true&offset=1", "offset"),
        ("depth=1", "depth"),
        ("list=yes", "list"),
        ("recurse=true", "recurse"),
    ] {
        let answer = world
            .get(format!("{}/work/a?{query}", files(&id)))
            .send()
            .await;
        assert_eq!(answer.expect(400).field(), field, "{query}");
    }
    for (path, status) in [("/none", 404), ("/work/a/one", 409)] {
        let answer = world
            .get(format!("{}{path}?list=true", files(&id)))
            .send()
            .await;
        assert_eq!(answer.expect(status).field(), "path");
    }
}

#[tokio::test]
async fn what_is_no_file_is_not_downloaded() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    for (path, status, code) in [("/none", 404, "not_found"), ("/etc", 409, "conflict")] {
        let answer = world
            .get(format!("{}{path}", files(&id)))
            .send()
            .await
            .expect(status);
        assert_eq!(
            (answer.code().as_str(), answer.field().as_str()),
            (code, "path")
        );
    }
    let answer = world
        .put(format!("{}/etc", files(&id)))
        .body("x")
        .send()
        .await;
    assert_eq!(answer.expect(409).field(), "path");
}

#[tokio::test]
async fn directories_are_made_moved_and_removed() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let make = || world.post(format!("/v1/sandboxes/{id}/directories"));
    let body = json!({"path": "/srv/a/b", "mode": "0700"});
    let made = make().json(&body).send().await.expect(201).json();
    assert_eq!(made, json!({"created": true}));
    let there = make().json(&body).send().await.expect(200).json();
    assert_eq!(there, json!({"created": false}));
    let file = format!("{}/srv/a/b/f", files(&id));
    world.put(&file).body("x").send().await.expect(204);
    let in_the_way = make().json(&json!({"path": "/srv/a/b/f"})).send().await;
    assert_eq!(in_the_way.expect(409).field(), "path");

    let rename = |from: &str, to: &str| {
        let ask = world.post(format!("/v1/sandboxes/{id}/rename"));
        ask.json(&json!({"from": from, "to": to}))
    };
    rename("/srv/a", "/srv/z").send().await.expect(204);
    assert_eq!(content(&world, &id, "/srv/z/b/f").await.unwrap(), b"x");
    for (from, to, status, field) in [
        ("/none", "/x", 404, "from"),
        ("/srv/z", "/none/z", 404, "to"),
        ("/srv/z", "/srv/z/b/z", 409, "to"),
    ] {
        let answer = rename(from, to).send().await.expect(status);
        assert_eq!(answer.field(), field, "{from} {to}");
    }

    let dir = format!("{}/srv/z", files(&id));
    let full = world.delete(&dir).send().await.expect(409);
    assert_eq!(full.field(), "path");
    world
        .delete(format!("{dir}?recursive=true"))
        .send()
        .await
        .expect(204);
    world.delete(&dir).send().await.expect(404);
}

/// A sandbox that is suspended after an hour without activity.
async fn persistent(world: &World) -> SandboxId {
    let policy = LifecyclePolicy::new(Persistent::new(Duration::from_secs(3600))).unwrap();
    let mut request =
        CreateRequest::from_source(Source::Image(FAKE_IMAGE.into())).owner(world.acme.owner());
    request.lifecycle = Some(policy);
    world.engine.create(request).await.unwrap().id().clone()
}

#[tokio::test]
async fn transfers_and_listings_are_activity_and_looking_is_not() {
    let world = World::new().await;
    let id = persistent(&world).await;
    let sandbox = format!("/v1/sandboxes/{id}");
    let last = async || {
        let shown = world.get(&sandbox).send().await.expect(200).json();
        shown["last_activity_at"].clone()
    };
    let uses = [
        (Method::PUT, "/files/f", true),
        (Method::GET, "/files/f", true),
        (Method::GET, "/files/?list=true", true),
        (Method::GET, "", false),
        (Method::GET, "/egress", false),
        (Method::GET, "/events", false),
    ];
    for (method, path, is_activity) in uses {
        let before = last().await;
        world.clock.advance(Duration::from_secs(60));
        let ask = world
            .ask(method.clone(), format!("{sandbox}{path}"))
            .body("x");
        let response = ask.open().await;
        assert!(response.status().is_success(), "{response:?}");
        drop(response);
        let noted = async {
            while last().await == before {
                tokio::task::yield_now().await;
            }
        };
        match is_activity {
            true => crate::stream::soon(noted).await,
            false => assert_eq!(last().await, before, "{method} {path}"),
        }
    }
}

#[tokio::test]
async fn a_sandbox_that_does_not_run_is_a_conflict_for_every_use_of_files() {
    let world = World::new().await;
    let id = persistent(&world).await;
    let uses = async |world: &World| {
        let base = format!("/v1/sandboxes/{id}");
        for (method, path, body) in [
            (Method::PUT, "/files/f", None),
            (Method::GET, "/files/etc/passwd", None),
            (Method::GET, "/files/?list=true", None),
            (Method::DELETE, "/files/etc/passwd", None),
            (Method::GET, "/watch?path=/", None),
            (Method::POST, "/directories", Some(json!({"path": "/x"}))),
            (
                Method::POST,
                "/rename",
                Some(json!({"from": "/etc", "to": "/x"})),
            ),
            (Method::POST, "/snapshots", None),
        ] {
            let ask = world.ask(method.clone(), format!("{base}{path}"));
            let ask = match body {
                Some(body) => ask.json(&body),
                None => ask,
            };
            let answer = ask.send().await.expect(409);
            assert_eq!(answer.code(), "conflict", "{method} {path}");
        }
    };
    world.engine.pause(&id).await.unwrap();
    uses(&world).await;
    world.engine.destroy(&id).await.unwrap();
    uses(&world).await;
}
