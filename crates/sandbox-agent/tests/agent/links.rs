//! Links that break.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{AsyncReadExt, AsyncWriteExt, StreamExt, stream};
use sandbox_core::{
    ByteStream, Command, ErrorKind, ExitStatus, ProcessEvent, ReadOptions, Signal, WriteOptions,
};

use crate::harness::{Agent, TempDir, collect, eventually, is_running, plain, sh};

/// Breaks the link every few milliseconds.
async fn keep_cutting(agent: &Agent) {
    loop {
        tokio::time::sleep(Duration::from_millis(7)).await;
        agent.cut();
    }
}

#[tokio::test]
async fn no_byte_of_output_is_lost_or_repeated_over_broken_links() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let command = Command::shell("i=0; while [ $i -lt 300000 ]; do echo $i; i=$((i+1)); done");
    let process = client.spawn(command).await.unwrap();
    let output = tokio::select! {
        output = collect(&process) => output,
        () = keep_cutting(&agent) => unreachable!(),
    };
    let expected: String = (0..300_000).map(|i| format!("{i}\n")).collect();
    assert!(output.out == expected.as_bytes());
    assert_eq!(output.status, Some(ExitStatus::from_code(0)));
    assert!(agent.links_opened() > 5, "{}", agent.links_opened());
}

#[tokio::test]
async fn no_byte_of_input_is_lost_or_repeated_over_broken_links() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let data: Vec<u8> = (0..5_000_000u32).map(|i| (i % 249) as u8).collect();
    let process = client
        .spawn(Command::argv(["cat"]).piped_stdin())
        .await
        .unwrap();
    let feed = async {
        for chunk in data.chunks(77_777) {
            let chunk = Bytes::copy_from_slice(chunk);
            process.write_stdin(chunk).await.unwrap();
        }
        process.close_stdin().await.unwrap();
        std::future::pending().await
    };
    let output = tokio::select! {
        output = collect(&process) => output,
        () = feed => unreachable!(),
        () = keep_cutting(&agent) => unreachable!(),
    };
    assert!(output.out == data);
}

#[tokio::test]
async fn a_file_that_is_being_read_goes_on_over_broken_links() {
    let dir = TempDir::new();
    let data: Vec<u8> = (0..8_000_000u32).map(|i| (i % 241) as u8).collect();
    std::fs::write(dir.path().join("f"), &data).unwrap();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let content = client.read(&dir.at("f"), ReadOptions::default()).await;
    let mut body = content.unwrap().body;
    let mut read = Vec::new();
    while let Some(chunk) = body.next().await {
        read.extend_from_slice(&chunk.unwrap());
        if read.len() % 5 == 0 {
            agent.cut();
        }
    }
    assert!(read == data);
    assert!(agent.links_opened() > 2);
}

#[tokio::test]
async fn a_connection_goes_on_over_broken_links() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let (mut reader, mut writer) = socket.split();
        tokio::io::copy(&mut reader, &mut writer).await.unwrap();
    });
    let connection = client.connect_port(port).await.unwrap();
    let (mut reader, mut writer) = connection.split();
    let data: Vec<u8> = (0..3_000_000u32).map(|i| (i % 239) as u8).collect();
    let write = async {
        writer.write_all(&data).await.unwrap();
        writer.close().await.unwrap();
    };
    let mut echoed = Vec::new();
    let echo = async {
        tokio::join!(write, reader.read_to_end(&mut echoed))
            .1
            .unwrap()
    };
    tokio::select! {
        _ = echo => {}
        () = keep_cutting(&agent) => unreachable!(),
    }
    assert!(echoed == data);
}

#[tokio::test]
async fn a_write_whose_link_breaks_fails_and_leaves_the_old_content() {
    let dir = TempDir::new();
    std::fs::write(dir.path().join("f"), "old").unwrap();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let cut = stream::once(async {
        agent.cut();
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(Bytes::from_static(b"more"))
    });
    let body = stream::iter([Ok(Bytes::from_static(b"new"))]).chain(cut);
    // The stream borrows the agent, so it is driven here, through a channel.
    let (send, receive) = tokio::sync::mpsc::unbounded_channel();
    let body_in: ByteStream = Box::pin(stream::unfold(receive, |mut receive| async {
        receive.recv().await.map(|chunk| (chunk, receive))
    }));
    let path = dir.at("f");
    let write = client.write(&path, body_in, WriteOptions::default());
    let feed = async {
        futures_util::pin_mut!(body);
        while let Some(chunk) = body.next().await {
            let _ = send.send(chunk);
        }
        std::future::pending::<()>().await
    };
    let error = tokio::select! {
        result = write => result.unwrap_err(),
        () = feed => unreachable!(),
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    client.ping().await.unwrap();
    assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), b"old");
    eventually("the temporary file is gone", || {
        std::fs::read_dir(dir.path()).unwrap().count() == 1
    })
    .await;
}

#[tokio::test]
async fn links_that_do_not_open_at_first_are_tried_again() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let process = client.spawn(Command::shell("sleep 0.4; echo done")).await;
    agent.refuse_links(4);
    agent.cut();
    let output = collect(&process.unwrap()).await;
    assert_eq!(output.out, b"done\n");
    assert!(client.is_alive());
}

#[tokio::test]
async fn a_process_outlives_its_client_and_the_next_one_goes_on_with_it() {
    let agent = Agent::start(&mut plain());
    let first = agent.client().await;
    let command = Command::shell("echo one; read x; echo got $x; sleep 300").piped_stdin();
    let process = first.spawn(command).await.unwrap();
    let pid = process.pid();
    let mut events = process.events().unwrap();
    let event = events.next().await.unwrap().unwrap();
    assert!(matches!(event, ProcessEvent::Output(_, data) if data == "one\n"));
    process
        .write_stdin(Bytes::from_static(b"tw"))
        .await
        .unwrap();
    // It was read, and the agent was told so.
    tokio::time::sleep(Duration::from_millis(100)).await;
    agent.cut();
    let second = agent.client().await;
    assert_eq!(first.closed().await.kind(), ErrorKind::Conflict);
    drop((events, process, first));

    let process = second.attach(pid).await.unwrap();
    assert!(
        second
            .processes()
            .await
            .unwrap()
            .iter()
            .any(|one| one.pid == pid && one.spawned)
    );
    process
        .write_stdin(Bytes::from_static(b"o\n"))
        .await
        .unwrap();
    let mut events = process.events().unwrap();
    let event = events.next().await.unwrap().unwrap();
    assert!(matches!(event, ProcessEvent::Output(_, data) if data == "got two\n"));
    process.signal(Signal::TERM).await.unwrap();
    assert_eq!(
        process.wait().await.unwrap(),
        ExitStatus::from_signal(Signal::TERM)
    );
}

#[tokio::test]
async fn an_end_that_nobody_saw_is_kept_for_the_next_client() {
    let agent = Agent::start(&mut plain());
    let first = agent.client().await;
    let process = first
        .spawn(Command::shell("sleep 0.2; echo bye; exit 4"))
        .await
        .unwrap();
    let pid = process.pid();
    // As if its server was killed: nothing is said, the link is just gone.
    agent.refuse_links(usize::MAX);
    agent.cut();
    eventually("it ended", || !is_running(pid)).await;
    agent.refuse_links(0);
    let second = agent.client().await;
    let attached = second.attach(pid).await.unwrap();
    let output = collect(&attached).await;
    assert_eq!(output.out, b"bye\n");
    assert_eq!(output.status, Some(ExitStatus::from_code(4)));
    drop(process);
    eventually("it is forgotten once it was read", || {
        let again = futures_util::FutureExt::now_or_never(second.ping());
        again.is_none_or(|pong| pong.is_ok())
    })
    .await;
    drop(attached);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let error = second.attach(pid).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("pid"))
    );
}

#[tokio::test]
async fn dropping_a_process_discards_its_output_and_it_goes_on() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    // Far more than any window: it could not end if nobody took its output.
    let mark = dir.path().join("done");
    let line = format!("head -c 3000000 /dev/zero; touch {}", mark.display());
    drop(client.spawn(Command::shell(&line)).await.unwrap());
    eventually("the dropped process ended", || mark.exists()).await;
    std::fs::remove_file(&mark).unwrap();
    let process = client.spawn(Command::shell(&line)).await.unwrap();
    drop(process.events());
    assert!(process.wait().await.unwrap().success());
    assert!(mark.exists());
}

#[tokio::test]
async fn a_reader_that_stops_stops_its_process_and_no_other() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let mark = dir.path().join("done");
    let line = format!("head -c 3000000 /dev/zero; touch {}", mark.display());
    let stalled = client.spawn(Command::shell(line)).await.unwrap();
    let mut events = stalled.events().unwrap();
    events.next().await.unwrap().unwrap();
    // Its window is full now; everything else completes all the same.
    for _ in 0..20 {
        assert_eq!(sh(&client, "echo x").await.out, b"x\n");
    }
    let bulk = sh(&client, "head -c 20000000 /dev/zero").await;
    assert_eq!(bulk.out.len(), 20_000_000);
    assert!(!mark.exists(), "nothing held it up");
    while let Some(event) = events.next().await {
        event.unwrap();
    }
    assert!(mark.exists());
}

#[tokio::test]
async fn a_process_whose_window_was_full_goes_on_when_it_was_read_while_the_link_was_broken() {
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let process = client
        .spawn(Command::shell("head -c 3000000 /dev/zero"))
        .await
        .unwrap();
    // Nobody reads, so everything the window allows has come, and nothing is on its way.
    tokio::time::sleep(Duration::from_millis(300)).await;
    agent.refuse_links(5);
    agent.cut();
    let output = tokio::time::timeout(Duration::from_secs(20), collect(&process)).await;
    assert_eq!(output.unwrap().out.len(), 3_000_000);
}

/// What the process of the next two tests reads nothing before, and what it says then.
fn late_reader(go: &std::path::Path) -> Command {
    let go = go.display();
    let line = format!("while [ ! -e {go} ]; do sleep 0.05; done; tr -d a | wc -c");
    Command::shell(line).piped_stdin()
}

#[tokio::test]
async fn input_that_waits_from_an_earlier_client_leaves_less_room_for_the_next() {
    let dir = TempDir::new();
    let go = dir.path().join("go");
    let agent = Agent::start(&mut plain());
    let first = agent.client().await;
    let process = first.spawn(late_reader(&go)).await.unwrap();
    // More than a pipe holds, and about as much as the window lets wait besides.
    let before = Bytes::from(vec![b'a'; 300_000]);
    process.write_stdin(before).await.unwrap();
    for _ in 0..5 {
        first.ping().await.unwrap();
    }
    let second = agent.client().await;
    let same = second.attach(process.pid()).await.unwrap();
    let write = async {
        let more = Bytes::from(vec![b'b'; 300_000]);
        same.write_stdin(more).await.unwrap();
        same.close_stdin().await.unwrap();
    };
    let read = async {
        for _ in 0..5 {
            second.ping().await.unwrap();
        }
        std::fs::write(&go, "").unwrap();
        collect(&same).await
    };
    let both = async { tokio::join!(write, read) };
    let ((), output) = tokio::time::timeout(Duration::from_secs(60), both)
        .await
        .expect("it goes on");
    assert_eq!(output.out, b"300000\n");
}

#[tokio::test]
async fn input_a_byte_at_a_time_waits_as_any_other() {
    let dir = TempDir::new();
    let go = dir.path().join("go");
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let process = client.spawn(late_reader(&go)).await.unwrap();
    // A pipe's worth first, so that all that follows has to wait.
    let full = Bytes::from(vec![b'b'; 65_536]);
    process.write_stdin(full).await.unwrap();
    for _ in 0..20_000 {
        process.write_stdin(Bytes::from_static(b"b")).await.unwrap();
        tokio::task::yield_now().await;
    }
    client.ping().await.unwrap();
    std::fs::write(&go, "").unwrap();
    process.close_stdin().await.unwrap();
    let output = tokio::time::timeout(Duration::from_secs(60), collect(&process)).await;
    assert_eq!(output.expect("it goes on").out, b"85536\n");
}

#[tokio::test]
async fn whoever_attaches_at_the_same_time_shares_the_process() {
    let agent = Agent::start(&mut plain());
    let first = agent.client().await;
    let spawned = first.spawn(Command::argv(["sleep", "300"])).await.unwrap();
    let pid = spawned.pid();
    let second = agent.client().await;
    let (one, other) = tokio::join!(second.attach(pid), second.attach(pid));
    let (one, other) = (one.unwrap(), other.unwrap());
    one.signal(Signal::TERM).await.unwrap();
    let ends = async { tokio::join!(one.wait(), other.wait()) };
    let (one, other) = tokio::time::timeout(Duration::from_secs(60), ends)
        .await
        .expect("both hear of it");
    assert_eq!(one.unwrap(), ExitStatus::from_signal(Signal::TERM));
    assert_eq!(other.unwrap(), ExitStatus::from_signal(Signal::TERM));
}
