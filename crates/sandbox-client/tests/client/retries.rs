//! What is tried again, and what is not.

use std::collections::BTreeSet;

use bytes::Bytes;
use sandbox_client::types::{
    CommandLine, CreateSandbox, ExecRequest, Prepare, ProcessRef, StartProcess,
};
use sandbox_client::{Client, RetryPolicy};
use sandbox_core::{ErrorKind, WriteOptions, byte_stream};

use crate::script::{Answer, Script, quick};

const RUNTIMES: &str = r#"{"runtimes":[]}"#;

fn away() -> Answer {
    Answer::error(503, "unavailable")
}

fn keys(script: &Script) -> Vec<String> {
    let requests = script.requests();
    let lines = requests.iter().flat_map(|request| request.lines());
    let keys = lines.filter_map(|line| line.strip_prefix("idempotency-key: "));
    keys.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_question_is_asked_again_while_the_server_is_away() {
    let proxy = Answer::new(502, "content-type: text/html\r\n", "<h1>Bad gateway</h1>");
    let answers = [
        away(),
        Answer::nothing(),
        proxy,
        Answer::json(200, RUNTIMES),
    ];
    let script = Script::new(answers).await;
    assert!(script.client().list_runtimes().await.unwrap().is_empty());
    assert_eq!(script.requests().len(), 4);
    assert!(keys(&script).is_empty(), "a question needs no key");
}

#[tokio::test]
async fn all_tries_of_one_call_carry_one_key_and_no_two_calls_the_same() {
    let script = Script::new([away(), Answer::nothing(), Answer::error(409, "conflict")]).await;
    let client = script.client();
    let request = CreateSandbox::default();
    for _ in 0..2 {
        let error = client.create_sandbox(&request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
    let keys = keys(&script);
    assert_eq!(keys.len(), 4, "three tries, then one");
    assert_eq!(keys[..3].iter().collect::<BTreeSet<_>>().len(), 1);
    assert_ne!(keys[0], keys[3]);
    assert!(keys[0].len() == 32 && keys[0].bytes().all(|byte| byte.is_ascii_hexdigit()));
    let bodies: BTreeSet<_> = script
        .requests()
        .iter()
        .map(|r| r.split_once("\r\n\r\n").unwrap().1.to_owned())
        .collect();
    assert_eq!(bodies.len(), 1, "the same body each time");
}

#[tokio::test]
async fn it_gives_up_after_so_many_tries() {
    let script = Script::new([away()]).await;
    let mut retry = quick();
    retry.max_retries = 2;
    let client = script.builder().retry(retry).build().unwrap();
    let error = client.list_runtimes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), "said the server");
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn what_the_server_refuses_is_not_asked_again() {
    for (status, code, kind) in [
        (400, "invalid_spec", ErrorKind::InvalidSpec),
        (400, "unsupported", ErrorKind::Unsupported),
        (401, "unauthorized", ErrorKind::PermissionDenied),
        (404, "not_found", ErrorKind::NotFound),
        (409, "conflict", ErrorKind::Conflict),
        (429, "limit_exceeded", ErrorKind::LimitExceeded),
        (500, "internal", ErrorKind::Internal),
        (504, "timeout", ErrorKind::Timeout),
    ] {
        let script = Script::new([Answer::error(status, code)]).await;
        let error = script.client().list_runtimes().await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(script.requests().len(), 1, "{code}");
    }
}

#[tokio::test]
async fn what_is_away_inside_the_sandbox_is_not_the_server() {
    let body = r#"{"error":{"code":"unavailable","message":"x","field":"port"}}"#;
    let script = Script::new([Answer::json(503, body)]).await;
    let error = script.client().list_runtimes().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Unavailable, Some("port"))
    );
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_asks_for_a_moment_gets_it_and_one_that_asks_for_an_hour_does_not() {
    let slow_down = |seconds: u32| {
        let body = r#"{"error":{"code":"rate_limited","message":"x"}}"#;
        Answer::new(429, &format!("retry-after: {seconds}\r\n"), body)
    };
    let script = Script::new([slow_down(0), Answer::json(200, RUNTIMES)]).await;
    script.client().list_runtimes().await.unwrap();
    assert_eq!(script.requests().len(), 2);
    let script = Script::new([slow_down(3600)]).await;
    let error = script.client().list_runtimes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_given_again_is_tried_once_and_without_a_key() {
    let command = || CommandLine::Shell("true".into());
    let file = "/file".parse().unwrap();
    let process = ProcessRef::Pid(7);
    for number in 0..6 {
        let script = Script::new([Answer::nothing()]).await;
        let client = script.client();
        let sandbox = client.sandbox("sbx_1".parse().unwrap());
        let input = Bytes::from_static(b"x");
        let error = match number {
            0 => sandbox
                .exec_stream(&ExecRequest::new(command()))
                .await
                .err(),
            1 => sandbox.write_stdin(&process, input, false).await.err(),
            2 => client.prepare(&Prepare::default()).await.err(),
            3 => {
                let body = byte_stream(input);
                let written = sandbox.write_file(&file, body, WriteOptions::default());
                written.await.err()
            }
            4 => {
                let start = StartProcess::from_core(command().into_core(), None);
                sandbox
                    .start_attached(start, Default::default())
                    .await
                    .err()
            }
            _ => sandbox.connect(80).await.err(),
        };
        assert_eq!(error.unwrap().kind(), ErrorKind::Unavailable, "{number}");
        assert_eq!(script.requests().len(), 1, "{number}");
        assert!(keys(&script).is_empty(), "{number}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let port = {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        free.local_addr().unwrap().port()
    };
    let url = format!("http://127.0.0.1:{port}");
    let client = Client::builder().url(url).retry(RetryPolicy::never());
    let error = client.build().unwrap().list_runtimes().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
}
