//! What the suite does not hold a remote runtime to: broken connections, other people's sandboxes.

#[path = "support/proxy.rs"]
mod proxy;
#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use sandbox_client::types::{CreateSandbox, ListSandboxes};
use sandbox_client::{Client, REMOTE_METADATA, RemoteConfig, RemoteRuntime};
use sandbox_core::{
    BoxStream, Command, ErrorKind, ExitStatus, ProcessEvent, Result, Runtime, RuntimeEvent,
    Sandbox, SandboxExt, SandboxId, SandboxSpec, Source,
};
use sandbox_testkit::{FAKE_IMAGE, FakeDaemon};

use proxy::Proxy;
use support::Server;

/// Long enough on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    server: Server,
    proxy: Proxy,
    runtime: Arc<dyn Runtime>,
    sandboxes: std::sync::atomic::AtomicU8,
}

impl World {
    async fn new() -> Self {
        Self::with(RemoteConfig::default()).await
    }

    async fn with(config: RemoteConfig) -> Self {
        let daemon = FakeDaemon::new();
        let server = Server::over("fake", Arc::new(daemon.connect())).await;
        let proxy = Proxy::new(&server.url).await;
        let client = Client::builder().url(&proxy.url).api_key(&server.key);
        let runtime = RemoteRuntime::connect(client.build().unwrap(), config).await;
        Self {
            runtime: runtime.unwrap(),
            server,
            proxy,
            sandboxes: 0.into(),
        }
    }

    fn spec(&self) -> SandboxSpec {
        let number = self
            .sandboxes
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let id = SandboxId::from_random([number; 16]);
        SandboxSpec::builder(id, Source::Image(FAKE_IMAGE.into()))
            .build()
            .unwrap()
    }

    async fn sandbox(&self) -> Arc<dyn Sandbox> {
        self.runtime.create(&self.spec()).await.unwrap()
    }
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} did not happen"))
}

/// Everything that a process wrote, and how it ended.
async fn to_the_end(mut events: BoxStream<Result<ProcessEvent>>) -> (Vec<u8>, Option<ExitStatus>) {
    let (mut written, mut end) = (Vec::new(), None);
    while let Some(event) = soon("the next event", events.next()).await {
        match event.unwrap() {
            ProcessEvent::Output(_, data) => written.extend_from_slice(&data),
            ProcessEvent::Exited(status) => end = Some(status),
        }
    }
    (written, end)
}

fn numbers(last: u32) -> Vec<u8> {
    let lines: String = (1..=last).map(|number| format!("{number}\n")).collect();
    lines.into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn output_is_whole_and_told_once_however_often_the_connection_breaks() {
    let world = World::new().await;
    let sandbox = world.sandbox().await;
    let line = "for i in 1 2 3 4 5 6; do seq 1 20000; sleep 0.2; done; exit 7";
    let process = sandbox.spawn(Command::shell(line)).await.unwrap();
    let mut events = process.events().unwrap();
    let mut written = Vec::new();
    let mut end = None;
    let mut cuts = 0;
    while let Some(event) = soon("the next event", events.next()).await {
        match event.unwrap() {
            ProcessEvent::Output(_, data) => written.extend_from_slice(&data),
            ProcessEvent::Exited(status) => end = Some(status),
        }
        let round = numbers(20_000).len();
        if cuts < 5 && written.len() / round > cuts {
            cuts += 1;
            world.proxy.cut();
        }
    }
    assert_eq!(cuts, 5, "it was cut in the middle");
    assert!(
        written == numbers(20_000).repeat(6),
        "{} bytes",
        written.len()
    );
    assert_eq!(end, Some(ExitStatus::from_code(7)));
    assert_eq!(process.wait().await.unwrap(), ExitStatus::from_code(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_read_holds_the_process_up_and_loses_nothing() {
    let world = World::new().await;
    let sandbox = world.sandbox().await;
    // Far more than the server keeps, and all the buffers on the way.
    let line = "seq 1 3000000; echo done > /tmp/done";
    let process = sandbox.spawn(Command::shell(line)).await.unwrap();
    let events = process.events().unwrap();
    let done = "/tmp/done".parse().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        !sandbox.exists(&done).await.unwrap(),
        "it waits for its reader"
    );
    let (written, end) = to_the_end(events).await;
    assert!(written == numbers(3_000_000), "{} bytes", written.len());
    assert!(end.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn input_goes_on_over_a_new_connection() {
    let world = World::new().await;
    let sandbox = world.sandbox().await;
    let line = "while read line; do echo \"<$line>\"; done; echo end";
    let process = sandbox
        .spawn(Command::shell(line).piped_stdin())
        .await
        .unwrap();
    let mut events = process.events().unwrap();
    let mut next = async || match soon("an answer", events.next()).await {
        Some(Ok(ProcessEvent::Output(_, data))) => data,
        other => panic!("{other:?}"),
    };
    process.write_stdin("one\n".into()).await.unwrap();
    assert_eq!(next().await, "<one>\n");
    let before = world.proxy.accepted();
    world.proxy.cut();
    // While the connection is made again, input is refused and not thrown away.
    let again = async {
        loop {
            match process.write_stdin("two\n".into()).await {
                Ok(()) if world.proxy.accepted() > before => break,
                Ok(()) => {}
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the input is taken again", again).await;
    assert!(next().await.starts_with(b"<two>\n"));
    process.close_stdin().await.unwrap();
    assert!(soon("its end", process.wait()).await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_server_that_stays_away_is_told() {
    let mut config = RemoteConfig::default();
    config.reconnect_patience = Duration::from_millis(500);
    let world = World::with(config).await;
    let sandbox = world.sandbox().await;
    let process = sandbox.spawn(Command::shell("sleep 600")).await.unwrap();
    let mut events = process.events().unwrap();
    world.proxy.close(true);
    let error = soon("the wait ends", process.wait()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = soon("the events end", events.next())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(soon("the events end", events.next()).await.is_none());
    world.proxy.close(false);
    // It goes on, and can be taken up again.
    let again = sandbox.attach(process.pid()).await.unwrap();
    again.signal(sandbox_core::Signal::KILL).await.unwrap();
    soon("its end", again.wait()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_and_so_is_that_nothing_can_be_heard() {
    let world = World::new().await;
    let sandbox = world.sandbox().await;
    let mut events = world.runtime.events();
    // Somebody else destroys it.
    let other = world.server.client().sandbox(sandbox.id().clone());
    other.destroy().await.unwrap();
    let event = soon("its end", events.next()).await.unwrap();
    assert_eq!(event, RuntimeEvent::Exited(sandbox.id().clone()));
    world.proxy.close(true);
    let event = soon("the loss", events.next()).await.unwrap();
    assert_eq!(event, RuntimeEvent::BackendLost);
    // What happens meanwhile is told afterwards.
    let spec = world.spec();
    let direct = world.server.runtime().await;
    let made = direct.create(&spec).await.unwrap();
    world
        .server
        .client()
        .sandbox(spec.id().clone())
        .destroy()
        .await
        .unwrap();
    world.proxy.close(false);
    let event = soon("the way back", events.next()).await.unwrap();
    assert_eq!(event, RuntimeEvent::BackendBack);
    let event = soon("what was missed", events.next()).await.unwrap();
    assert_eq!(event, RuntimeEvent::Exited(made.id().clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_destroyed_from_here_is_no_news() {
    let world = World::new().await;
    let (one, two) = (world.sandbox().await, world.sandbox().await);
    let mut events = world.runtime.events();
    one.destroy().await.unwrap();
    let other = world.server.client().sandbox(two.id().clone());
    other.destroy().await.unwrap();
    let event = soon("the end of the other", events.next()).await.unwrap();
    assert_eq!(event, RuntimeEvent::Exited(two.id().clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn sandboxes_of_the_apis_other_users_are_not_found() {
    let world = World::new().await;
    let client = world.server.client();
    let request = CreateSandbox::from_source(Source::Image(FAKE_IMAGE.into()));
    client.create_sandbox(&request).await.unwrap();
    let ours = world.sandbox().await;
    let found = world.runtime.recover().await.unwrap();
    let found: Vec<_> = found.iter().map(|one| one.id.clone()).collect();
    assert_eq!(found, [ours.id().clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_sandboxes_than_one_answer_lists_are_all_found() {
    let world = World::new().await;
    let count = 230;
    let specs: Vec<_> = (0..count)
        .map(|number: u32| {
            let mut random = [9; 16];
            random[..4].copy_from_slice(&number.to_be_bytes());
            let id = SandboxId::from_random(random);
            let spec = SandboxSpec::builder(id, Source::Image(FAKE_IMAGE.into()));
            spec.env("NUMBER", number.to_string()).build().unwrap()
        })
        .collect();
    for spec in &specs {
        world.runtime.create(spec).await.unwrap();
    }
    let mut found = world.runtime.recover().await.unwrap();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    let found: Vec<_> = found.iter().map(|one| one.sandbox.spec().clone()).collect();
    assert_eq!(found, specs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_fails_leaves_nothing_and_takes_nothing_of_others() {
    let world = World::new().await;
    let sandbox = world.sandbox().await;
    let client = world.server.client();
    // With the id of one that lives, and an image that does not exist.
    let missing = sandbox
        .spec()
        .to_builder()
        .source(Source::Image("missing:none".into()));
    let error = world
        .runtime
        .create(&missing.build().unwrap())
        .await
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound),
        "{error}"
    );
    assert!(sandbox.stats().await.is_ok(), "the one that lives lives on");
    let spec = world
        .spec()
        .to_builder()
        .source(Source::Image("missing:none".into()));
    let error = world
        .runtime
        .create(&spec.build().unwrap())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("image"))
    );
    let listed = client
        .list_sandboxes(&ListSandboxes::default())
        .await
        .unwrap();
    let listed: Vec<_> = listed.sandboxes.iter().map(|one| one.id.clone()).collect();
    assert_eq!(listed, [sandbox.id().clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_somebody_else_wrote_neither_breaks_nor_claims_anything() {
    let world = World::new().await;
    let client = world.server.client();
    let mut request = CreateSandbox::from_source(Source::Image(FAKE_IMAGE.into()));
    let note = ("nonsense".to_owned(), REMOTE_METADATA.to_owned());
    request.metadata.insert(note.1, note.0);
    client.create_sandbox(&request).await.unwrap();
    let ours = world.sandbox().await;
    let found = world.runtime.recover().await.unwrap();
    let found: Vec<_> = found.iter().map(|one| one.id.clone()).collect();
    assert_eq!(found, [ours.id().clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_the_runtime_is_refused() {
    let world = World::new().await;
    let mut config = RemoteConfig::default();
    config.runtime = Some("other".parse().unwrap());
    let connected = RemoteRuntime::connect(world.server.client(), config).await;
    let error = connected.err().unwrap();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("runtime"))
    );
}
