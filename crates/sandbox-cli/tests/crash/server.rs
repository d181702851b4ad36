//! The program that is killed, and started again over what it left.

use std::fs::File;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sandbox_client::{Client, RetryPolicy};
use sandbox_runtime_docker::{DockerConfig, DockerRuntime, PullPolicy};

/// How long a start over what is left may take.
const PATIENCE: Duration = Duration::from_secs(60);
const KEY: &str = "sbk_0123456789abcdef0123456789abcdef0123456789abcdef";

pub(crate) struct Server {
    dir: tempfile::TempDir,
    namespace: String,
    address: String,
    running: Option<Child>,
}

impl Server {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let namespace = format!("serve{}", std::process::id());
        let image = std::env::var("SANDBOX_TEST_BASE_IMAGE")
            .expect("scripts/test.sh builds the image and names it in SANDBOX_TEST_BASE_IMAGE");
        let config = format!(
            "[docker]\nnamespace = \"{namespace}\"\npull = \"never\"\n\
             [templates.base]\nimage = \"{image}\"\n"
        );
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        // Free now, and nobody else's for as long as this test runs.
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap().to_string();
        Self {
            dir,
            namespace,
            address,
            running: None,
        }
    }

    /// Starts the program and waits until it answers.
    pub(crate) async fn start(&mut self) {
        let log = File::options()
            .append(true)
            .create(true)
            .open(self.dir.path().join("log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
            .args(["serve", "--listen", &self.address])
            .arg("--data-dir")
            .arg(self.dir.path().join("data"))
            .arg("--config")
            .arg(self.dir.path().join("config.toml"))
            .env("SANDBOX_API_KEY", KEY)
            .env_remove("SANDBOX_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let child = self.running.insert(child);
        let began = Instant::now();
        while tokio::net::TcpStream::connect(&self.address).await.is_err() {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.dir.log());
            assert!(began.elapsed() < PATIENCE, "no answer\n{}", self.dir.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it where it stands.
    pub(crate) fn kill(&mut self) {
        let mut child = self.running.take().expect("it runs");
        child.kill().unwrap();
        let status = child.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        assert_eq!(signal, Some(9), "it ended by itself\n{}", self.dir.log());
    }

    pub(crate) fn stop(mut self) {
        self.kill();
    }

    /// A client that tries again until the server is back.
    pub(crate) fn client(&self) -> Client {
        let mut retry = RetryPolicy::default();
        retry.max_retries = 60;
        retry.base_delay = Duration::from_millis(50);
        retry.max_delay = Duration::from_secs(2);
        Client::builder()
            .url(format!("http://{}", self.address))
            .api_key(KEY)
            .retry(retry)
            .build()
            .unwrap()
    }

    pub(crate) fn docker(&self) -> DockerConfig {
        let mut config = DockerConfig::default();
        config.namespace = self.namespace.clone();
        config.pull = PullPolicy::Never;
        config
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let docker = self.docker();
        let purge = async { DockerRuntime::open(docker).await?.purge().await };
        // A thread of its own: this one may be in a runtime already.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                if let Err(error) = runtime.block_on(purge) {
                    eprintln!("something stays behind: {}", error.report());
                }
            });
        });
    }
}

trait Log {
    fn log(&self) -> String;
}

impl Log for tempfile::TempDir {
    /// What the program said, in all its lives.
    fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }
}
