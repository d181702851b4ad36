//! The document's endpoints and statuses, a row each.

use serde_json::{Value, json};

use crate::server::Server;

/// What the document has a section about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Create,
    List,
    Get,
    Destroy,
    Keepalive,
    Wake,
    Exec,
    Upload,
    Download,
}

impl Endpoint {
    /// Its section, as a part of a test's name.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::Create => "create_sandbox",
            Self::List => "list_sandboxes",
            Self::Get => "get_sandbox",
            Self::Destroy => "destroy_sandbox",
            Self::Keepalive => "keepalive",
            Self::Wake => "wake_sandbox",
            Self::Exec => "execute_command",
            Self::Upload => "upload_file",
            Self::Download => "download_file",
        }
    }
}

/// The statuses that each section names.
pub(crate) const DOCUMENT: &[(Endpoint, &[u16])] = &[
    (Endpoint::Create, &[201, 400, 404]),
    (Endpoint::List, &[200]),
    (Endpoint::Get, &[200, 403, 404]),
    (Endpoint::Destroy, &[204]),
    (Endpoint::Keepalive, &[200, 409]),
    (Endpoint::Wake, &[200, 409]),
    (Endpoint::Exec, &[200, 400, 409]),
    (Endpoint::Upload, &[204, 400, 409]),
    (Endpoint::Download, &[200, 404, 409]),
];

/// One status of one endpoint, under one condition.
pub(crate) struct Row {
    pub(crate) endpoint: Endpoint,
    pub(crate) status: u16,
    pub(crate) condition: &'static str,
    pub(crate) check: fn(&Server),
}

const fn row(endpoint: Endpoint, status: u16, condition: &'static str, check: fn(&Server)) -> Row {
    Row {
        endpoint,
        status,
        condition,
        check,
    }
}

pub(crate) const ROWS: &[Row] = &[
    row(Endpoint::Create, 201, "sandbox_created", created),
    row(
        Endpoint::Create,
        400,
        "invalid_mode_size_timeout_or_egress",
        create_invalid,
    ),
    row(
        Endpoint::Create,
        404,
        "template_not_found",
        create_unknown_template,
    ),
    row(Endpoint::List, 200, "all_that_are_not_destroyed", listed),
    row(Endpoint::List, 200, "filtered_by_status", filtered),
    row(Endpoint::Get, 200, "ok", got),
    row(
        Endpoint::Get,
        403,
        "of_a_different_organization",
        got_of_another,
    ),
    row(Endpoint::Get, 404, "not_found", got_none),
    row(
        Endpoint::Destroy,
        204,
        "safe_to_call_multiple_times",
        destroyed,
    ),
    row(Endpoint::Keepalive, 200, "timeout_extended", kept_alive),
    row(Endpoint::Keepalive, 409, "not_ephemeral", not_ephemeral),
    row(
        Endpoint::Keepalive,
        409,
        "not_running",
        not_kept_alive_while_suspended,
    ),
    row(Endpoint::Wake, 200, "woken_or_already_running", woken),
    row(Endpoint::Wake, 409, "cannot_be_woken", not_woken),
    row(Endpoint::Exec, 200, "command_completed", executed),
    row(
        Endpoint::Exec,
        400,
        "missing_command_or_invalid_timeout",
        exec_invalid,
    ),
    row(Endpoint::Exec, 409, "not_running", exec_while_suspended),
    row(Endpoint::Upload, 204, "file_uploaded", uploaded),
    row(
        Endpoint::Upload,
        400,
        "invalid_path",
        upload_to_invalid_path,
    ),
    row(Endpoint::Upload, 400, "exceeds_100_mb", upload_too_large),
    row(Endpoint::Upload, 409, "not_running", upload_while_suspended),
    row(Endpoint::Download, 200, "file_contents", downloaded),
    row(Endpoint::Download, 404, "file_not_found", download_of_none),
    row(
        Endpoint::Download,
        409,
        "not_running",
        download_while_suspended,
    ),
];

const NOWHERE: &str = "/v1/sandboxes/sbx_00000000000000000000000000";

fn created(server: &Server) {
    let body = json!({
        "template": "base",
        "mode": "ephemeral",
        "timeout": "10m",
        "idle_timeout": "10m",
        "size": "shared-cpu-2x",
        "env": {"GREETING": "hello"},
        "metadata": {"user": "42"},
        "egress": {"mode": "deny_all", "allow_cidrs": ["192.0.2.0/24"], "allow_ports": [443]},
    });
    let made = server.post("/v1/sandboxes", &body).expect(201).json();
    assert!(made["id"].as_str().unwrap().starts_with("sbx_"), "{made}");
    for (field, value) in [
        ("status", json!("running")),
        ("mode", json!("ephemeral")),
        ("template", json!("base")),
        ("size", json!("shared-cpu-2x")),
        ("metadata", json!({"user": "42"})),
    ] {
        assert_eq!(made[field], value, "{field} of {made}");
    }
    assert!(
        made["created_at"].as_str() < made["expires_at"].as_str(),
        "{made}"
    );
    let path = format!("/v1/sandboxes/{}", made["id"].as_str().unwrap());
    let said = server.exec(&path, "echo $GREETING; nproc >/dev/null && echo fine");
    assert_eq!(said["stdout"], "hello\nfine\n");
}

fn create_invalid(server: &Server) {
    for (field, value) in [
        ("mode", json!({"mode": "eternal"})),
        ("size", json!({"size": "shared-cpu-3x"})),
        ("timeout", json!({"timeout": "25h"})),
        ("timeout", json!({"timeout": "0s"})),
        ("timeout", json!({"timeout": "soon"})),
        (
            "idle_timeout",
            json!({"mode": "persistent", "idle_timeout": "25h"}),
        ),
        ("egress.mode", json!({"egress": {"mode": "some"}})),
        (
            "egress.deny_cidrs",
            json!({"egress": {"mode": "allow_all", "deny_cidrs": ["192.0.2.0/24"]}}),
        ),
        (
            "egress.allow_ports",
            json!({"egress": {"mode": "deny_all", "allow_ports": [80]}}),
        ),
        (
            "egress.allow_cidrs[0]",
            json!({"egress": {"mode": "deny_all", "allow_cidrs": ["192.0.2.0/33"]}}),
        ),
        (
            "egress.allow_ports[0]",
            json!({"egress": {"mode": "deny_all", "allow_cidrs": ["192.0.2.0/24"], "allow_ports": [0]}}),
        ),
        ("colour", json!({"colour": "red"})),
    ] {
        let mut body = json!({"template": "base"});
        body.as_object_mut()
            .unwrap()
            .extend(value.as_object().unwrap().clone());
        server.post("/v1/sandboxes", &body).refused(400, field);
    }
    let listed = server.get("/v1/sandboxes").expect(200).json();
    assert_eq!(
        listed["sandboxes"],
        json!([]),
        "a refused request made something"
    );
}

fn create_unknown_template(server: &Server) {
    server
        .post("/v1/sandboxes", &json!({"template": "nothing"}))
        .refused(404, "template");
}

fn ids(list: &Value) -> Vec<String> {
    let all = list["sandboxes"].as_array().unwrap().iter();
    all.map(|one| format!("/v1/sandboxes/{}", one["id"].as_str().unwrap()))
        .collect()
}

fn listed(server: &Server) {
    let first = server.create(json!({}));
    let second = server.create(json!({}));
    let gone = server.create(json!({}));
    server.delete(&gone).expect(204);
    let list = server.get("/v1/sandboxes").expect(200).json();
    assert_eq!(ids(&list), [second.clone(), first.clone()], "newest first");

    let page = server.get("/v1/sandboxes?limit=1").expect(200).json();
    assert_eq!(ids(&page), [second]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let next = format!("/v1/sandboxes?limit=1&cursor={cursor}");
    let page = server.get(&next).expect(200).json();
    assert_eq!(ids(&page), [first]);
    assert_eq!(page["next_cursor"], Value::Null);

    let theirs = server
        .anonymous("GET", "/v1/sandboxes")
        .key(&server.foreign_key);
    assert_eq!(ids(&theirs.send().expect(200).json()), [""; 0]);
}

fn filtered(server: &Server) {
    let running = server.create(json!({}));
    let suspended = server.create_suspended();
    let destroyed = server.create(json!({}));
    server.delete(&destroyed).expect(204);
    for (status, expected) in [
        ("running", vec![running]),
        ("suspended", vec![suspended]),
        ("destroyed", vec![destroyed]),
        ("creating", vec![]),
    ] {
        let path = format!("/v1/sandboxes?status={status}");
        let list = server.get(&path).expect(200).json();
        assert_eq!(ids(&list), expected, "{status}");
    }
    server
        .get("/v1/sandboxes?status=odd")
        .refused(400, "status");
}

fn got(server: &Server) {
    let path = server.create(json!({"mode": "persistent", "idle_timeout": "7m"}));
    let got = server.get(&path).expect(200).json();
    assert_eq!(got["status"], "running");
    assert_eq!(got["mode"], "persistent");
    assert_eq!(got["idle_timeout_seconds"], 420);
    assert_eq!(got["expires_at"], Value::Null);
    assert!(got["last_activity_at"].is_string(), "{got}");
    assert_eq!(got.get("env"), None, "secrets are not shown");
}

fn got_of_another(server: &Server) {
    let path = server.create(json!({}));
    let foreign = server.anonymous("GET", &path).key(&server.foreign_key);
    foreign.send().refused(403, "sandbox_id");
}

fn got_none(server: &Server) {
    server.get(NOWHERE).refused(404, "sandbox_id");
}

fn destroyed(server: &Server) {
    let path = server.create(json!({}));
    for _ in 0..3 {
        let answer = server.delete(&path).expect(204);
        assert!(answer.body.is_empty());
    }
    assert_eq!(server.get(&path).expect(200).json()["status"], "destroyed");
}

fn kept_alive(server: &Server) {
    let path = server.create(json!({"timeout": "1m"}));
    let before = server.get(&path).expect(200).json();
    let longer = json!({"timeout": "1h"});
    let after = server
        .post(&format!("{path}/keepalive"), &longer)
        .expect(200)
        .json();
    assert!(
        before["expires_at"].as_str() < after["expires_at"].as_str(),
        "{before} {after}"
    );
    // Beyond the maximum it is clamped, not refused.
    let longest = json!({"timeout": "90h"});
    let clamped = server
        .post(&format!("{path}/keepalive"), &longest)
        .expect(200)
        .json();
    assert!(
        after["expires_at"].as_str() < clamped["expires_at"].as_str(),
        "{after} {clamped}"
    );
}

fn not_ephemeral(server: &Server) {
    let path = server.create(json!({"mode": "persistent"}));
    let answer = server.post(&format!("{path}/keepalive"), &json!({"timeout": "1h"}));
    assert_eq!(answer.expect(409).json()["error"]["code"], "conflict");
}

fn not_kept_alive_while_suspended(server: &Server) {
    let path = server.create(json!({"timeout": "1h"}));
    server
        .curl("POST", &format!("{path}/suspend"))
        .send()
        .expect(200);
    let answer = server.post(&format!("{path}/keepalive"), &json!({"timeout": "1h"}));
    assert_eq!(answer.expect(409).json()["error"]["code"], "conflict");
}

fn woken(server: &Server) {
    let path = server.create_suspended();
    for _ in 0..2 {
        let woken = server
            .curl("POST", &format!("{path}/wake"))
            .send()
            .expect(200)
            .json();
        assert_eq!(woken["status"], "running");
    }
    assert_eq!(server.exec(&path, "echo awake")["stdout"], "awake\n");
}

fn not_woken(server: &Server) {
    let path = server.create(json!({}));
    server.delete(&path).expect(204);
    let answer = server.curl("POST", &format!("{path}/wake")).send();
    assert_eq!(answer.expect(409).json()["error"]["code"], "conflict");
}

fn executed(server: &Server) {
    let path = server.create(json!({}));
    let body = json!({
        "command": "pwd; echo $WHAT; echo oops >&2; exit 3",
        "timeout": "20s",
        "cwd": "/tmp",
        "env": {"WHAT": "more"},
    });
    let said = server
        .post(&format!("{path}/exec"), &body)
        .expect(200)
        .json();
    assert_eq!(said["stdout"], "/tmp\nmore\n");
    assert_eq!(said["stderr"], "oops\n");
    assert_eq!(said["exit_code"], 3);
    assert_eq!(said["timed_out"], false);
    assert!(said["duration_ms"].is_u64(), "{said}");

    let endless = json!({"command": "echo begun; sleep 600", "timeout": "1s"});
    let said = server
        .post(&format!("{path}/exec"), &endless)
        .expect(200)
        .json();
    assert_eq!(said["timed_out"], true);
    assert_eq!(said["stdout"], "begun\n");
}

fn exec_invalid(server: &Server) {
    let path = format!("{}/exec", server.create(json!({})));
    for (field, body) in [
        ("command", json!({})),
        ("command", json!({"command": ""})),
        ("command", json!({"command": 7})),
        ("timeout", json!({"command": "true", "timeout": "6m"})),
        ("timeout", json!({"command": "true", "timeout": "0s"})),
        ("timeout", json!({"command": "true", "timeout": "fast"})),
    ] {
        server.post(&path, &body).refused(400, field);
    }
    let cut_off = server.curl("POST", &path).text("{\"command\":").send();
    assert_eq!(cut_off.expect(400).json()["error"]["code"], "invalid_spec");
}

fn exec_while_suspended(server: &Server) {
    let path = server.create_suspended();
    let answer = server.post(&format!("{path}/exec"), &json!({"command": "true"}));
    assert_eq!(answer.expect(409).json()["error"]["code"], "conflict");
    assert_eq!(server.get(&path).expect(200).json()["status"], "suspended");
}

fn uploaded(server: &Server) {
    let path = server.create(json!({}));
    let file = server.file("some", b"line\n\0\xff");
    for name in ["/tmp/a/deep/place", "/tmp/with%20space%0Aand%25", "/tmp/-f"] {
        let to = format!("{path}/files{name}");
        let answer = server.curl("PUT", &to).upload(&file).send().expect(204);
        assert!(answer.body.is_empty());
        assert_eq!(server.get(&to).expect(200).body, b"line\n\0\xff", "{name}");
    }
    let said = server.exec(&path, "find /tmp -type f | wc -c");
    let names = "/tmp/a/deep/place\n/tmp/with space\nand%\n/tmp/-f\n";
    assert_eq!(said["stdout"], format!("{}\n", names.len()));
}

fn upload_to_invalid_path(server: &Server) {
    let path = server.create(json!({}));
    for name in [
        "",
        "/",
        "/../etc/passwd",
        "/tmp/../../etc/passwd",
        "/tmp/%2e%2e/x",
        "/tmp/%2e%2e%2fx",
        "/tmp/nul%00byte",
    ] {
        let request = server.curl("PUT", &format!("{path}/files{name}"));
        request.text("x").send().refused(400, "path");
    }
}

fn upload_too_large(server: &Server) {
    let path = server.create(json!({}));
    let file = server.zeros("large", 101_000_000);
    let to = format!("{path}/files/tmp/large");
    server
        .curl("PUT", &to)
        .upload(&file)
        .send()
        .refused(400, "body");
    // Nobody says beforehand how long it will be.
    let unknown = server.curl("PUT", &to).header("Transfer-Encoding: chunked");
    unknown.upload(&file).send().refused(400, "body");
    server.get(&to).expect(404);
    let left = server.exec(&path, "ls -A /tmp | wc -l");
    assert_eq!(left["stdout"], "0\n", "nothing half-done stays");
}

fn upload_while_suspended(server: &Server) {
    let path = server.create_suspended();
    let file = server.file("some", b"x");
    let answer = server
        .curl("PUT", &format!("{path}/files/tmp/x"))
        .upload(&file)
        .send();
    assert_eq!(answer.expect(409).json()["error"]["code"], "conflict");
}

fn downloaded(server: &Server) {
    let path = server.create(json!({}));
    server.exec(&path, "printf 'some\\0bytes' > /tmp/file");
    let answer = server.get(&format!("{path}/files/tmp/file")).expect(200);
    assert_eq!(answer.body, b"some\0bytes");
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
}

fn download_of_none(server: &Server) {
    let path = server.create(json!({}));
    server
        .get(&format!("{path}/files/tmp/none"))
        .refused(404, "path");
}

fn download_while_suspended(server: &Server) {
    let path = server.create_suspended();
    let answer = server.get(&format!("{path}/files/etc/passwd"));
    assert_eq!(answer.expect(409).json()["error"]["code"], "conflict");
}
