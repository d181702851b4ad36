//! One agent, several clients.

use std::time::Duration;

use sandbox_agent::protocol::{Decoder, Encoder, Header, Hello, Kind, MORE, VERSION};
use sandbox_core::{Command, ErrorKind};
use tokio::io::AsyncReadExt;

use crate::harness::{Agent, plain, sh};

#[tokio::test]
async fn the_last_client_owns_the_agent_and_the_loser_is_told() {
    let agent = Agent::start(&mut plain());
    let first = agent.client().await;
    assert!(first.is_alive());
    let second = agent.client().await;
    let reason = first.closed().await;
    assert_eq!(reason.kind(), ErrorKind::Conflict);
    assert!(!first.is_alive());
    assert_eq!(first.ping().await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(sh(&second, "echo mine").await.out, b"mine\n");
}

#[tokio::test]
async fn a_client_that_lost_the_agent_while_its_link_was_broken_does_not_take_it_back() {
    let agent = Agent::start(&mut plain());
    let first = agent.client().await;
    agent.refuse_links(1);
    agent.cut();
    let second = loop {
        // One of the two gets the refusal.
        match sandbox_agent::AgentClient::connect(agent.connector()).await {
            Ok(client) => break client,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
    };
    assert_eq!(first.closed().await.kind(), ErrorKind::Conflict);
    second.ping().await.unwrap();
    assert!(second.is_alive());
}

#[tokio::test]
async fn packets_of_another_lease_are_ignored() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let process = client.spawn(Command::shell("sleep 300")).await.unwrap();
    let mut bytes = Vec::new();
    for channel in 0..50 {
        let header = Header {
            lease: 0x5eed,
            channel,
            offset: 0,
            kind: Kind::Cancel,
            tag: 0,
        };
        Encoder::default().packet(&header, &[], &mut bytes);
    }
    agent.inject(&bytes).await;
    client.ping().await.unwrap();
    process.signal(sandbox_core::Signal::KILL).await.unwrap();
    process.wait().await.unwrap();
}

#[tokio::test]
async fn a_client_that_died_in_the_middle_of_a_packet_does_not_hinder_the_next() {
    let agent = Agent::start(&mut plain());
    let first = agent.client().await;
    first.ping().await.unwrap();
    agent.cut();
    // The first half of something long, and no end.
    agent.inject(&[0x77; 3000]).await;
    let second = agent.client().await;
    assert_eq!(sh(&second, "echo in step").await.out, b"in step\n");
}

#[tokio::test]
async fn bytes_that_fall_into_a_link_cost_no_more_than_the_requests_on_it() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let line = "i=0; while [ $i -lt 50000 ]; do echo $i; i=$((i+1)); done";
    let process = client.spawn(Command::shell(line)).await.unwrap();
    let noise = async {
        loop {
            agent.inject(b"\x05garbage\0\x01\x01\x01\0\xff\xff").await;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let output = tokio::select! {
        output = crate::harness::collect(&process) => output,
        () = noise => unreachable!(),
    };
    let expected: String = (0..50_000).map(|i| format!("{i}\n")).collect();
    assert!(output.out == expected.as_bytes());
    assert!(agent.links_opened() > 1, "damage opens another link");
}

fn hello(lease: u64, tag: u8) -> Vec<u8> {
    let hello = Hello {
        version: VERSION,
        client: lease,
        channels: Vec::new(),
    };
    let header = Header {
        lease,
        channel: 0,
        offset: 0,
        kind: Kind::Hello,
        tag,
    };
    let mut bytes = vec![0];
    let body = serde_json::to_vec(&hello).unwrap();
    Encoder::default().packet(&header, &body, &mut bytes);
    bytes
}

#[tokio::test]
async fn a_client_that_died_in_the_middle_of_its_hello_does_not_spoil_the_next_one() {
    let agent = Agent::start(&mut plain());
    let mut link = agent.connector().open().await.unwrap();
    agent.inject(&hello(1, MORE)).await;
    agent.inject(&hello(2, 0)).await;
    let welcomed = async {
        let (mut decoder, mut buffer) = (Decoder::default(), vec![0; 4096]);
        loop {
            let got = link.reader.read(&mut buffer).await.unwrap();
            let mut kinds = Vec::new();
            decoder.feed(&buffer[..got], |packet| kinds.push(packet.unwrap().header));
            if let Some(header) = kinds.iter().find(|one| one.kind == Kind::Welcome) {
                return header.lease;
            }
        }
    };
    let lease = tokio::time::timeout(Duration::from_secs(60), welcomed).await;
    assert_eq!(lease, Ok(2));
}
