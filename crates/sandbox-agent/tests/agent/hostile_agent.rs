//! Whatever the agent sends, the client neither panics nor grows, and says what is wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sandbox_agent::protocol::{
    Decoder, Encoder, Header, Kind, MAX_BODY, MAX_PROCESSES, Packet, Reply, VERSION, WINDOW,
    Welcome,
};
use sandbox_agent::{AgentClient, ClientOptions, Connector, Link};
use sandbox_core::{Command, Error, ErrorKind, ListOptions, ReadOptions, Result, SandboxPath};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// One link to an agent that the test plays.
#[derive(Debug)]
struct Once(Mutex<Option<DuplexStream>>);

#[async_trait]
impl Connector for Once {
    async fn open(&self) -> Result<Link> {
        let link = self.0.lock().unwrap().take();
        let gone = || Error::new(ErrorKind::NotFound, "test.open", "the sandbox is gone");
        let (reader, writer) = tokio::io::split(link.ok_or_else(gone)?);
        Ok(Link {
            reader: Box::new(reader),
            writer: Box::new(writer),
        })
    }
}

struct Played {
    link: DuplexStream,
    decoder: Decoder,
    packets: std::collections::VecDeque<Packet>,
    lease: u64,
}

impl Played {
    async fn next(&mut self) -> Packet {
        loop {
            if let Some(packet) = self.packets.pop_front() {
                return packet;
            }
            let mut buffer = [0; 4096];
            let got = self.link.read(&mut buffer).await.unwrap();
            assert!(got > 0, "the client went away");
            let packets = &mut self.packets;
            self.decoder
                .feed(&buffer[..got], |packet| packets.push_back(packet.unwrap()));
        }
    }

    async fn request(&mut self) -> u32 {
        loop {
            let packet = self.next().await;
            if packet.header.kind == Kind::Request {
                return packet.header.channel;
            }
        }
    }

    async fn send(&mut self, kind: Kind, channel: u32, offset: u64, tag: u8, body: &[u8]) {
        let mut bytes = Vec::new();
        let header = Header {
            lease: self.lease,
            channel,
            offset,
            kind,
            tag,
        };
        Encoder::default().packet(&header, body, &mut bytes);
        // The client may have hung up already.
        let _ = self.link.write_all(&bytes).await;
    }

    async fn reply(&mut self, channel: u32, reply: &str) {
        self.send(Kind::Reply, channel, 0, 0, reply.as_bytes())
            .await;
    }
}

fn connector() -> (Arc<Once>, Played) {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let played = Played {
        link: ours,
        decoder: Decoder::default(),
        packets: Default::default(),
        lease: 0,
    };
    (Arc::new(Once(Mutex::new(Some(theirs)))), played)
}

async fn play(version: u32) -> (Result<AgentClient>, Played) {
    let (connector, mut played) = connector();
    let greet = async {
        let hello = played.next().await;
        assert_eq!(hello.header.kind, Kind::Hello);
        played.lease = hello.header.lease;
        let welcome = Welcome {
            version,
            instance: 1,
            pid: 1,
            channels: Vec::new(),
        };
        let body = serde_json::to_vec(&welcome).unwrap();
        played.send(Kind::Welcome, 0, 0, 0, &body).await;
    };
    let (client, ()) = tokio::join!(AgentClient::connect(connector), greet);
    (client, played)
}

fn path() -> SandboxPath {
    SandboxPath::new("/f").unwrap()
}

const FILE: &str = r#"{"Ok":{"file":{"path":"/f","kind":"file","size":10,"mode":420,"uid":0,"gid":0,"owner":null,"group":null,"modified":0,"link":null}}}"#;

#[tokio::test]
async fn another_version_is_refused() {
    for version in [VERSION - 1, VERSION + 1] {
        let (client, _played) = play(version).await;
        assert_eq!(client.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn an_agent_that_never_answers_is_unavailable() {
    let (connector, _played) = connector();
    let options = ClientOptions {
        hello_timeout: Duration::from_millis(100),
        ..ClientOptions::default()
    };
    let error = AgentClient::connect_with(connector, options)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_sandbox_that_is_gone_closes_the_client() {
    let (client, played) = play(VERSION).await;
    let client = client.unwrap();
    drop(played);
    assert_eq!(client.closed().await.kind(), ErrorKind::NotFound);
    assert_eq!(client.ping().await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn more_of_a_file_than_there_is_of_it_is_an_error() {
    let (client, mut played) = play(VERSION).await;
    let client = client.unwrap();
    let answer = async {
        let channel = played.request().await;
        played.reply(channel, FILE).await;
        played.send(Kind::Data, channel, 0, 0, &[1; 100]).await;
    };
    let path = path();
    let (content, ()) = tokio::join!(client.read(&path, ReadOptions::default()), answer);
    let mut body = content.unwrap().body;
    let error = body.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(body.next().await.is_none());
}

#[tokio::test]
async fn a_flood_past_the_window_closes_the_client() {
    let (client, mut played) = play(VERSION).await;
    let client = client.unwrap();
    let answer = async {
        let channel = played.request().await;
        played
            .reply(channel, r#"{"Ok":{"spawned":{"pid":5}}}"#)
            .await;
        for i in 0..100 {
            let body = vec![1; MAX_BODY];
            played
                .send(Kind::Data, channel, i * MAX_BODY as u64, 1, &body)
                .await;
        }
        channel
    };
    let (process, _) = tokio::join!(client.spawn(Command::shell("x")), answer);
    let reason = client.closed().await;
    assert_eq!(reason.kind(), ErrorKind::Internal, "{reason}");
    assert_eq!(
        process.unwrap().wait().await.unwrap_err().kind(),
        ErrorKind::Internal
    );
}

#[tokio::test]
async fn an_endless_line_is_refused() {
    let (client, mut played) = play(VERSION).await;
    let client = client.unwrap();
    let answer = async {
        let channel = played.request().await;
        played.reply(channel, r#"{"Ok":"done"}"#).await;
        let mut offset = 0;
        // As fast as it is allowed to, so that only the length is wrong.
        for _ in 0..4 {
            played
                .send(Kind::Data, channel, offset, 0, &[b'x'; MAX_BODY])
                .await;
            offset += MAX_BODY as u64;
        }
        loop {
            let packet = played.next().await;
            match packet.header.kind {
                Kind::Cancel => return,
                Kind::Ack => {
                    played
                        .send(Kind::Data, channel, offset, 0, &[b'x'; MAX_BODY])
                        .await;
                    offset += MAX_BODY as u64;
                }
                _ => {}
            }
        }
    };
    let path = path();
    let (list, ()) = tokio::join!(client.list(&path, ListOptions::default()), answer);
    assert_eq!(list.unwrap_err().kind(), ErrorKind::Internal);
    assert!(client.is_alive());
}

#[tokio::test]
async fn offsets_from_beyond_are_refused() {
    let (client, mut played) = play(VERSION).await;
    let client = client.unwrap();
    let reply = serde_json::json!({"Ok": {"attached": {
        "offset": u64::MAX, "input": u64::MAX, "input_taken": 0, "input_open": true, "pty": false, "exit": null,
    }}});
    let answer = async {
        let channel = played.request().await;
        played.reply(channel, &reply.to_string()).await;
    };
    let (process, ()) = tokio::join!(client.attach(5), answer);
    assert_eq!(process.unwrap_err().kind(), ErrorKind::Internal);
}

#[tokio::test]
async fn requests_that_nobody_waits_for_any_more_do_not_pile_up() {
    let (client, mut played) = play(VERSION).await;
    let client = client.unwrap();
    // The agent reads nothing, and callers give up.
    let (size, count) = (100_000, 200);
    for _ in 0..count {
        let given_up = client
            .spawn(Command::shell("x".repeat(size)))
            .now_or_never();
        assert!(given_up.is_none());
    }
    let mut came = 0;
    let ping = client.ping();
    let answer = async {
        loop {
            let packet = played.next().await;
            match packet.header.kind {
                Kind::Request if packet.body == r#""ping""# => {
                    let channel = packet.header.channel;
                    return played.reply(channel, r#"{"Ok":"done"}"#).await;
                }
                Kind::Request => came += packet.body.len(),
                _ => {}
            }
        }
    };
    let (pong, ()) = tokio::join!(ping, answer);
    pong.unwrap();
    assert!(came < size * count / 10, "{came} bytes were kept");
}

#[tokio::test]
async fn a_list_without_end_is_refused() {
    let (client, mut played) = play(VERSION).await;
    let client = client.unwrap();
    // Short to send and long to keep: an argument of nothing is a string all the same.
    let argv = vec![""; 15_000];
    let line = serde_json::json!({
        "pid": 2, "parent": 1, "argv": argv, "uid": 0, "spawned": false, "memory": 0,
        "cpu_time": {"secs": 0, "nanos": 0},
    });
    let line = format!("{line}\n").into_bytes();
    assert!(line.len() <= MAX_BODY);
    let mut sent = 0;
    let answer = async {
        let channel = played.request().await;
        played.reply(channel, r#"{"Ok":"done"}"#).await;
        let mut acknowledged = 0;
        loop {
            while sent + line.len() as u64 <= acknowledged + WINDOW {
                played.send(Kind::Data, channel, sent, 0, &line).await;
                sent += line.len() as u64;
            }
            let packet = played.next().await;
            match packet.header.kind {
                Kind::Cancel => return,
                Kind::Ack => acknowledged = packet.header.offset,
                _ => {}
            }
        }
    };
    let (list, ()) = tokio::join!(client.processes(), answer);
    assert_eq!(list.unwrap_err().kind(), ErrorKind::Internal);
    assert!(sent < 2 * MAX_PROCESSES, "{sent} bytes were taken");
    assert!(client.is_alive());
}

/// An agent that greets everybody and then says that what it heard was garbage.
#[derive(Debug, Default)]
struct Garbler(std::sync::atomic::AtomicUsize);

#[async_trait]
impl Connector for Garbler {
    async fn open(&self) -> Result<Link> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let (connector, mut played) = connector();
        tokio::spawn(async move {
            played.lease = played.next().await.header.lease;
            let welcome = Welcome {
                version: VERSION,
                instance: 1,
                pid: 1,
                channels: Vec::new(),
            };
            let body = serde_json::to_vec(&welcome).unwrap();
            played.send(Kind::Welcome, 0, 0, 0, &body).await;
            played.send(Kind::Garbled, 0, 0, 0, &[]).await;
        });
        connector.open().await
    }
}

#[tokio::test]
async fn an_agent_that_breaks_every_link_does_not_have_the_client_open_them_without_pause() {
    let garbler = Arc::<Garbler>::default();
    let client = AgentClient::connect(Arc::clone(&garbler) as Arc<dyn Connector>).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let opened = garbler.0.load(std::sync::atomic::Ordering::SeqCst);
    // A link takes far less than a millisecond here; twenty pauses fit.
    assert!((2..100).contains(&opened), "{opened}");
    drop(client);
}

fn traffic() -> impl Strategy<Value = (u8, u64, u8, Vec<u8>)> {
    let offset = prop_oneof![0u64..20, any::<u64>()];
    let json = [
        serde_json::to_string(&std::result::Result::<Reply, ()>::Ok(Reply::Done)).unwrap(),
        r#"{"Ok":{"spawned":{"pid":1}}}"#.to_owned(),
        r#"{"Err":{"kind":"not_found","message":"x","field":"path"}}"#.to_owned(),
        r#"{"Err":{"kind":"no_such_kind","message":"x"}}"#.to_owned(),
        r#"{"ended":{"exit":{"code":0},"cause":null}}"#.to_owned(),
        r#"{"exit":{"code":300},"cause":null}"#.to_owned(),
        FILE.to_owned(),
        "null".to_owned(),
    ];
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..100),
        prop::sample::select(json.to_vec()).prop_map(String::into_bytes),
    ];
    (1u8..=10, offset, 0u8..8, body)
}

fn kind(byte: u8) -> Kind {
    [
        Kind::Hello,
        Kind::Welcome,
        Kind::LeaseLost,
        Kind::Garbled,
        Kind::Request,
        Kind::Reply,
        Kind::Data,
        Kind::Ack,
        Kind::Cancel,
        Kind::Notice,
    ][usize::from(byte) - 1]
}

#[tokio::test]
async fn any_traffic_at_all_ends_in_an_answer_or_an_error() {
    let mut runner = TestRunner::deterministic();
    for round in 0..300 {
        let (client, mut played) = play(VERSION).await;
        let client = client.unwrap();
        let packets: Vec<_> = (0..20)
            .map(|_| traffic().new_tree(&mut runner).unwrap().current())
            .collect();
        let answer = async {
            let channel = played.request().await;
            for (byte, offset, tag, body) in packets {
                played.send(kind(byte), channel, offset, tag, &body).await;
            }
            drop(played);
        };
        let path = path();
        let ask = async {
            match round % 3 {
                0 => drop(client.read(&path, ReadOptions::default()).await),
                1 => match client.spawn(Command::shell("x")).await {
                    Ok(process) => drop(process.wait().await),
                    Err(error) => drop(error),
                },
                _ => drop(client.list(&path, ListOptions::default()).await),
            }
        };
        let both = async { tokio::join!(ask, answer) };
        let done = tokio::time::timeout(Duration::from_secs(10), both).await;
        done.expect("nothing hangs");
    }
}
