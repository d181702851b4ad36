//! Connections to ports, over WebSockets.

use axum::body::Bytes;
use futures_util::{SinkExt, StreamExt};
use sandbox_api::ApiConfig;
use sandbox_core::{Command, Sandbox, SandboxId};
use sandbox_engine::owners::Quotas;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use crate::stream::soon;
use crate::support::World;
use crate::wire::{Server, Socket};

struct Lab {
    world: World,
    id: SandboxId,
    server: Server,
}

impl Lab {
    async fn new() -> Self {
        Self::with(ApiConfig::default()).await
    }

    async fn with(mut config: ApiConfig) -> Self {
        let shutdown = CancellationToken::new();
        config.shutdown = shutdown.clone();
        let world = World::with(config, Quotas::default()).await;
        let id = world.sandbox(&world.acme).await;
        let server = Server::start(&world, shutdown).await;
        Self { world, id, server }
    }

    /// Serves one connection on `port` with `program`, and connects.
    async fn dial(&self, port: u16, program: &str) -> Socket {
        let line = format!("nc -l -p {port} -e {program}");
        let sandbox = self.world.engine.sandbox(&self.id).unwrap();
        sandbox.spawn(Command::shell(line)).await.unwrap();
        let path = self.path(&port.to_string());
        let dialling = async {
            loop {
                match self.server.websocket(&self.world.acme.write, &path).await {
                    Ok(socket) => return socket,
                    Err(tungstenite::Error::Http(response)) => {
                        assert_eq!(response.status(), 503, "{response:?}");
                    }
                    Err(error) => panic!("{error}"),
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        soon(dialling).await
    }

    fn path(&self, port: &str) -> String {
        format!("/v1/sandboxes/{}/ports/{port}/connect", self.id)
    }
}

fn close_write() -> Message {
    Message::text(json!({"type": "close_write"}).to_string())
}

/// What the sandbox sends, up to the end of its way, and the message after it.
async fn read_to_end(socket: &mut Socket) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match soon(socket.next()).await.unwrap().unwrap() {
            Message::Binary(bytes) => all.extend_from_slice(&bytes),
            Message::Text(text) => {
                let message: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(message, json!({"type": "close_write"}));
                return all;
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The code and the reason with which the server closes; what comes before is passed over.
async fn closed(socket: &mut Socket) -> (CloseCode, String) {
    loop {
        if let Message::Close(frame) = soon(socket.next()).await.unwrap().unwrap() {
            let frame = frame.unwrap();
            return (frame.code, frame.reason.to_string());
        }
    }
}

#[tokio::test]
async fn bytes_pass_both_ways_and_each_way_closes_on_its_own() {
    let lab = Lab::new().await;
    let socket = lab.dial(7000, "cat").await;
    let (mut writer, mut reader) = socket.split();
    let sent: Vec<u8> = (0..2_000_000_u32).map(|n| (n % 251) as u8).collect();
    let chunks: Vec<_> = sent.chunks(100_000).map(Bytes::copy_from_slice).collect();
    let writing = async move {
        for chunk in chunks {
            writer.send(Message::Binary(chunk)).await.unwrap();
        }
        writer.send(close_write()).await.unwrap();
        writer
    };
    let reading = async {
        let mut echo = Vec::new();
        loop {
            match reader.next().await.unwrap().unwrap() {
                Message::Binary(bytes) => echo.extend_from_slice(&bytes),
                Message::Text(text) => {
                    assert_eq!(text.as_str(), r#"{"type":"close_write"}"#);
                    break echo;
                }
                other => panic!("{other:?}"),
            }
        }
    };
    let (_writer, echo) = soon(async { tokio::join!(writing, reading) }).await;
    assert!(
        echo == sent,
        "{} bytes came back of {}",
        echo.len(),
        sent.len()
    );
    let Message::Close(Some(frame)) = soon(reader.next()).await.unwrap().unwrap() else {
        panic!("both ways are done");
    };
    assert_eq!(frame.code, CloseCode::Normal);
}

#[tokio::test]
async fn the_sandbox_can_have_said_all_while_the_client_goes_on() {
    let lab = Lab::new().await;
    let mut socket = lab.dial(7001, "echo hello").await;
    assert_eq!(read_to_end(&mut socket).await, b"hello\n");
    socket.send(close_write()).await.unwrap();
    closed(&mut socket).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_the_sandbox_and_not_the_server() {
    let lab = Lab::new().await;
    let (written, counted) = tokio::sync::watch::channel(0_u64);
    let written = std::sync::Arc::new(written);
    lab.world.daemon.script("gush", move |context| {
        let written = std::sync::Arc::clone(&written);
        async move {
            let chunk = vec![7; 1 << 20];
            for _ in 0..256 {
                if !context.stdout(chunk.clone()).await {
                    return 1;
                }
                written.send_modify(|bytes| *bytes += chunk.len() as u64);
            }
            0
        }
    });
    let mut socket = lab.dial(7002, "gush").await;
    // The buffers of the socket fill; then the program waits.
    let mut last = 0;
    let stalled = async {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let now = *counted.borrow();
            if now > 0 && now == last {
                return now;
            }
            last = now;
        }
    };
    let stalled = soon(stalled).await;
    assert!(
        stalled < 256 << 20,
        "all of it was taken, and nobody read it"
    );
    lab.world
        .get(format!("/v1/sandboxes/{}", lab.id))
        .send()
        .await
        .expect(200);

    let mut read: u64 = 0;
    while read < 256 << 20 {
        if let Message::Binary(bytes) = soon(socket.next()).await.unwrap().unwrap() {
            read += bytes.len() as u64;
        }
    }
}

#[tokio::test]
async fn what_is_no_connection_is_refused_before_there_is_a_socket() {
    let lab = Lab::new().await;
    for (port, status, field) in [
        ("7003", 503, "port"),
        ("0", 400, "port"),
        ("65536", 400, "port"),
        ("-1", 400, "port"),
        ("http", 400, "port"),
        ("99999999999999999999", 400, "port"),
    ] {
        let refused = lab
            .server
            .websocket(&lab.world.acme.write, &lab.path(port))
            .await;
        let Err(tungstenite::Error::Http(response)) = refused else {
            panic!("{port}: {refused:?}");
        };
        assert_eq!(response.status(), status, "{port}");
        let body: Value = serde_json::from_slice(response.body().as_ref().unwrap()).unwrap();
        assert_eq!(body["error"]["field"], field, "{port}");
    }
    // A key that only looks opens nothing.
    let refused = lab
        .server
        .websocket(&lab.world.acme.read, &lab.path("7003"))
        .await;
    assert!(matches!(refused, Err(tungstenite::Error::Http(response)) if response.status() == 403));
    let refused = lab
        .server
        .websocket(&lab.world.rival.write, &lab.path("7003"))
        .await;
    assert!(matches!(refused, Err(tungstenite::Error::Http(response)) if response.status() == 403));
    let plain = lab.world.get(lab.path("7003")).send().await.expect(400);
    assert_eq!(plain.field(), "upgrade");
}

#[tokio::test]
async fn what_has_no_meaning_ends_the_connection_with_a_word_on_why() {
    let lab = Lab::new().await;
    let after_close = vec![close_write(), Message::binary("more")];
    for (number, messages) in [
        vec![Message::text("hello")],
        vec![Message::text(r#"{"type":"close_stdin"}"#)],
        vec![Message::text(r#"{"type":"close"}"#)],
        after_close,
    ]
    .into_iter()
    .enumerate()
    {
        let mut socket = lab.dial(7100 + number as u16, "sleep 1000").await;
        for message in messages {
            socket.send(message).await.unwrap();
        }
        let Message::Text(text) = soon(socket.next()).await.unwrap().unwrap() else {
            panic!("an error is told");
        };
        let told: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&told["type"], &told["fatal"]),
            (&json!("error"), &json!(true))
        );
        assert_eq!(told["error"]["code"], "invalid_spec");
        assert_eq!(closed(&mut socket).await.0, CloseCode::Policy);
    }
}

#[tokio::test]
async fn a_message_beyond_the_limit_ends_the_connection() {
    let lab = Lab::new().await;
    let mut socket = lab.dial(7004, "cat").await;
    // The server may close before all of it is sent.
    let _ = socket.send(Message::binary(vec![0; 8 << 20])).await;
    let ended = async {
        while let Some(Ok(message)) = socket.next().await {
            assert!(!message.is_binary(), "nothing of it got through");
        }
    };
    soon(ended).await;
}

#[tokio::test]
async fn a_connection_ends_with_its_sandbox() {
    let lab = Lab::new().await;
    let mut socket = lab.dial(7005, "sleep 1000").await;
    lab.world.engine.destroy(&lab.id).await.unwrap();
    let ended = async {
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() {
                // Whichever it was: that the sandbox has no more to say, or that it broke.
                let _ = socket.send(close_write()).await;
            }
        }
    };
    soon(ended).await;
}

#[tokio::test]
async fn a_client_that_leaves_ends_what_it_was_connected_to() {
    let lab = Lab::new().await;
    let (ended, mut wait) = tokio::sync::mpsc::channel(1);
    lab.world.daemon.script("until_end", move |context| {
        let ended = ended.clone();
        async move {
            while !context.read_stdin().await.is_empty() {}
            ended.send(()).await.unwrap();
            0
        }
    });
    for (port, polite) in [(7006, true), (7007, false)] {
        let mut socket = lab.dial(port, "until_end").await;
        socket.send(Message::binary("x")).await.unwrap();
        if polite {
            socket.close(None).await.unwrap();
        }
        drop(socket);
        soon(wait.recv()).await.unwrap();
    }
}

#[tokio::test]
async fn a_shutdown_ends_connections_and_says_so() {
    let lab = Lab::new().await;
    let mut socket = lab.dial(7008, "sleep 1000").await;
    let Lab { server, .. } = lab;
    let (_, (code, _)) = tokio::join!(server.stop(), closed(&mut socket));
    assert_eq!(code, CloseCode::Away);
}

#[tokio::test]
async fn a_connection_ends_with_the_key_that_opened_it() {
    let mut config = ApiConfig::default();
    config.key_check_interval = std::time::Duration::from_millis(10);
    let lab = Lab::with(config).await;
    let mut socket = lab.dial(7018, "sleep 1000").await;
    let organisation = &lab.world.acme.organisation.id;
    for key in lab.world.owners.keys(organisation).await.unwrap() {
        let revoked = lab
            .world
            .owners
            .revoke_key(organisation, &key.id, key.created_at);
        revoked.await.unwrap();
    }
    let (code, _) = closed(&mut socket).await;
    assert_eq!(code, CloseCode::Away);
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_taken_for_gone() {
    let mut config = ApiConfig::default();
    config.ping_interval = std::time::Duration::from_millis(20);
    let lab = Lab::with(config).await;
    let (ended, mut wait) = tokio::sync::mpsc::channel(1);
    lab.world.daemon.script("until_end", move |context| {
        let ended = ended.clone();
        async move {
            while !context.read_stdin().await.is_empty() {}
            ended.send(()).await.unwrap();
            0
        }
    });
    let mut answering = lab.dial(7009, "until_end").await;
    // A client answers pings while it reads.
    let mut pings = 0;
    while pings < 20 {
        if let Message::Ping(_) = soon(answering.next()).await.unwrap().unwrap() {
            pings += 1;
        }
    }
    assert!(wait.try_recv().is_err(), "it is there");
    // Now it neither reads nor leaves.
    soon(wait.recv()).await.unwrap();
}
