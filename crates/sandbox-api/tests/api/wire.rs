//! The API on a socket, and plain HTTP to it.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use sandbox_api::{ServeConfig, serve};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest};
use tokio_util::sync::CancellationToken;

use crate::stream::soon;
use crate::support::World;

/// The world's router, served on loopback until it is shut down or dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

pub(crate) type Socket = WebSocketStream<TcpStream>;

impl Server {
    /// Serves `world`; `shutdown` is the token that its configuration has.
    pub(crate) async fn start(world: &World, shutdown: CancellationToken) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = world.router.clone();
        let serving = serve(listener, router, ServeConfig::default(), shutdown.clone());
        Self {
            address,
            shutdown,
            task: tokio::spawn(serving),
        }
    }

    /// Shuts it down and waits for that.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        soon(&mut self.task).await.unwrap();
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> SendRequest<Body> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Body,
    ) -> Response<Incoming> {
        self.try_send(key, method, path, body).await.unwrap()
    }

    /// The same, where the connection may break before there is an answer.
    pub(crate) async fn try_send(
        &self,
        key: &str,
        method: Method,
        path: &str,
        body: Body,
    ) -> hyper::Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string())
            .header("authorization", format!("Bearer {key}"))
            .body(body)
            .unwrap();
        soon(self.connect().await.send_request(request)).await
    }

    /// Opens a WebSocket.
    pub(crate) async fn websocket(
        &self,
        key: &str,
        path: &str,
    ) -> Result<Socket, tungstenite::Error> {
        let url = format!("ws://{}{path}", self.address);
        let mut request = url.into_client_request().unwrap();
        let bearer = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let stream = TcpStream::connect(self.address).await.unwrap();
        let opened = soon(tokio_tungstenite::client_async(request, stream)).await;
        opened.map(|(socket, _)| socket)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
