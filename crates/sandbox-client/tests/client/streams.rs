//! Streams that break, stall and never end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sandbox_client::types::{EventQuery, EventStreamItem, Gap};
use sandbox_core::{ByteStream, Error, ErrorKind, WriteOptions};

use crate::script::{Answer, Script, head};

const EVENTS: &str = "content-type: text/event-stream\r\n";
const GAP: &str = "id: 9\nevent: gap\ndata: {\"from\":1,\"to\":8}\n\n";

async fn events(answer: Answer) -> Vec<Result<EventStreamItem, ErrorKind>> {
    let script = Script::new([answer]).await;
    let events = script
        .impatient()
        .events(&EventQuery::default())
        .await
        .unwrap();
    events
        .map(|event| event.map_err(|error| error.kind()))
        .collect()
        .await
}

fn gap() -> Result<EventStreamItem, ErrorKind> {
    Ok(EventStreamItem::Gap(Gap { from: 1, to: 8 }))
}

#[tokio::test]
async fn events_come_as_they_are_and_unknown_ones_are_passed_over() {
    let body = format!(": alive\n\nevent: aroma\ndata: ?\n\n{GAP}");
    assert_eq!(events(Answer::new(200, EVENTS, &body)).await, [gap()]);
}

#[tokio::test]
async fn the_last_id_is_where_to_go_on_from() {
    let script = Script::new([Answer::new(200, EVENTS, GAP)]).await;
    let mut events = script
        .client()
        .events(&EventQuery::default())
        .await
        .unwrap();
    assert_eq!(events.last_id(), None);
    events.next().await.unwrap().unwrap();
    assert_eq!(events.last_id(), Some("9"));
}

#[tokio::test]
async fn a_stream_that_is_cut_in_the_middle_ends_with_an_error() {
    let body = format!("{GAP}event: gap\ndata: {{\"fr");
    let cut = head(200, EVENTS, 1000, &body).into_bytes();
    let expected = [gap(), Err(ErrorKind::Unavailable)];
    assert_eq!(events(Answer::Bytes(cut)).await, expected);
}

#[tokio::test]
async fn a_stream_that_stands_still_ends_with_an_error() {
    let stalled = head(200, EVENTS, 1000, GAP).into_bytes();
    let expected = [gap(), Err(ErrorKind::Unavailable)];
    assert_eq!(events(Answer::Hold(stalled)).await, expected);
}

#[tokio::test]
async fn an_event_that_does_not_end_fills_nothing() {
    let first = head(200, EVENTS, 1 << 40, "data: ").into_bytes();
    let endless = Answer::Endless(first, vec![b'x'; 4096]);
    assert_eq!(events(endless).await, [Err(ErrorKind::LimitExceeded)]);
}

#[tokio::test]
async fn an_event_that_is_not_what_its_name_says_ends_the_stream() {
    let body = format!("event: gap\ndata: {{}}\n\n{GAP}");
    let expected = [Err(ErrorKind::Internal)];
    assert_eq!(events(Answer::new(200, EVENTS, &body)).await, expected);
}

#[tokio::test]
async fn something_else_than_events_is_no_stream() {
    let script = Script::new([Answer::json(200, "{}")]).await;
    let error = script
        .client()
        .events(&EventQuery::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

async fn uploaded(script: &Script, body: ByteStream) -> Error {
    let client = script.impatient();
    let sandbox = client.sandbox("sbx_1".parse().unwrap());
    let path = "/file".parse().unwrap();
    let written = sandbox
        .write_file(&path, body, WriteOptions::default())
        .await;
    written.unwrap_err()
}

#[tokio::test]
async fn a_body_that_fails_fails_the_upload_with_its_own_error() {
    let script = Script::new([Answer::Hold(Vec::new())]).await;
    let broken = Error::new(
        ErrorKind::PermissionDenied,
        "test.body",
        "the source is gone",
    );
    let body = stream::iter([Ok(Bytes::from_static(b"first")), Err(broken)]);
    let error = uploaded(&script, Box::pin(body)).await;
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(error.message(), "the source is gone");
}

#[tokio::test]
async fn a_server_that_takes_nothing_more_is_not_waited_for_and_fills_nothing() {
    let script = Script::new([Answer::Hold(Vec::new())]).await;
    let given = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&given);
    let endless = stream::repeat_with(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(Bytes::from(vec![7; 64 << 10]))
    });
    let error = uploaded(&script, Box::pin(endless)).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    // What the system's buffers take, and no more.
    let given = given.load(Ordering::Relaxed) * (64 << 10);
    assert!(given < 64 << 20, "{given} bytes were taken from the body");
}
