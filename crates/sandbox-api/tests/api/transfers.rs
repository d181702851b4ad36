//! Large files: in bounded memory, whole or not at all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use axum::body::{Body, Bytes};
use axum::http::Method;
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use sandbox_api::ApiConfig;
use sandbox_core::SandboxId;
use sandbox_engine::owners::Quotas;
use tokio_util::sync::CancellationToken;

use crate::paced::{CHUNK, Content, Pace};
use crate::support::World;
use crate::wire::Server;

/// The most that may be on its way through the API at once, in chunks.
const IN_FLIGHT: u64 = 4 * CHUNK;
const LIMIT: u64 = 100_000_000;

async fn paced(content: Content) -> (World, Arc<Pace>, String) {
    let pace = Pace::new(content);
    let over = |runtime| pace.over(runtime);
    let world = World::over(ApiConfig::default(), Quotas::default(), over).await;
    let id: SandboxId = world.sandbox(&world.acme).await;
    let path = format!("/v1/sandboxes/{id}/files/big");
    (world, pace, path)
}

/// A body of `size` bytes whose length is not told, and how many of them were asked for.
fn unsized_body(size: u64) -> (Body, Arc<AtomicU64>) {
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let chunk = Bytes::from(vec![7; CHUNK as usize]);
    let chunks = stream::unfold(0, move |at: u64| {
        let length = CHUNK.min(size - at);
        let chunk = chunk.slice(..length as usize);
        counted.store(at + length, SeqCst);
        async move { (length > 0).then_some((Ok::<_, std::io::Error>(chunk), at + length)) }
    });
    (Body::from_stream(chunks), sent)
}

#[tokio::test]
async fn an_upload_of_the_limit_passes_and_never_runs_ahead_of_its_reader() {
    let (world, pace, path) = paced(Content::Whole(0)).await;
    let (body, sent) = unsized_body(LIMIT);
    let upload = world.put(&path).body(body).send();
    let most = Arc::new(AtomicU64::new(0));
    let watching = {
        let (pace, sent, most) = (Arc::clone(&pace), Arc::clone(&sent), Arc::clone(&most));
        async move {
            loop {
                // First what was taken: more may be sent between the two, never less.
                let taken = pace.taken.load(SeqCst);
                most.fetch_max(sent.load(SeqCst).saturating_sub(taken), SeqCst);
                tokio::task::yield_now().await;
            }
        }
    };
    let answer = tokio::select! {
        answer = upload => answer.expect(204),
        () = watching => unreachable!("it watches without end"),
    };
    assert_eq!(answer.header("x-file-size"), LIMIT.to_string());
    assert_eq!(pace.written.load(SeqCst), 1);
    let most = most.load(SeqCst);
    assert!(
        (1..=IN_FLIGHT).contains(&most),
        "{most} bytes were on their way"
    );
}

#[tokio::test]
async fn one_byte_more_is_refused_however_the_body_comes() {
    let (world, pace, path) = paced(Content::Whole(0)).await;
    let (unsized_one, sent) = unsized_body(10 * LIMIT);
    let answer = world.put(&path).body(unsized_one).send().await.expect(400);
    assert_eq!(answer.field(), "body");
    let message = answer.json()["error"]["message"].to_string();
    assert!(message.contains(&LIMIT.to_string()), "{message}");
    assert_eq!(pace.written.load(SeqCst), 0);
    assert!(pace.taken.load(SeqCst) <= LIMIT);
    // It is read on for a while so that its sender gets the answer, and not to its end.
    assert!(sent.load(SeqCst) < 3 * LIMIT);

    let told = world.put(&path).header("content-length", "100000001");
    let answer = told.body(unsized_body(1).0).send().await.expect(400);
    assert_eq!(answer.field(), "body");
    assert_eq!(pace.written.load(SeqCst), 0);
}

#[tokio::test]
async fn a_download_never_runs_ahead_of_its_reader() {
    let (world, pace, path) = paced(Content::Whole(LIMIT)).await;
    let response = world.get(&path).open().await;
    assert_eq!(response.headers()["content-length"], LIMIT.to_string());
    let mut chunks = response.into_body().into_data_stream();
    let (mut read, mut most) = (0, 0);
    while let Some(chunk) = chunks.next().await {
        most = most.max(pace.given.load(SeqCst) - read);
        read += chunk.unwrap().len() as u64;
        tokio::task::yield_now().await;
    }
    assert_eq!(read, LIMIT);
    assert!(most <= IN_FLIGHT, "{most} bytes were on their way");
}

#[tokio::test]
async fn a_download_that_nobody_reads_is_not_read_from_the_sandbox() {
    let (world, pace, path) = paced(Content::Whole(LIMIT)).await;
    let response = world.get(&path).open().await;
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(pace.given.load(SeqCst) <= IN_FLIGHT);
    drop(response);
}

/// Downloads over a socket: what came, and whether it ended as a whole answer does.
async fn downloaded(content: Content) -> (Vec<u8>, bool) {
    let (world, _pace, path) = paced(content).await;
    let server = Server::start(&world, CancellationToken::new()).await;
    let sent = server.try_send(&world.acme.read, Method::GET, &path, Body::empty());
    // When it breaks at once, not even the head may have been sent.
    let Ok(response) = sent.await else {
        return (Vec::new(), false);
    };
    assert_eq!(response.status(), 200);
    let (mut body, mut read) = (response.into_body(), Vec::new());
    loop {
        match crate::stream::soon(body.frame()).await {
            None => return (read, true),
            Some(Err(_)) => return (read, false),
            Some(Ok(frame)) => read.extend_from_slice(&frame.into_data().unwrap()),
        }
    }
}

#[tokio::test]
async fn a_download_that_breaks_breaks_the_connection_and_is_never_ended_cleanly() {
    let large = 64 * CHUNK;
    for content in [
        Content::Broken(3 * CHUNK, 2 * CHUNK),
        Content::Broken(2 * large, large),
        Content::Short(3 * CHUNK, 2 * CHUNK),
        Content::Short(2 * large, large),
        // It has more than it said: what comes is no file that ever was.
        Content::Short(CHUNK / 2, 2 * CHUNK),
    ] {
        let (read, is_whole) = downloaded(content).await;
        assert!(!is_whole, "{content:?} ended after {} bytes", read.len());
        // Why is for the log alone.
        assert!(
            read.iter().all(|byte| *byte == 7),
            "only the file's bytes are sent"
        );
    }
    let (read, is_whole) = downloaded(Content::Whole(large)).await;
    assert!(is_whole);
    assert_eq!(read.len() as u64, large);
}

#[tokio::test]
async fn files_go_up_and_come_down_over_a_socket() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let server = Server::start(&world, CancellationToken::new()).await;
    let path = format!("/v1/sandboxes/{id}/files/big");
    let size = 5_000_000;
    let up = server.send(&world.acme.write, Method::PUT, &path, unsized_body(size).0);
    assert_eq!(up.await.status(), 204);
    let down = server
        .send(&world.acme.read, Method::GET, &path, Body::empty())
        .await;
    let read = down.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(read.len() as u64, size);
    assert!(read.iter().all(|byte| *byte == 7));
}

#[tokio::test]
async fn a_client_that_leaves_during_an_upload_leaves_what_was_there() {
    let world = World::new().await;
    let id = world.sandbox(&world.acme).await;
    let server = Server::start(&world, CancellationToken::new()).await;
    let path = format!("/v1/sandboxes/{id}/files/f");
    world.put(&path).body("old").send().await.expect(204);
    let calls = world.daemon.faults().clone();
    let before = calls.count(sandbox_testkit::Call::Write);
    let chunks = stream::iter([Ok::<_, std::io::Error>("new")]).chain(stream::pending());
    let mut sender = server.connect().await;
    let request = axum::http::Request::put(&path)
        .header("authorization", format!("Bearer {}", world.acme.write))
        .body(Body::from_stream(chunks))
        .unwrap();
    let sending = tokio::spawn(async move { sender.send_request(request).await });
    let last_write = || {
        let logged = calls.calls().into_iter().rev();
        let mut writes = logged.filter(|call| call.call == sandbox_testkit::Call::Write);
        writes.next()
    };
    crate::stream::until("the write begins", || {
        calls.count(sandbox_testkit::Call::Write) > before
    })
    .await;
    sending.abort();
    drop(server);
    drop(sending.await);
    let outcome = last_write().unwrap().outcome;
    assert!(!matches!(outcome, Some(Ok(()))), "{outcome:?}");
    let read = world.get(&path).send().await.expect(200);
    assert_eq!(read.body, "old");
}
