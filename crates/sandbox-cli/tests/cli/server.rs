//! A server in this process, and the program outside of it.

use std::ffi::OsStr;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::SystemTime;

use sandbox_api::{ApiConfig, ServeConfig};
use sandbox_engine::owners::{MemoryOwners, NewKey, Owners, QuotaAdmission, Quotas, Scope, Scopes};
use sandbox_engine::templates::Templates;
use sandbox_engine::{Engine, SystemClock};
use sandbox_testkit::{FAKE_IMAGE, FakeRuntime};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_util::sync::{CancellationToken, DropGuard};

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_sandbox");

/// A server over a runtime in memory, on a port of its own.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) runtime: FakeRuntime,
    _stop: DropGuard,
}

/// What the program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("no signal ended the program"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    /// What it said, of a command that was carried out.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// The one line of its error, of a command that ended with `code`.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        let lines: Vec<&str> = self.err.lines().collect();
        assert_eq!(lines.len(), 1, "{self:?}");
        assert!(lines[0].starts_with("sandbox: "), "{self:?}");
        lines[0].to_owned()
    }

    /// What it said as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.done();
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }
}

/// The program without an environment but a home of its own.
pub(crate) fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Runs the program without a server.
pub(crate) async fn offline<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Said {
    program().args(args).output().await.unwrap().into()
}

impl Server {
    pub(crate) async fn start() -> Self {
        let now = SystemTime::now().into();
        let owners = Arc::new(Owners::new(Arc::new(MemoryOwners::default())));
        let made = owners.create_organisation("acme", Quotas::default(), now);
        let organisation = made.await.unwrap().id;
        let new = NewKey {
            scopes: Scopes::up_to(Scope::Admin),
            ..NewKey::default()
        };
        let (key, _) = owners.create_key(&organisation, new, now).await.unwrap();
        let runtime = FakeRuntime::new();
        let engine = Engine::builder()
            .runtime("fake", Arc::new(runtime.clone()))
            .templates(Templates::builtin().unwrap())
            .admission(QuotaAdmission::new(
                Arc::clone(&owners),
                Arc::new(SystemClock),
            ))
            .build()
            .await
            .unwrap();
        let stop = CancellationToken::new();
        let mut config = ApiConfig::default();
        config.shutdown = stop.clone();
        let router = sandbox_api::router(engine, owners, config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let connections = ServeConfig::default();
        tokio::spawn(sandbox_api::serve(
            listener,
            router,
            connections,
            stop.clone(),
        ));
        Self {
            url,
            key: key.expose().to_owned(),
            runtime,
            _stop: stop.drop_guard(),
        }
    }

    /// The program, told where the server is.
    pub(crate) fn program<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = program();
        command
            .env("SANDBOX_URL", &self.url)
            .env("SANDBOX_API_KEY", &self.key)
            .args(args);
        command
    }

    /// Runs the program.
    pub(crate) async fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Said {
        self.program(args).output().await.unwrap().into()
    }

    /// Runs the program with `input` piped in.
    pub(crate) async fn run_with<S: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Said {
        let mut command = self.program(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        let feed = tokio::spawn(async move {
            // A program that does not read all of it is no mistake of the test.
            let _ = stdin.write_all(&input).await;
        });
        let output = child.wait_with_output().await.unwrap();
        feed.abort();
        output.into()
    }

    /// Makes a sandbox, and answers its id.
    pub(crate) async fn sandbox(&self) -> String {
        let made = self.run(["create", "--image", FAKE_IMAGE]).await.done();
        made.trim().to_owned()
    }
}

/// The arguments, from text and ids.
#[macro_export]
macro_rules! args {
    ($($arg:expr),* $(,)?) => { [$(String::from($arg)),*] };
}
