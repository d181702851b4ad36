//! Answers that no server of ours gives.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sandbox_client::RetryPolicy;
use sandbox_core::{ErrorKind, ReadOptions, SandboxPath};

use crate::script::{Answer, Script, head};

async fn kind_of(answer: Answer) -> ErrorKind {
    let script = Script::new([answer]).await;
    script
        .impatient()
        .list_templates()
        .await
        .unwrap_err()
        .kind()
}

#[tokio::test]
async fn an_answer_that_does_not_end_fills_nothing() {
    let chunked = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000)).into_bytes();
    let endless = Answer::Endless(chunked, chunk);
    assert_eq!(kind_of(endless).await, ErrorKind::LimitExceeded);
    let boast = head(200, "", 1 << 40, "[").into_bytes();
    assert_eq!(kind_of(Answer::Hold(boast)).await, ErrorKind::LimitExceeded);
}

#[tokio::test]
async fn an_error_that_does_not_end_is_told_by_its_status() {
    let chunked = b"HTTP/1.1 404 X\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000)).into_bytes();
    assert_eq!(
        kind_of(Answer::Endless(chunked, chunk)).await,
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn a_long_message_is_cut() {
    let long = "x".repeat(50_000);
    let body = format!(r#"{{"error":{{"code":"conflict","message":"{long}","field":"{long}"}}}}"#);
    let script = Script::new([Answer::json(409, &body)]).await;
    let error = script.client().list_templates().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().len() < 5_000);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    assert_eq!(kind_of(Answer::Hold(Vec::new())).await, ErrorKind::Timeout);
    let slow = head(200, "", 100, "{").into_bytes();
    assert_eq!(kind_of(Answer::Hold(slow)).await, ErrorKind::Timeout);
    let slow = head(404, "", 100, "{").into_bytes();
    assert_eq!(kind_of(Answer::Hold(slow)).await, ErrorKind::Timeout);
}

#[tokio::test]
async fn what_makes_no_sense_is_internal() {
    for body in [
        "",
        "null",
        "[]",
        "{",
        r#"{"templates":[{}]}"#,
        "<html>",
        "\u{0}",
    ] {
        assert_eq!(
            kind_of(Answer::json(200, body)).await,
            ErrorKind::Internal,
            "{body}"
        );
    }
    let odd = r#"{"error":{"code":"teapot","message":"x"}}"#;
    assert_eq!(kind_of(Answer::json(418, odd)).await, ErrorKind::Internal);
    assert_eq!(kind_of(Answer::json(418, "x")).await, ErrorKind::Internal);
}

#[tokio::test]
async fn an_answer_that_is_cut_is_no_answer() {
    let cut = head(200, "", 100, r#"{"templates":[]}"#).into_bytes();
    assert_eq!(kind_of(Answer::Bytes(cut)).await, ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_file_that_is_cut_is_an_error_and_never_a_short_file() {
    use futures_util::StreamExt;
    let cut = head(200, "x-file-size: 100\r\n", 100, "half").into_bytes();
    for (answer, patience) in [
        (Answer::Bytes(cut.clone()), "cut"),
        (Answer::Hold(cut), "stalled"),
    ] {
        let script = Script::new([answer]).await;
        let client = script.impatient();
        let sandbox = client.sandbox("sbx_1".parse().unwrap());
        let path = SandboxPath::new("/file").unwrap();
        let file = sandbox
            .read_file(&path, ReadOptions::default())
            .await
            .unwrap();
        let chunks: Vec<_> = file.body.collect().await;
        assert_eq!(chunks[0].as_ref().unwrap(), "half");
        let error = chunks[1].as_ref().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{patience}");
        assert_eq!(chunks.len(), 2, "nothing follows an error");
    }
}

#[tokio::test]
async fn a_file_without_a_size_is_none() {
    for headers in [
        "",
        "x-file-size: many\r\n",
        "x-file-size: 4\r\nx-file-mode: 9\r\n",
    ] {
        let script = Script::new([Answer::new(200, headers, "half")]).await;
        let client = script.client();
        let sandbox = client.sandbox("sbx_1".parse().unwrap());
        let path = SandboxPath::new("/file").unwrap();
        let error = sandbox
            .read_file(&path, ReadOptions::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{headers}");
    }
}

#[test]
fn no_bytes_make_the_client_panic() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config::with_cases(64));
    let garbage = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        ".{0,200}".prop_map(|body| head(200, "", body.len(), &body).into_bytes()),
        "[a-z-]{1,9}: .{0,40}"
            .prop_map(|header| format!("HTTP/1.1 101 X\r\n{header}\r\n\r\n").into_bytes()),
        "(event|data|id): .{0,40}\n\n".prop_map(|body| {
            head(
                200,
                "content-type: text/event-stream\r\n",
                body.len(),
                &body,
            )
            .into_bytes()
        }),
    ];
    runner
        .run(&garbage, |bytes| {
            runtime.block_on(async {
                use futures_util::StreamExt;
                let script = Script::new([Answer::Bytes(bytes)]).await;
                let client = script
                    .builder()
                    .retry(RetryPolicy::never())
                    .build()
                    .unwrap();
                let _ = client.list_templates().await;
                let sandbox = client.sandbox("sbx_1".parse().unwrap());
                let _ = sandbox.connect(80).await;
                if let Ok(events) = client.events(&Default::default()).await {
                    let _: Vec<_> = events.collect().await;
                }
            });
            Ok(())
        })
        .unwrap();
}
