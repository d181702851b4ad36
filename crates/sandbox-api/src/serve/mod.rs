//! Serves a router over TCP: HTTP/1.1 with upgrades, in bounds.

mod connection;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use self::connection::{ConnectionPlaces, Counted};
use crate::places::{Place, Places, network};

/// How long nothing is accepted after accepting failed for want of something (of file descriptors,
/// for example), which only time brings back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Limits and times of the connections.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeConfig {
    /// The most connections at once, upgraded ones included; further ones wait to be accepted.
    /// At least 1. Default: 8,192.
    pub max_connections: usize,
    /// The most connections of one address at once (of IPv6, of one /64), further ones are closed.
    /// Connections from the machine itself are not counted: they come from a proxy on behalf of
    /// many. Default: 1,024.
    pub max_address_connections: usize,
    /// How long a request's head may take to arrive, and how long a connection may be idle
    /// between two requests. Default: 30 s.
    pub header_timeout: Duration,
    /// The most bytes of a request's head. Default: 64 KiB.
    pub max_header_bytes: usize,
    /// How long a client may take nothing of what is sent to it. Default: 5 minutes.
    pub write_timeout: Duration,
    /// How long a shutdown waits for what is being answered. Default: 30 s.
    pub shutdown_grace: Duration,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            max_connections: 8_192,
            max_address_connections: 1_024,
            header_timeout: Duration::from_secs(30),
            max_header_bytes: 64 << 10,
            write_timeout: Duration::from_secs(5 * 60),
            shutdown_grace: Duration::from_secs(30),
        }
    }
}

/// Serves `router` until `shutdown` is cancelled, and then until everything is answered or
/// [`shutdown_grace`](ServeConfig::shutdown_grace) has passed: nothing more is accepted, streams end
/// (have the same token in [`ApiConfig::shutdown`](crate::ApiConfig::shutdown)), idle connections
/// are closed. Sandboxes are left as they are; shut the engine down afterwards.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: ServeConfig,
    shutdown: CancellationToken,
) {
    let most = config.max_connections.clamp(1, Semaphore::MAX_PERMITS);
    let server = Server {
        router,
        http: http(&config),
        room: Arc::new(Semaphore::new(most)),
        addresses: Places::default(),
        config,
    };
    let mut connections = JoinSet::new();
    loop {
        // Finished ones are forgotten.
        while connections.try_join_next().is_some() {}
        let next = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            next = server.next(&listener) => next,
        };
        if let Some(accepted) = next {
            connections.spawn(server.connection(accepted, &shutdown));
        }
    }
    drop(listener);
    server.finish(u32::try_from(most).unwrap_or(u32::MAX)).await;
    connections.shutdown().await;
}

#[derive(Debug)]
struct Server {
    router: Router,
    http: http1::Builder,
    room: Arc<Semaphore>,
    addresses: Places<IpAddr>,
    config: ServeConfig,
}

/// A connection that was accepted, and its places.
struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    places: ConnectionPlaces,
}

fn http(config: &ServeConfig) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_header_size(config.max_header_bytes);
    http
}

impl Server {
    /// The next connection, once there is room for it.
    async fn next(&self, listener: &TcpListener) -> Option<Accepted> {
        let room = Arc::clone(&self.room).acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok((stream, peer)) => {
                let places = ConnectionPlaces {
                    _room: room,
                    _of_address: self.place_of(peer.ip())?,
                };
                Some(Accepted {
                    stream,
                    peer,
                    places,
                })
            }
            Err(e) if is_of_connection(&e) => None,
            Err(e) => {
                tracing::error!(error = %e, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    /// The place of a connection among those of its address; `None` when there are too many.
    fn place_of(&self, address: IpAddr) -> Option<Option<Place<IpAddr>>> {
        if address.to_canonical().is_loopback() {
            return Some(None);
        }
        let address = network(address);
        let place = self
            .addresses
            .take(&address, self.config.max_address_connections);
        if place.is_none() {
            tracing::debug!(%address, "too many connections from one address");
        }
        place.map(Some)
    }

    /// Serves one connection. Its place is free once it is closed, also when it was upgraded.
    fn connection(
        &self,
        accepted: Accepted,
        shutdown: &CancellationToken,
    ) -> impl Future<Output = ()> + Send + 'static {
        let Accepted {
            stream,
            peer,
            places,
        } = accepted;
        // A small answer shall not wait for the next one.
        let _ = stream.set_nodelay(true);
        let io = TokioIo::new(Counted::new(stream, self.config.write_timeout, places));
        let router = self.router.clone();
        let was_asked = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&was_asked);
        let service = service_fn(move |request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let connection = self.http.serve_connection(io, service).with_upgrades();
        let shutdown = shutdown.clone();
        async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = shutdown.cancelled() => {
                    // One that has never asked anything has nothing to wait for.
                    if !was_asked.load(Ordering::Relaxed) {
                        return;
                    }
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(e) = ended {
                tracing::debug!(%peer, error = %e, "a connection ended early");
            }
        }
    }

    /// Waits until all connections are closed, upgraded ones included, or the time is over.
    async fn finish(&self, all: u32) {
        // All places free is nobody left.
        let closed = self.room.acquire_many(all);
        let grace = self.config.shutdown_grace;
        if tokio::time::timeout(grace, closed).await.is_err() {
            tracing::warn!("not every connection was closed in time; the rest is cut off");
        }
    }
}

/// Whether an error of `accept` is about the connection and not about accepting.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_has_only_so_many_connections_and_the_machine_itself_any_number() {
        let config = ServeConfig {
            max_address_connections: 1,
            ..ServeConfig::default()
        };
        let server = Server {
            router: Router::new(),
            http: http(&config),
            room: Arc::new(Semaphore::new(1)),
            addresses: Places::default(),
            config,
        };
        let place = |address: &str| server.place_of(address.parse().unwrap());
        let first = place("2001:db8::1").unwrap();
        assert!(place("2001:db8::2").is_none(), "of the same network");
        assert!(place("2001:db8:0:1::1").is_some());
        drop(first);
        assert!(place("2001:db8::2").is_some());
        let local = [place("127.0.0.1"), place("::ffff:127.0.0.1"), place("::1")];
        assert!(local.iter().all(|place| matches!(place, Some(None))));
    }
}
