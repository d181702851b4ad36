//! The server over real connections: slow clients, large heads, and its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Method;
use axum::routing::get;
use futures_util::{StreamExt, stream};
use sandbox_api::{ApiConfig, ServeConfig, serve};
use sandbox_engine::owners::Quotas;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::World;

/// How long something may take that is sure to come.
const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router, config: ServeConfig) -> Self {
        Self::with(router, config, CancellationToken::new()).await
    }

    async fn with(router: Router, config: ServeConfig, shutdown: CancellationToken) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            task: tokio::spawn(serve(listener, router, config, shutdown.clone())),
            shutdown,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection on which `text` was sent.
    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// Shuts it down and waits for its end.
    async fn stop(self) {
        self.shutdown.cancel();
        soon(self.task).await.unwrap();
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it takes too long")
}

/// What comes until the other side closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    // A reset is an end, too.
    let _ = soon(stream.read_to_end(&mut all)).await;
    String::from_utf8_lossy(&all).into_owned()
}

/// Reads until `text` has come.
async fn until(stream: &mut TcpStream, text: &str) -> String {
    let mut all = String::new();
    let mut buffer = [0; 4096];
    while !all.contains(text) {
        let count = soon(stream.read(&mut buffer)).await.unwrap();
        assert!(count > 0, "it closed after {all:?}");
        all.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    all
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

fn quick() -> ServeConfig {
    let mut config = ServeConfig::default();
    config.header_timeout = Duration::from_millis(200);
    config
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

#[tokio::test]
async fn a_client_that_never_finishes_its_head_is_cut_off() {
    let server = Server::start(hello(), quick()).await;
    let mut stuck = server.send("GET / HTTP/1.1\r\nhost: a\r\nx-slow: ").await;
    let mut silent = server.connect().await;
    let mut idle = server.send(GET).await;
    assert!(!rest(&mut stuck).await.contains("hello"));
    assert_eq!(rest(&mut silent).await, "");
    // Between two requests, too.
    assert!(rest(&mut idle).await.ends_with("hello"));
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_or_none_is_refused() {
    let server = Server::start(hello(), ServeConfig::default()).await;
    let large = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx-large: {}\r\n\r\n",
        "a".repeat(70_000)
    );
    let mut large = server.send(&large).await;
    assert!(rest(&mut large).await.starts_with("HTTP/1.1 431"));
    let many: String = (0..200)
        .map(|number| format!("x-{number}: 1\r\n"))
        .collect();
    let mut many = server
        .send(&format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"))
        .await;
    assert!(rest(&mut many).await.starts_with("HTTP/1.1 431"));
    let mut noise = server.send("\x16\x03\x01 no HTTP\r\n\r\n").await;
    assert!(rest(&mut noise).await.starts_with("HTTP/1.1 400"));
    let smuggled = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut smuggled = server.send(smuggled).await;
    let answer = until(&mut smuggled, "HTTP/1.1 ").await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_place() {
    let mut config = ServeConfig::default();
    config.max_connections = 1;
    let server = Server::start(hello(), config).await;
    let mut first = server.send(GET).await;
    until(&mut first, "hello").await;
    let mut second = server.send(GET).await;
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_u8()).await;
    assert!(early.is_err(), "it was served over the limit");
    drop(first);
    until(&mut second, "hello").await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_place() {
    let endless = || async {
        let chunk = Bytes::from(vec![b'x'; 1 << 16]);
        Body::from_stream(stream::repeat(chunk).map(Ok::<_, Infallible>))
    };
    let router = hello().route("/endless", get(endless));
    let mut config = ServeConfig::default();
    config.max_connections = 1;
    config.write_timeout = Duration::from_millis(200);
    let server = Server::start(router, config).await;
    let _taking_nothing = server
        .send("GET /endless HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    let mut next = server.send(GET).await;
    until(&mut next, "hello").await;
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_finishes_what_was_begun_and_takes_nothing_more() {
    let (begun, go) = (CancellationToken::new(), CancellationToken::new());
    let (has_begun, may_end) = (begun.clone(), go.clone());
    let slow = async move || {
        has_begun.cancel();
        may_end.cancelled().await;
        "finished"
    };
    let server = Server::start(hello().route("/slow", get(slow)), ServeConfig::default()).await;
    let mut asking = server.send("GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let mut idle = server.send(GET).await;
    until(&mut idle, "hello").await;
    let mut silent = server.connect().await;
    soon(begun.cancelled()).await;

    server.shutdown.cancel();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut silent).await, "");
    assert!(!server.task.is_finished());
    go.cancel();
    let answer = rest(&mut asking).await;
    assert!(answer.ends_with("finished"), "{answer}");
    soon(server.task).await.unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_waits_only_so_long() {
    let begun = CancellationToken::new();
    let has_begun = begun.clone();
    let hang = async move || {
        has_begun.cancel();
        std::future::pending::<&str>().await
    };
    let mut config = ServeConfig::default();
    config.shutdown_grace = Duration::from_millis(100);
    let server = Server::start(Router::new().route("/", get(hang)), config).await;
    let mut asking = server.send(GET).await;
    soon(begun.cancelled()).await;
    server.stop().await;
    assert_eq!(rest(&mut asking).await, "");
}

#[tokio::test]
async fn a_stream_of_events_ends_clean_with_the_server_and_sandboxes_stay() {
    let shutdown = CancellationToken::new();
    let mut config = ApiConfig::default();
    config.shutdown = shutdown.clone();
    let world = World::with(config, Quotas::default()).await;
    let id = world.sandbox(&world.acme).await;
    let router = world.router.clone();
    let server = Server::with(router, ServeConfig::default(), shutdown).await;
    let ask = format!(
        "GET /v1/events?from=1 HTTP/1.1\r\nhost: a\r\nx-api-key: {}\r\n\r\n",
        world.acme.read
    );
    let mut events = server.send(&ask).await;
    until(&mut events, "running").await;
    server.shutdown.cancel();
    let end = rest(&mut events).await;
    assert!(end.ends_with("0\r\n\r\n"), "{end:?}");
    soon(server.task).await.unwrap();
    let record = world.engine.get(&id).await.unwrap();
    assert_eq!(record.state().to_string(), "running");
}

#[tokio::test]
async fn whoever_sends_everything_first_gets_the_answer_all_the_same() {
    let mut config = ApiConfig::default();
    config.max_file_bytes = 1_000_000;
    let world = World::with(config, Quotas::default()).await;
    let id = world.sandbox(&world.acme).await;
    let server = Server::start(world.router.clone(), ServeConfig::default()).await;
    let size = 8_000_000;
    let head = format!(
        "PUT /v1/sandboxes/{id}/files/tmp/large HTTP/1.1\r\nhost: a\r\nx-api-key: {}\r\n\
         content-length: {size}\r\n\r\n",
        world.acme.write
    );
    let mut stream = server.send(&head).await;
    soon(stream.write_all(&vec![b'x'; size])).await.unwrap();
    let answer = until(&mut stream, "}}").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains(r#""field":"body""#), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn the_server_says_who_asks() {
    let world = World::new().await;
    let server = Server::start(world.router.clone(), ServeConfig::default()).await;
    let mut stream = server
        .send("GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n")
        .await;
    assert!(until(&mut stream, "\r\n").await.starts_with("HTTP/1.1 200"));
    server.stop().await;
    world
        .ask_without_key(Method::GET, "/metrics")
        .send()
        .await
        .expect(401);
}
