//! Engine, tools and Docker together, as an embedder uses them, on the content of the template
//! `base`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sandbox::docker::{DockerConfig, DockerRuntime};
use sandbox::engine::process::{OutputItem, ProcessOptions, ProcessSelector};
use sandbox::engine::store::{SqliteStore, Synchronous};
use sandbox::engine::tools::{code, diagnostics, git};
use sandbox::engine::{CreateRequest, Engine};
use sandbox::lifecycle::{Ephemeral, LifecyclePolicy, State};
use sandbox::{Command, ErrorKind, SandboxExt, SandboxId, Source};

fn namespace(test: &str) -> String {
    format!("{test}{}", std::process::id())
}

async fn engine(namespace: &str, database: &Path) -> Engine {
    let mut config = DockerConfig::default();
    config.namespace = namespace.to_owned();
    let docker = DockerRuntime::connect(config).await.unwrap();
    let store = SqliteStore::open(database, Synchronous::Process)
        .await
        .unwrap();
    let builder = Engine::builder().runtime("docker", docker).store(store);
    builder.build().await.unwrap()
}

fn request() -> CreateRequest {
    let image = std::env::var("SANDBOX_TEST_BASE_IMAGE")
        .expect("scripts/test.sh builds the image and names it in SANDBOX_TEST_BASE_IMAGE");
    CreateRequest::from_source(Source::Image(image))
}

async fn create(engine: &Engine) -> SandboxId {
    engine.create(request()).await.unwrap().id().clone()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn python_runs_and_a_missing_interpreter_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&namespace("code"), &dir.path().join("db")).await;
    let id = create(&engine).await;
    let sandbox = engine.sandbox(&id).unwrap();

    let request = code::CodeRequest::new(code::Language::Python, "print(sum(range(10)))");
    let output = code::run_code(&*sandbox, &request).await.unwrap();
    assert_eq!(output.stdout_lossy(), "45\n");

    let request = code::CodeRequest::new(code::Language::Ruby, "puts 1");
    let error = code::run_code(&*sandbox, &request).await.unwrap_err();
    assert!(error.to_string().to_lowercase().contains("ruby"), "{error}");
    engine.destroy(&id).await.unwrap();
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn git_clones_and_commits_inside() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&namespace("git"), &dir.path().join("db")).await;
    let id = create(&engine).await;
    let sandbox = engine.sandbox(&id).unwrap();
    let origin = "git init -q -b main /tmp/origin && cd /tmp/origin && echo hi > file && \
        git add file && git -c user.name=a -c user.email=a@example.org commit -qm first";
    let made = sandbox.exec(Command::shell(origin)).await.unwrap();
    assert!(made.status.success(), "{}", made.stderr_lossy());

    let tool = git::Git {
        protocols: git::Protocols {
            file: true,
            ..git::Protocols::default()
        },
        ..git::Git::default()
    };
    let path: sandbox::SandboxPath = "/tmp/clone".parse().unwrap();
    let clone = git::CloneRequest::new("file:///tmp/origin", path.clone());
    tool.clone_repository(&*sandbox, &clone).await.unwrap();
    let text = sandbox.read_to_string(&path.join("file").unwrap()).await;
    assert_eq!(text.unwrap(), "hi\n");
    assert!(
        tool.status(&*sandbox, &path)
            .await
            .unwrap()
            .files
            .is_empty()
    );
    engine.destroy(&id).await.unwrap();
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn diagnostics_find_a_healthy_sandbox_healthy() {
    let dir = tempfile::tempdir().unwrap();
    let engine = engine(&namespace("diag"), &dir.path().join("db")).await;
    let id = create(&engine).await;
    let sandbox = engine.sandbox(&id).unwrap();
    let options = diagnostics::DiagnoseOptions::default();
    let report = diagnostics::diagnose(&*sandbox, &options).await;
    assert!(report.is_healthy(), "{report:?}");
    engine.destroy(&id).await.unwrap();
    engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn a_process_and_its_output_survive_a_restart_of_the_engine() {
    let dir = tempfile::tempdir().unwrap();
    let (name, database) = (namespace("again"), dir.path().join("db"));
    let first = engine(&name, &database).await;
    let id = create(&first).await;
    let command = Command::shell("until [ -e /tmp/go ]; do sleep 0.05; done; echo after");
    let options = ProcessOptions::default().tag("survivor");
    let started = first.start_process(&id, command, options).await.unwrap();
    let pid = started.pid();
    drop(started);
    first.shutdown().await;
    drop(first);

    let second = engine(&name, &database).await;
    assert_eq!(second.get(&id).await.unwrap().state(), State::Running);
    let selector = ProcessSelector::Tag("survivor".into());
    let process = second.process(&id, &selector).unwrap();
    assert_eq!(process.pid(), pid);
    let go: sandbox::SandboxPath = "/tmp/go".parse().unwrap();
    let sandbox = second.sandbox(&id).unwrap();
    sandbox.write_all(&go, "".into()).await.unwrap();
    let mut said = Vec::new();
    let mut reader = process.read(0);
    while let Some(item) = reader.next().await {
        match item {
            OutputItem::Output(chunk) => said.extend_from_slice(&chunk.data),
            // The numbers that the first engine may have given out.
            OutputItem::Gap { .. } => assert!(said.is_empty(), "nothing is lost in between"),
            OutputItem::Exited { status, .. } => {
                assert!(status.success());
                break;
            }
        }
    }
    assert_eq!(said, b"after\n");
    second.destroy(&id).await.unwrap();
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Docker daemon"]
async fn a_time_to_live_ends_the_sandbox_and_frees_its_containers() {
    let dir = tempfile::tempdir().unwrap();
    let name = namespace("ttl");
    let engine = engine(&name, &dir.path().join("db")).await;
    let policy = LifecyclePolicy::new(Ephemeral::new(Duration::from_secs(2))).unwrap();
    let id = engine
        .create(request().lifecycle(policy))
        .await
        .unwrap()
        .id()
        .clone();

    let gone = async {
        while engine.get(&id).await.unwrap().state() != State::Destroyed {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone)
        .await
        .expect("it ends");
    let used = engine.sandbox(&id).map(drop).unwrap_err();
    assert_eq!(used.kind(), ErrorKind::NotFound);
    engine.shutdown().await;

    let mut config = DockerConfig::default();
    config.namespace = name;
    let docker: Arc<dyn sandbox::Runtime> = DockerRuntime::connect(config).await.unwrap();
    assert!(docker.recover().await.unwrap().is_empty());
}
