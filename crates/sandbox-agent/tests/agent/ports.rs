//! Connections to ports inside, and what the sandbox uses.

use futures_util::{AsyncReadExt, AsyncWriteExt};
use sandbox_core::{BoxConnection, ErrorKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::harness::{Agent, plain};

#[tokio::test]
async fn each_way_closes_on_its_own() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            socket.read_to_end(&mut heard).await.unwrap();
            socket.write_all(b"heard ").await.unwrap();
            socket.write_all(&heard).await.unwrap();
        });
        let mut connection = client.connect_port(port).await.unwrap();
        connection.write_all(b"hello").await.unwrap();
        connection.close().await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer, b"heard hello", "{address}");
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_port_nobody_listens_on_is_unavailable() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = client.connect_port(port).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Unavailable, Some("port"))
    );
}

#[tokio::test]
async fn a_broken_connection_is_an_error_and_not_an_end() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        assert_eq!(socket.read_u8().await.unwrap(), b'u');
        socket.set_zero_linger().unwrap();
        drop(socket);
    });
    let mut connection = client.connect_port(port).await.unwrap();
    connection.write_all(b"unread").await.unwrap();
    server.await.unwrap();
    let mut rest = Vec::new();
    assert!(connection.read_to_end(&mut rest).await.is_err());
}

/// Reads to the end, and counts.
async fn count(connection: &mut BoxConnection) -> usize {
    let mut buffer = vec![0; 65536];
    let mut all = 0;
    loop {
        match connection.read(&mut buffer).await.unwrap() {
            0 => return all,
            got => all += got,
        }
    }
}

#[tokio::test]
async fn a_slow_reader_holds_up_only_its_own_connection() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move { socket.write_all(&vec![7; 30_000_000]).await });
        }
    });
    let mut stalled = client.connect_port(port).await.unwrap();
    let mut brisk = client.connect_port(port).await.unwrap();
    assert_eq!(count(&mut brisk).await, 30_000_000);
    assert_eq!(count(&mut stalled).await, 30_000_000);
}

#[tokio::test]
async fn usage_is_reported() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let stats = client.stats().await.unwrap();
    assert!(stats.memory > 0 && stats.pids > 0, "{stats:?}");
    assert!(stats.disk_limit.unwrap() >= stats.disk.unwrap());
}
