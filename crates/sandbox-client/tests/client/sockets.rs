//! WebSockets that are none, break or say what makes no sense.

use sandbox_client::types::ProcessRef;
use sandbox_client::{Attachment, AttachmentEvent};
use sandbox_core::{Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::script::{Answer, KEY, Script};

const STARTED: &str = r#"{"type":"started","process":{"id":"proc_1","pid":7,"command":"x","stdin":true,"started_at":"2026-01-02T03:04:05Z","status":"running"}}"#;

async fn attach(script: &Script) -> Result<Attachment, Error> {
    let client = script.impatient();
    let sandbox = client.sandbox("sbx_1".parse().unwrap());
    let process = ProcessRef::Pid(7);
    sandbox.attach_process(&process, Default::default()).await
}

#[tokio::test]
async fn what_is_no_socket_is_refused() {
    let wrong = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n";
    for answer in [
        Answer::json(200, "{}"),
        Answer::Hold(wrong.as_bytes().to_vec()),
        Answer::Hold(b"HTTP/1.1 101 X\r\n\r\n".to_vec()),
    ] {
        let script = Script::new([answer]).await;
        assert_eq!(
            attach(&script).await.unwrap_err().kind(),
            ErrorKind::Internal
        );
    }
}

#[tokio::test]
async fn a_refusal_has_its_kind_and_field() {
    let body = r#"{"error":{"code":"not_found","message":"x","field":"process"}}"#;
    let script = Script::new([Answer::json(404, body)]).await;
    let error = attach(&script).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("process"))
    );
    assert_eq!(script.requests().len(), 1);
}

/// A text or binary message of the server, of up to 65,535 bytes.
fn message(opcode: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    let mut frame = vec![0x80 | opcode];
    match length {
        0..=125 => frame.push(length as u8),
        _ => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(data);
    frame
}

fn text(text: &str) -> Vec<u8> {
    message(1, text.as_bytes())
}

/// Attaches to a server that opens the socket properly and then says this.
async fn attached(said: Vec<Vec<u8>>) -> Result<Attachment, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n") {
            read.push(stream.read_u8().await.unwrap());
        }
        let request = String::from_utf8(read).unwrap();
        let mut lines = request.lines();
        let key = lines
            .find_map(|line| line.strip_prefix("sec-websocket-key: "))
            .unwrap();
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
        for said in said {
            // The client may have had enough.
            let _ = stream.write_all(&said).await;
        }
        let mut rest = [0; 1024];
        while matches!(stream.read(&mut rest).await, Ok(1..)) {}
    });
    let mut limits = sandbox_client::Limits::default();
    limits.idle_timeout = std::time::Duration::from_millis(500);
    limits.max_event_bytes = 10_000;
    let client = sandbox_client::Client::builder().url(url).api_key(KEY);
    let client = client.limits(limits).build().unwrap();
    let sandbox = client.sandbox("sbx_1".parse().unwrap());
    let process = ProcessRef::Pid(7);
    sandbox.attach_process(&process, Default::default()).await
}

#[tokio::test]
async fn a_server_that_does_not_say_which_process_it_is_is_refused() {
    let broken = text(r#"{"type":"started","process":{}}"#);
    let binary = message(2, b"\x01\0\0\0\0\0\0\0\x01x");
    for said in [text("?"), text("{}"), broken, binary, message(8, b"")] {
        let error = attached(vec![said]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal);
    }
    let fatal = text(r#"{"type":"error","error":{"code":"conflict","message":"x"},"fatal":true}"#);
    assert_eq!(
        attached(vec![fatal]).await.unwrap_err().kind(),
        ErrorKind::Conflict
    );
    let silent = attached(Vec::new()).await.unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::Unavailable);
}

async fn after_the_start(said: Vec<u8>) -> Result<Option<AttachmentEvent>, Error> {
    let unknown = text(r#"{"type":"aroma","strength":3}"#);
    let mut attachment = attached(vec![unknown, text(STARTED), said]).await?;
    assert_eq!(attachment.process().pid, 7);
    attachment.next().await
}

#[tokio::test]
async fn what_a_process_says_is_told_and_what_makes_no_sense_is_not() {
    let output = message(2, b"\x02\0\0\0\0\0\0\0\x05hey");
    let Some(AttachmentEvent::Output {
        seq: 5,
        stream,
        data,
    }) = after_the_start(output).await.unwrap()
    else {
        panic!("no output");
    };
    assert_eq!(
        (stream, &data[..]),
        (sandbox_core::OutputStream::Stderr, &b"hey"[..])
    );
    assert!(after_the_start(message(8, b"")).await.unwrap().is_none());
    let kind = async |said| after_the_start(said).await.unwrap_err().kind();
    let nonsense = [
        message(2, b"\x02\0\0"),
        message(2, b"\x09\0\0\0\0\0\0\0\x05hey"),
        text("nonsense"),
        text(r#"{"type":"exited","seq":1,"exit_code":300}"#),
    ];
    for said in nonsense {
        assert_eq!(kind(said).await, ErrorKind::Internal);
    }
    assert_eq!(
        kind(message(2, &[1; 20_000])).await,
        ErrorKind::LimitExceeded
    );
    assert_eq!(
        kind(vec![0xff; 64]).await,
        ErrorKind::Unavailable,
        "no frame"
    );
    assert_eq!(kind(Vec::new()).await, ErrorKind::Unavailable, "silence");
}

#[tokio::test]
async fn one_refusal_is_not_the_end() {
    let refused = r#"{"type":"error","error":{"code":"conflict","message":"x"},"fatal":false}"#;
    let said = [text(refused), text(r#"{"type":"stdin_taken","bytes":3}"#)].concat();
    let mut attachment = attached(vec![text(STARTED), said]).await.unwrap();
    let Some(AttachmentEvent::Refused(error)) = attachment.next().await.unwrap() else {
        panic!("not refused");
    };
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let next = attachment.next().await.unwrap();
    assert!(matches!(
        next,
        Some(AttachmentEvent::StdinTaken { bytes: 3 })
    ));
}
