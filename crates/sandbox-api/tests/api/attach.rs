//! Processes over WebSockets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use axum::http::Method;
use futures_util::{SinkExt, StreamExt};
use sandbox_api::ApiConfig;
use sandbox_api_types::OutputFrame;
use sandbox_core::SandboxId;
use sandbox_engine::owners::Quotas;
use sandbox_engine::process::ProcessStatus;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use crate::stream::{PATIENCE, soon, until};
use crate::support::World;
use crate::wire::{Server, Socket};

/// A sandbox that runs, and a server to reach it over.
struct Stage {
    world: World,
    server: Server,
    shutdown: CancellationToken,
    id: SandboxId,
}

impl Stage {
    async fn new() -> Self {
        Self::with(ApiConfig::default()).await
    }

    async fn with(mut config: ApiConfig) -> Self {
        let shutdown = CancellationToken::new();
        config.shutdown = shutdown.clone();
        let world = World::with(config, Quotas::default()).await;
        let server = Server::start(&world, shutdown.clone()).await;
        let id = world.sandbox(&world.acme).await;
        Self {
            world,
            server,
            shutdown,
            id,
        }
    }

    fn path(&self, below: &str) -> String {
        format!("/v1/sandboxes/{}/{below}", self.id)
    }

    async fn open(&self, below: &str) -> Client {
        let path = self.path(below);
        let opened = self.server.websocket(&self.world.acme.write, &path);
        Client(opened.await.unwrap())
    }

    /// Starts `command` and is attached to it; answers its id too.
    async fn start(&self, command: Value) -> (Client, String) {
        let mut client = self.open("exec/attach").await;
        let mut message = command;
        message["type"] = json!("start");
        client.say(&message).await;
        let started = client.expect("started").await;
        let id = started["process"]["id"].as_str().unwrap().to_owned();
        (client, id)
    }

    async fn attach(&self, process: &str, from: u64) -> Client {
        let path = format!("processes/{process}/attach?from={from}");
        let mut client = self.open(&path).await;
        client.expect("started").await;
        client
    }

    fn is_running(&self, process: &str) -> bool {
        let processes = self.world.engine.processes(&self.id).unwrap();
        let mut found = processes.iter().filter(|one| one.id().as_str() == process);
        found.any(|one| one.status() == ProcessStatus::Running)
    }
}

/// What the server says, but for pings.
#[derive(Debug)]
enum Said {
    Output(OutputFrame),
    Text(Value),
    Closed(u16),
    Broken,
}

struct Client(Socket);

impl Client {
    async fn say(&mut self, message: &Value) {
        let text = Message::text(message.to_string());
        soon(self.0.send(text)).await.unwrap();
    }

    async fn give(&mut self, bytes: impl Into<axum::body::Bytes>) {
        soon(self.0.send(Message::binary(bytes))).await.unwrap();
    }

    async fn next(&mut self) -> Said {
        loop {
            match soon(self.0.next()).await {
                Some(Ok(Message::Binary(bytes))) => {
                    return Said::Output(OutputFrame::decode(bytes).unwrap());
                }
                Some(Ok(Message::Text(text))) => {
                    return Said::Text(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(frame))) => {
                    return Said::Closed(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(_)) | None => return Said::Broken,
            }
        }
    }

    /// The next text of this type; `stdin_taken` is passed over, unless it is that.
    async fn expect(&mut self, kind: &str) -> Value {
        loop {
            match self.next().await {
                Said::Text(text) if text["type"] == kind => return text,
                Said::Text(text) if text["type"] == "stdin_taken" => {}
                other => panic!("{kind} was to come, and not {other:?}"),
            }
        }
    }

    /// The next output.
    async fn output(&mut self) -> OutputFrame {
        loop {
            match self.next().await {
                Said::Output(frame) => return frame,
                Said::Text(text) if text["type"] == "stdin_taken" => {}
                other => panic!("output was to come, and not {other:?}"),
            }
        }
    }

    async fn expect_close(&mut self, code: u16) {
        match self.next().await {
            Said::Closed(closed) => assert_eq!(closed, code),
            other => panic!("the end was to come, and not {other:?}"),
        }
    }

    /// All output up to the exit, and that.
    async fn rest(&mut self) -> (Vec<u8>, Value) {
        let mut output = Vec::new();
        loop {
            match self.next().await {
                Said::Output(frame) => output.extend_from_slice(&frame.data),
                Said::Text(text) if text["type"] == "exited" => return (output, text),
                Said::Text(text) if text["type"] == "stdin_taken" => {}
                other => panic!("the exit was to come, and not {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_process_is_started_fed_and_followed_to_its_end() {
    let stage = Stage::new().await;
    let body = json!({"command": "cat; echo err >&2; exit 3", "stdin": true, "tag": "mine"});
    let (mut client, process) = stage.start(body).await;
    client.give("hello\n").await;
    let first = client.output().await;
    assert_eq!((first.seq, &first.data[..]), (1, &b"hello\n"[..]));
    assert_eq!(first.stream, sandbox_api_types::OutputStream::Stdout);
    client.say(&json!({"type": "close_stdin"})).await;
    let second = client.output().await;
    assert_eq!(second.stream, sandbox_api_types::OutputStream::Stderr);
    let exited = client.expect("exited").await;
    assert_eq!(
        (&exited["seq"], &exited["exit_code"]),
        (&json!(3), &json!(3))
    );
    client.expect_close(1000).await;

    // It can be read again, from any number on.
    for (from, expected) in [(0, &b"hello\nerr\n"[..]), (2, b"err\n"), (3, b"")] {
        let mut again = stage.attach(&process, from).await;
        let (output, exited) = again.rest().await;
        assert_eq!((&output[..], &exited["exit_code"]), (expected, &json!(3)));
        again.expect_close(1000).await;
    }
    let mut beyond = stage.attach("tag:mine", 1_000).await;
    beyond.expect_close(1000).await;
}

#[tokio::test]
async fn what_was_taken_of_the_input_is_told() {
    let stage = Stage::new().await;
    let (mut client, _) = stage
        .start(json!({"command": "wc -c", "stdin": true}))
        .await;
    let mut sent = 0;
    for length in [1, 70_000, 0, 200_000] {
        client.give(vec![b'x'; length]).await;
        sent += length;
    }
    while client.expect("stdin_taken").await["bytes"] != sent {}
    client.say(&json!({"type": "close_stdin"})).await;
    let (output, _) = client.rest().await;
    assert_eq!(output, format!("{sent}\n").as_bytes());
}

#[tokio::test]
async fn a_terminal_takes_keys_sizes_and_signals() {
    let stage = Stage::new().await;
    let body = json!({"command": "stty size; sleep 1000", "pty": {"cols": 100, "rows": 30}});
    let (mut client, _) = stage.start(body).await;
    let first = client.output().await;
    assert_eq!(first.stream, sandbox_api_types::OutputStream::Pty);
    assert!(first.data.starts_with(b"30 100"), "{first:?}");
    client
        .say(&json!({"type": "resize", "cols": 7, "rows": 5}))
        .await;
    client
        .say(&json!({"type": "resize", "cols": 0, "rows": 5}))
        .await;
    let refused = client.expect("error").await;
    assert_eq!(
        (&refused["fatal"], &refused["error"]["code"]),
        (&json!(false), &json!("invalid_spec"))
    );
    client
        .say(&json!({"type": "signal", "signal": "KILL"}))
        .await;
    let (_, exited) = client.rest().await;
    assert_eq!(exited["signal"], "SIGKILL");
}

#[tokio::test]
async fn messages_without_a_meaning_are_refused_and_change_nothing() {
    let stage = Stage::new().await;
    let (mut client, _) = stage.start(json!({"command": "cat", "stdin": true})).await;
    for (message, field) in [
        ("", "message"),
        ("not json", "message"),
        ("[]", "message"),
        ("{}", "type"),
        (r#"{"type":"unknown"}"#, "type"),
        (r#"{"type":"signal"}"#, "signal"),
        (r#"{"type":"signal","signal":"NONE"}"#, "message"),
        (r#"{"type":"resize","cols":-1,"rows":1}"#, "message"),
        (r#"{"type":"start","command":"true"}"#, "type"),
        (r#"{"type":"close_write"}"#, "type"),
    ] {
        soon(client.0.send(Message::text(message))).await.unwrap();
        let refused = client.expect("error").await;
        assert_eq!(refused["fatal"], false, "{message}");
        assert_eq!(refused["error"]["field"], field, "{message}: {refused}");
    }
    // No terminal.
    client
        .say(&json!({"type": "resize", "cols": 1, "rows": 1}))
        .await;
    assert_eq!(client.expect("error").await["error"]["code"], "conflict");
    client.give("still here").await;
    assert_eq!(&client.output().await.data[..], b"still here");
}

#[tokio::test]
async fn a_first_message_that_starts_nothing_ends_the_connection_and_says_why() {
    let stage = Stage::new().await;
    let large = json!({"type": "start", "command": "x".repeat(200 << 10)}).to_string();
    for (message, code, field) in [
        (Message::binary("x"), "invalid_spec", "message"),
        (Message::text("x"), "invalid_spec", "message"),
        (
            Message::text(r#"{"type":"close_stdin"}"#),
            "invalid_spec",
            "message",
        ),
        (
            Message::text(r#"{"type":"start"}"#),
            "invalid_spec",
            "command",
        ),
        (
            Message::text(r#"{"type":"start","command":" "}"#),
            "invalid_spec",
            "command",
        ),
        (Message::text(large), "invalid_spec", "command"),
        (
            Message::text(r#"{"type":"start","command":"true","tag":""}"#),
            "invalid_spec",
            "tag",
        ),
    ] {
        let mut client = stage.open("exec/attach").await;
        soon(client.0.send(message.clone())).await.unwrap();
        let refused = client.expect("error").await;
        assert_eq!(refused["fatal"], true);
        assert_eq!(refused["error"]["code"], code, "{message:?}");
        assert_eq!(refused["error"]["field"], field, "{message:?}");
        client.expect_close(1008).await;
    }
    stage.world.engine.pause(&stage.id).await.unwrap();
    let mut client = stage.open("exec/attach").await;
    client
        .say(&json!({"type": "start", "command": "true"}))
        .await;
    assert_eq!(client.expect("error").await["error"]["code"], "conflict");
    client.expect_close(1008).await;
    assert!(stage.world.engine.processes(&stage.id).unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_websocket_or_not_allowed_is_refused_before() {
    let stage = Stage::new().await;
    let (_client, process) = stage.start(json!({"command": "sleep 1000"})).await;
    let below = format!("processes/{process}/attach");
    let attach = stage.path(&below);
    let plain = stage.world.get(&attach).send().await;
    assert_eq!(plain.expect(400).field(), "upgrade");
    let acme = &stage.world.acme;
    for (key, path, status) in [
        (acme.read.as_str(), attach.clone(), 403),
        (&stage.world.rival.write, attach.clone(), 403),
        ("none", attach.clone(), 401),
        (&acme.write, stage.path("processes/1/attach"), 404),
        (&acme.write, stage.path("processes/x/attach"), 400),
        (&acme.write, attach.clone() + "?from=-1", 400),
        (&acme.write, attach.clone() + "?follow=true", 400),
        (
            &acme.write,
            "/v1/sandboxes/none/exec/attach".to_owned(),
            404,
        ),
        (
            &acme.write,
            "/v1/sandboxes/%2e%2e/exec/attach".to_owned(),
            404,
        ),
    ] {
        match stage.server.websocket(key, &path).await {
            Err(tungstenite::Error::Http(answer)) => {
                assert_eq!(answer.status().as_u16(), status, "{path}");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    let key = stage
        .world
        .ask(Method::GET, &attach)
        .header("idempotency-key", "k");
    assert_eq!(key.send().await.expect(400).field(), "idempotency_key");
}

#[tokio::test]
async fn leaving_kills_nothing_and_what_was_sent_before_arrives() {
    let stage = Stage::new().await;
    let body = json!({"command": "wc -c; sleep 1000", "stdin": true});
    let (mut client, process) = stage.start(body).await;
    client.give(vec![b'x'; 500_000]).await;
    client.say(&json!({"type": "close_stdin"})).await;
    soon(client.0.close(None)).await.unwrap();
    drop(client);
    let mut again = stage.attach(&process, 0).await;
    assert_eq!(&again.output().await.data[..], b"500000\n");
    assert!(stage.is_running(&process));
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_connection_and_nothing_else() {
    let stage = Stage::new().await;
    let (mut client, process) = stage.start(json!({"command": "cat", "stdin": true})).await;
    // It may be refused while it is still being sent.
    let _ = soon(client.0.send(Message::binary(vec![0; 2 << 20]))).await;
    loop {
        match client.next().await {
            Said::Closed(_) | Said::Broken => break,
            Said::Text(text) => assert_eq!(text["type"], "error", "{text}"),
            Said::Output(frame) => panic!("{} bytes came through", frame.data.len()),
        }
    }
    assert!(stage.is_running(&process));
}

#[tokio::test]
async fn a_frame_that_announces_more_than_there_is_memory_is_refused_at_once() {
    let stage = Stage::new().await;
    let mut stream = handshake(&stage, "exec/attach").await;
    // A binary frame of 2^62 bytes, masked.
    let mut head = vec![0x82, 0xff];
    head.extend_from_slice(&(1_u64 << 62).to_be_bytes());
    head.extend_from_slice(&[0; 4]);
    stream.write_all(&head).await.unwrap();
    let mut rest = Vec::new();
    // An error is an end as well.
    let _ = soon(stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_leaves_the_rest_in_the_ring() {
    let stage = Stage::new().await;
    stage.world.daemon.script("flood", |context| async move {
        for _ in 0..1024 {
            context.stdout(vec![b'x'; 64 << 10]).await;
        }
        0
    });
    let (mut client, process) = stage.start(json!({"command": "flood"})).await;
    // All 64 MiB are written although nobody reads.
    until("the process was held up", || !stage.is_running(&process)).await;
    let (mut bytes, mut gaps, mut last) = (0, 0, 0);
    loop {
        match client.next().await {
            Said::Output(frame) => {
                bytes += frame.data.len();
                assert!(frame.seq > last, "numbers grow");
                last = frame.seq;
            }
            Said::Text(text) if text["type"] == "gap" => {
                assert_eq!(text["from"], last + 1);
                last = text["to"].as_u64().unwrap();
                gaps += 1;
            }
            Said::Text(text) if text["type"] == "exited" => {
                assert_eq!(text["seq"], last + 1);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(gaps > 0, "nothing was left out");
    assert!(bytes < 32 << 20, "{bytes} bytes were kept for one reader");
    client.expect_close(1000).await;
}

#[tokio::test]
async fn a_client_that_floods_standard_input_is_held_and_loses_nothing() {
    const PIECE: usize = 64 << 10;
    const PIECES: u64 = 512;
    let stage = Stage::new().await;
    let (goes_on, read) = (Arc::new(Notify::new()), Arc::new(AtomicU64::new(0)));
    let (may_go_on, was_read) = (Arc::clone(&goes_on), Arc::clone(&read));
    stage.world.daemon.script("hold", move |context| {
        let (goes_on, read) = (Arc::clone(&goes_on), Arc::clone(&read));
        async move {
            goes_on.notified().await;
            loop {
                let chunk = context.read_stdin().await;
                if chunk.is_empty() {
                    return 0;
                }
                read.fetch_add(chunk.len() as u64, SeqCst);
            }
        }
    });
    let (client, _) = stage.start(json!({"command": "hold", "stdin": true})).await;
    let (mut sink, mut said) = client.0.split();
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let sending = tokio::spawn(async move {
        for _ in 0..PIECES {
            let piece = Message::binary(vec![b'x'; PIECE]);
            sink.send(piece).await.unwrap();
            counted.fetch_add(PIECE as u64, SeqCst);
        }
        let close = Message::text(r#"{"type":"close_stdin"}"#);
        sink.send(close).await.unwrap();
        sink
    });
    // It gets as far as the queue and the buffers of the connection, and stands there.
    let mut before = u64::MAX;
    while sent.load(SeqCst) != before {
        before = sent.load(SeqCst);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let total = PIECES * PIECE as u64;
    assert!(
        before < total / 2,
        "{before} of {total} bytes were taken from a flood"
    );
    assert!(!sending.is_finished());
    assert_eq!(was_read.load(SeqCst), 0);

    may_go_on.notify_one();
    let _sink = soon(sending).await.unwrap();
    let exited = soon(async {
        loop {
            if let Message::Text(text) = said.next().await.unwrap().unwrap()
                && text.contains("exited")
            {
                return;
            }
        }
    });
    exited.await;
    assert_eq!(was_read.load(SeqCst), total);
}

#[tokio::test]
async fn a_signal_gets_past_input_that_is_not_read() {
    let stage = Stage::new().await;
    let (mut client, _) = stage
        .start(json!({"command": "sleep 1000", "stdin": true}))
        .await;
    for _ in 0..8 {
        client.give(vec![b'x'; 64 << 10]).await;
    }
    client
        .say(&json!({"type": "signal", "signal": "TERM"}))
        .await;
    loop {
        match client.next().await {
            Said::Text(text) if text["type"] == "exited" => {
                assert_eq!(text["signal"], "SIGTERM");
                break;
            }
            // The rest of the input has nobody to read it.
            Said::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_flood_of_refused_messages_is_held_and_not_stored() {
    let stage = Stage::new().await;
    let (client, process) = stage.start(json!({"command": "cat", "stdin": true})).await;
    let (mut sink, said) = client.0.split();
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let long = "x".repeat(10_000);
    let flood = tokio::spawn(async move {
        // Until the server has had enough of a client that reads none of its answers.
        while sink.send(Message::text(long.as_str())).await.is_ok() {
            counted.fetch_add(1, SeqCst);
        }
    });
    let mut before = u64::MAX;
    while sent.load(SeqCst) != before {
        before = sent.load(SeqCst);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(!flood.is_finished(), "it is held, not cut");
    flood.abort();
    drop(said);
    assert!(stage.is_running(&process));
    let mut again = stage.attach(&process, 0).await;
    again.give("still here").await;
    assert_eq!(&again.output().await.data[..], b"still here");
}

/// A WebSocket whose client does nothing by itself: no pong, no goodbye.
async fn handshake(stage: &Stage, below: &str) -> TcpStream {
    let mut stream = TcpStream::connect(stage.server.address).await.unwrap();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        stage.path(below),
        stage.world.acme.write,
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{head:?}");
    stream
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_taken_for_gone() {
    let mut config = ApiConfig::default();
    config.ping_interval = Duration::from_millis(100);
    let stage = Stage::with(config).await;
    let (mut polite, process) = stage.start(json!({"command": "cat", "stdin": true})).await;
    let mut silent = handshake(&stage, &format!("processes/{process}/attach")).await;
    let mut said = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, async {
        tokio::select! {
            ended = silent.read_to_end(&mut said) => ended.is_ok(),
            // One that reads answers pings, and stays.
            other = polite.next() => panic!("{other:?}"),
        }
    });
    assert!(ended.await.unwrap(), "it was closed, not reset");
    let pings = said.windows(2).filter(|head| *head == [0x89, 0]).count();
    assert!((1..=4).contains(&pings), "{pings} pings");
    polite.give("still here").await;
    assert_eq!(&polite.output().await.data[..], b"still here");
}

#[tokio::test]
async fn a_shutdown_closes_cleanly_and_the_process_goes_on() {
    let stage = Stage::new().await;
    let (mut attached, process) = stage.start(json!({"command": "sleep 1000"})).await;
    let mut waiting = stage.open("exec/attach").await;
    stage.shutdown.cancel();
    attached.expect_close(1001).await;
    waiting.expect_close(1001).await;
    assert!(stage.is_running(&process));
    soon(stage.server.stop()).await;
}

#[tokio::test]
async fn a_key_that_is_revoked_leaves_nobody_attached_and_the_process_goes_on() {
    let mut config = ApiConfig::default();
    config.key_check_interval = Duration::from_millis(10);
    let stage = Stage::with(config).await;
    let (mut attached, process) = stage.start(json!({"command": "sleep 1000"})).await;
    let mut waiting = stage.open("exec/attach").await;
    let owners = &stage.world.owners;
    let organisation = &stage.world.acme.organisation.id;
    for key in owners.keys(organisation).await.unwrap() {
        let now = stage.world.clock.now();
        owners.revoke_key(organisation, &key.id, now).await.unwrap();
    }
    attached.expect_close(1008).await;
    waiting.expect_close(1008).await;
    assert!(stage.is_running(&process));
}
