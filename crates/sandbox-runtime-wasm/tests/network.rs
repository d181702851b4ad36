//! Programs that talk: to each other inside a sandbox, to the host that looks in, and to a policy.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt, StreamExt};
use sandbox_core::egress::EgressRules;
use sandbox_core::{
    BoxConnection, Command, ErrorKind, Exit, Process, Runtime, RuntimeEvent, Sandbox, SandboxExt,
    SandboxId, SandboxSpec, Signal, Source,
};
use sandbox_runtime_wasm::WasmRuntime;

/// How long what should happen soon may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn runtime() -> WasmRuntime {
    let builder = WasmRuntime::builder().workers(2).max_processes(64);
    builder.build().unwrap()
}

async fn sandbox(runtime: &WasmRuntime, number: u8, rules: EgressRules) -> Arc<dyn Sandbox> {
    let id = SandboxId::from_random([number; 16]);
    let spec = SandboxSpec::builder(id, Source::Image("base".into())).egress(rules);
    runtime.create(&spec.build().unwrap()).await.unwrap()
}

async fn closed(runtime: &WasmRuntime) -> Arc<dyn Sandbox> {
    sandbox(runtime, 1, EgressRules::deny_all()).await
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.expect("it should have happened long ago")
}

fn nc(line: &str) -> Command {
    Command::argv(std::iter::once("nc").chain(line.split_whitespace()))
}

/// Connects as soon as somebody listens.
async fn dial(sandbox: &Arc<dyn Sandbox>, port: u16) -> BoxConnection {
    let dialling = async {
        loop {
            match sandbox.connect(port).await {
                Ok(connection) => return connection,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(dialling).await
}

async fn say(connection: &mut BoxConnection, words: &[u8]) {
    connection.write_all(words).await.unwrap();
}

async fn hear(connection: &mut BoxConnection, words: &[u8]) {
    let mut heard = vec![0; words.len()];
    soon(connection.read_exact(&mut heard)).await.unwrap();
    assert_eq!(heard, words);
}

async fn exit(process: &Arc<dyn Process>) -> Exit {
    soon(process.wait()).await.unwrap().exit
}

#[tokio::test]
async fn programs_of_a_sandbox_talk_over_its_loopback() {
    let runtime = runtime();
    let sandbox = closed(&runtime).await;
    for (listen, call) in [
        ("nc -l -p 80", "nc 127.0.0.1 80"),
        ("nc -6 -l -p 80", "nc ::1 80"),
        ("nc -l 127.0.0.1 80", "nc localhost 80"),
    ] {
        let line = format!(
            "{listen} > /tmp/heard & until echo words | {call} 2> /dev/null; do sleep 0.05; done; \
             wait; cat /tmp/heard"
        );
        let output = soon(sandbox.exec(Command::shell(line))).await.unwrap();
        assert_eq!(
            output.stdout,
            "words\n",
            "{listen}, {call}: {}",
            output.stderr_lossy()
        );
    }
    let stats = sandbox.stats().await.unwrap();
    assert_eq!((stats.network_received, stats.network_sent), (0, 0));
}

#[tokio::test]
async fn a_listener_of_a_guest_is_no_listener_of_the_host() {
    let runtime = runtime();
    let sandbox = closed(&runtime).await;
    // A port that the host has free.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    sandbox
        .spawn(nc(&format!("-l -p {port} -e cat")))
        .await
        .unwrap();
    let mut connection = dial(&sandbox, port).await;
    say(&mut connection, b"hello").await;
    hear(&mut connection, b"hello").await;
    for address in ["127.0.0.1", "::1"] {
        let refused = std::net::TcpStream::connect((address, port));
        assert!(refused.is_err(), "the host listens on {address}");
    }
    // Nor is it one of another sandbox, or of a fork.
    let forks = runtime.fork(sandbox.id(), 1).unwrap();
    let error = forks[0].connect(port).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn who_waits_on_a_socket_can_be_killed_and_its_port_is_free_again() {
    let runtime = runtime();
    let sandbox = closed(&runtime).await;
    for receives in [false, true] {
        let waiting = sandbox.spawn(nc("-l -k -p 80")).await.unwrap();
        // With a connection it waits for what that brings; without, for the next one.
        let connection = Some(dial(&sandbox, 80).await).filter(|_| receives);
        waiting.signal(Signal::KILL).await.unwrap();
        assert_eq!(exit(&waiting).await, Exit::Signal(Signal::KILL));
        drop(connection);
    }
    let listener = sandbox.spawn(nc("-l -p 80 -e cat")).await.unwrap();
    let mut connection = dial(&sandbox, 80).await;
    say(&mut connection, b"free").await;
    hear(&mut connection, b"free").await;
    drop(connection);
    assert_eq!(exit(&listener).await, Exit::Code(0));
}

#[tokio::test]
async fn a_connection_breaks_with_the_process_that_held_it() {
    let runtime = runtime();
    let sandbox = closed(&runtime).await;
    let listener = sandbox.spawn(nc("-l -p 80 -e sleep 600")).await.unwrap();
    let mut connection = dial(&sandbox, 80).await;
    say(&mut connection, b"for nobody").await;
    for process in sandbox.processes().await.unwrap() {
        sandbox.signal(process.pid, Signal::KILL).await.unwrap();
    }
    exit(&listener).await;
    let mut rest = Vec::new();
    soon(connection.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
    let sending = async {
        while connection.write_all(b"more").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon(sending).await;
}

#[tokio::test]
async fn a_paused_sandbox_hears_nothing_and_goes_on_where_it_was() {
    let runtime = runtime();
    let sandbox = closed(&runtime).await;
    sandbox.spawn(nc("-l -p 80 -e cat")).await.unwrap();
    let mut connection = dial(&sandbox, 80).await;
    say(&mut connection, b"one").await;
    hear(&mut connection, b"one").await;
    sandbox.pause().await.unwrap();
    say(&mut connection, b"two").await;
    let mut byte = [0];
    let answer = tokio::time::timeout(Duration::from_millis(300), connection.read(&mut byte));
    assert!(answer.await.is_err(), "nobody runs who could answer");
    sandbox.resume().await.unwrap();
    hear(&mut connection, b"two").await;
    connection.close().await.unwrap();
    let mut rest = Vec::new();
    soon(connection.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_refusal_is_an_error_inside_and_an_event_outside() {
    let runtime = runtime();
    let mut events = runtime.events();
    let sandbox = closed(&runtime).await;
    for line in [
        "-w 5 203.0.113.1 80",
        "-w 5 169.254.169.254 80",
        "-w 5 2001:db8::1 80",
    ] {
        let output = soon(sandbox.exec(nc(line))).await.unwrap();
        assert!(!output.status.success(), "{line}");
        let said = output.stderr_lossy().to_lowercase();
        assert!(said.contains("permission denied"), "{line}: {said}");
    }
    let looked_up = Command::argv(["nslookup", "example.test"]);
    let output = soon(sandbox.exec(looked_up)).await.unwrap();
    assert!(!output.status.success());
    let said = output.stderr_lossy();
    assert!(said.contains("egress policy"), "{said}");
    let counting = async {
        let mut denied = 0;
        while denied < 4 {
            let event = events.next().await.expect("the runtime lives");
            if let RuntimeEvent::EgressDenied { id, count } = event {
                assert_eq!(&id, sandbox.id());
                denied += count;
            }
        }
        denied
    };
    assert_eq!(soon(counting).await, 4);
}

#[tokio::test]
async fn a_scan_of_the_own_ports_finds_what_listens() {
    let runtime = runtime();
    let sandbox = closed(&runtime).await;
    let listener = sandbox.spawn(nc("-l -k -p 443")).await.unwrap();
    drop(dial(&sandbox, 443).await);
    let output = soon(sandbox.exec(nc("-v -z 127.0.0.1 1-1000")))
        .await
        .unwrap();
    let said = output.stderr_lossy();
    let open: Vec<&str> = said
        .lines()
        .filter(|line| line.ends_with(" open"))
        .collect();
    assert_eq!(open.len(), 1, "{said}");
    assert!(open[0].contains(" 443 "), "{said}");
    listener.signal(Signal::KILL).await.unwrap();
}

#[tokio::test]
async fn datagrams_and_echo_requests_stay_inside() {
    let runtime = runtime();
    let sandbox = closed(&runtime).await;
    let line = "nc -u -l -p 53 > /tmp/heard & listener=$!; \
                until grep -q words /tmp/heard; do \
                    echo words | nc -u -w 0.2 127.0.0.1 53 2> /dev/null; \
                done; kill $listener; cat /tmp/heard | head -n 1";
    let output = soon(sandbox.exec(Command::shell(line))).await.unwrap();
    assert_eq!(output.stdout, "words\n", "{}", output.stderr_lossy());
    for host in ["127.0.0.1", "::1", "localhost"] {
        let output = soon(sandbox.exec(Command::argv(["ping", "-c", "1", host])))
            .await
            .unwrap();
        assert!(output.status.success(), "{host}: {}", output.stderr_lossy());
    }
}

#[tokio::test]
async fn output_flows_through_a_listener_that_is_read_slowly() {
    let runtime = runtime();
    let sandbox = closed(&runtime).await;
    sandbox
        .spawn(Command::shell("seq 1 200000 | nc -l -p 80"))
        .await
        .unwrap();
    let mut connection = dial(&sandbox, 80).await;
    connection.close().await.unwrap();
    let (mut all, mut piece) = (Vec::new(), vec![0; 3000]);
    let reading = async {
        loop {
            match connection.read(&mut piece).await.unwrap() {
                0 => break,
                count => all.extend_from_slice(&piece[..count]),
            }
            tokio::task::yield_now().await;
        }
    };
    soon(reading).await;
    let expected: String = (1..=200_000).map(|number| format!("{number}\n")).collect();
    assert!(
        all == expected.as_bytes(),
        "{} bytes of {}",
        all.len(),
        expected.len()
    );
}

#[tokio::test]
async fn destroying_a_sandbox_ends_its_connections() {
    let runtime = runtime();
    let sandbox = closed(&runtime).await;
    let process = sandbox.spawn(nc("-l -p 80 -e cat")).await.unwrap();
    let mut events = process.events().expect("the first call gets the stream");
    let mut connection = dial(&sandbox, 80).await;
    say(&mut connection, b"hello").await;
    hear(&mut connection, b"hello").await;
    sandbox.destroy().await.unwrap();
    let mut rest = Vec::new();
    soon(connection.read_to_end(&mut rest)).await.unwrap();
    soon(async { while events.next().await.is_some() {} }).await;
    let error = sandbox.connect(80).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
