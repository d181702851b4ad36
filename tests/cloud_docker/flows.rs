//! What a user of the document does, from beginning to end.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::Server;

/// How long something that happens by itself may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A flow, with its name.
type Flow = (&'static str, fn(&Server));

pub(crate) const FLOWS: &[Flow] = &[
    ("an_ephemeral_sandbox_is_used_and_ends_by_itself", ephemeral),
    (
        "a_persistent_sandbox_is_suspended_when_idle_and_keeps_its_files",
        persistent,
    ),
    ("auto_wake_wakes_on_use", auto_wake),
    ("a_retried_create_makes_one_sandbox", retried_create),
    ("output_is_streamed_while_the_command_runs", streamed),
    ("a_process_outlives_its_request_and_is_read_again", process),
    ("egress_is_denied_explained_and_opened", egress),
    (
        "a_hundred_megabytes_pass_up_and_down_in_little_memory",
        hundred_megabytes,
    ),
    ("whoever_has_no_key_gets_nothing", keys),
];

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not after {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn status(server: &Server, path: &str) -> Value {
    server.get(path).expect(200).json()["status"].clone()
}

fn ephemeral(server: &Server) {
    let path = server.create(json!({"timeout": "8s"}));
    let script = server.file("hello.py", b"print('hello from', 6 * 7)\n");
    let to = format!("{path}/files/home/user/hello.py");
    server.curl("PUT", &to).upload(&script).send().expect(204);
    let said = server.exec(&path, "python3 hello.py");
    assert_eq!(said["stdout"], "hello from 42\n");
    let list = server
        .get(&format!("{path}/files/home/user?list=true"))
        .expect(200)
        .json();
    let files = list["files"].as_array().unwrap();
    let found = files.iter().any(|one| one["path"] == "/home/user/hello.py");
    assert!(found, "{list}");
    wait_until("its time is over", || status(server, &path) == "destroyed");
}

fn persistent(server: &Server) {
    let path = server.create(json!({"mode": "persistent", "idle_timeout": "2s"}));
    server.exec(&path, "echo kept > /home/user/note");
    wait_until("it is idle", || status(server, &path) == "suspended");
    server
        .post(&format!("{path}/exec"), &json!({"command": "true"}))
        .expect(409);
    server
        .curl("POST", &format!("{path}/wake"))
        .send()
        .expect(200);
    let note = server
        .get(&format!("{path}/files/home/user/note"))
        .expect(200);
    assert_eq!(note.body, b"kept\n");
}

fn auto_wake(server: &Server) {
    let path = server.create(json!({
        "mode": "persistent", "idle_timeout": "1h", "auto_wake": true,
    }));
    server
        .curl("POST", &format!("{path}/suspend"))
        .send()
        .expect(200);
    assert_eq!(status(server, &path), "suspended");
    assert_eq!(server.exec(&path, "echo woken")["stdout"], "woken\n");
    assert_eq!(status(server, &path), "running");
}

fn retried_create(server: &Server) {
    let create = |body: &Value| {
        let request = server.curl("POST", "/v1/sandboxes").json(body);
        request.header("Idempotency-Key: a-retry").send()
    };
    let body = json!({"template": "base"});
    let first = create(&body).expect(201);
    assert_eq!(first.header("idempotent-replayed"), None);
    let second = create(&body).expect(201);
    assert_eq!(second.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), second.json());
    let other = create(&json!({"template": "base", "timeout": "1h"}));
    assert_eq!(other.expect(409).json()["error"]["code"], "conflict");
    let list = server.get("/v1/sandboxes").expect(200).json();
    assert_eq!(list["sandboxes"].as_array().unwrap().len(), 1);
}

fn streamed(server: &Server) {
    let path = server.create(json!({}));
    let body = json!({"command": "echo one; sleep 1; echo two >&2; exit 4"});
    let answer = server
        .post(&format!("{path}/exec/stream"), &body)
        .expect(200);
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let text = answer.text();
    let at = |what: &str| {
        text.find(what)
            .unwrap_or_else(|| panic!("no {what} in {text}"))
    };
    assert!(at("event: start") < at("\"one\\n\""), "{text}");
    assert!(at("\"one\\n\"") < at("\"two\\n\""), "{text}");
    assert!(at("\"two\\n\"") < at("event: exit"), "{text}");
    assert!(text.contains("\"exit_code\":4"), "{text}");
}

fn process(server: &Server) {
    let path = server.create(json!({}));
    let processes = format!("{path}/processes");
    let started = server
        .post(
            &processes,
            &json!({"command": "cat", "stdin": true, "tag": "echo"}),
        )
        .expect(201)
        .json();
    let one = format!("{processes}/{}", started["id"].as_str().unwrap());
    let input = server.file("input", b"over and out\n");
    let stdin = server.curl("POST", &format!("{one}/stdin?close=true"));
    stdin
        .header("Content-Type: application/octet-stream")
        .upload(&input)
        .send()
        .expect(204);
    for _ in 0..2 {
        let output = server
            .get(&format!("{one}/output?from=0"))
            .expect(200)
            .text();
        assert!(output.contains("over and out"), "{output}");
        assert!(output.contains("event: exit"), "{output}");
    }
    let tagged = server
        .get(&format!("{processes}/tag:echo"))
        .expect(200)
        .json();
    assert_eq!(tagged["id"], started["id"]);
}

fn egress(server: &Server) {
    let path = server.create(json!({"egress": {"mode": "deny_all"}}));
    let egress = format!("{path}/egress");
    assert_eq!(server.get(&egress).expect(200).json()["mode"], "deny_all");
    let asked = json!({"destination": "192.0.2.7:443"});
    let explained = server
        .post(&format!("{egress}/explain"), &asked)
        .expect(200)
        .json();
    assert_eq!(explained["allowed"], false, "{explained}");
    assert_eq!(explained["rule"], "deny_all", "{explained}");

    let opened = json!({"mode": "deny_all", "allow_cidrs": ["192.0.2.0/24"], "allow_ports": [443]});
    server.curl("PUT", &egress).json(&opened).send().expect(200);
    let explained = server
        .post(&format!("{egress}/explain"), &asked)
        .expect(200)
        .json();
    assert_eq!(explained["allowed"], true, "{explained}");

    let half = json!({"mode": "deny_all", "allow_ports": [443]});
    server
        .curl("PUT", &egress)
        .json(&half)
        .send()
        .refused(400, "allow_ports");
    let kept = server.get(&egress).expect(200).json();
    assert_eq!(kept["allow_cidrs"], json!(["192.0.2.0/24"]), "{kept}");
}

/// The most memory this process, and so the server, has ever had, in KiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.unwrap().parse().unwrap()
}

fn hundred_megabytes(server: &Server) {
    let path = server.create(json!({"resources": {"memory": 1 << 30}}));
    let small = server.zeros("small", 1_000_000);
    let large = server.zeros("large", 100_000_000);
    let back = server.files.path().join("back");
    let to = format!("{path}/files/home/user/large");
    // What the first transfer takes is there to stay.
    server.curl("PUT", &to).upload(&small).send().expect(204);
    server.curl("GET", &to).download(&back).send().expect(200);
    let before = peak_memory();
    server.curl("PUT", &to).upload(&large).send().expect(204);
    server.curl("GET", &to).download(&back).send().expect(200);
    let grown = peak_memory() - before;
    assert_eq!(std::fs::metadata(&back).unwrap().len(), 100_000_000);
    assert!(grown < 8 << 10, "the server's memory grew by {grown} KiB");
}

fn keys(server: &Server) {
    for path in ["/v1/sandboxes", "/v1/templates", "/v1/keys"] {
        let answer = server.anonymous("GET", path).send().expect(401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.json()["error"]["code"], "unauthorized");
        let wrong = server.anonymous("GET", path).key("sbk_wrong").send();
        wrong.expect(401);
    }
    let made = server.post("/v1/keys", &json!({"name": "reader", "scopes": ["read"]}));
    let made = made.expect(201).json();
    let reader = made["key"].as_str().unwrap();
    server
        .anonymous("GET", "/v1/sandboxes")
        .key(reader)
        .send()
        .expect(200);
    let create = server.anonymous("POST", "/v1/sandboxes").key(reader);
    create.json(&json!({"template": "base"})).send().expect(403);
    server
        .delete(&format!("/v1/keys/{}", made["id"].as_str().unwrap()))
        .expect(204);
    server
        .anonymous("GET", "/v1/sandboxes")
        .key(reader)
        .send()
        .expect(401);
}
