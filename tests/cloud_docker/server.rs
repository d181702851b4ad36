//! A server over Docker in this process, with two organisations.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use sandbox::api::{ApiConfig, ServeConfig, router, serve};
use sandbox::docker::{DockerConfig, DockerRuntime, PullPolicy};
use sandbox::engine::owners::{
    MemoryOwners, NewKey, Owners, QuotaAdmission, Quotas, Scope, Scopes,
};
use sandbox::engine::{Engine, SystemClock};
use sandbox::{Source, Template, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::curl::{Answer, Curl};

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Server {
    runtime: tokio::runtime::Runtime,
    docker: DockerConfig,
    engine: Engine,
    shutdown: CancellationToken,
    served: Option<tokio::task::JoinHandle<()>>,
    url: String,
    /// A key of the organisation that the requests are of.
    key: String,
    /// A key of another one.
    pub(crate) foreign_key: String,
    /// Files for curl.
    pub(crate) files: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let mut docker = DockerConfig::default();
        docker.namespace = format!("cloud{}_{count}", std::process::id());
        docker.pull = PullPolicy::Never;
        runtime
            .block_on(Started::new(&docker))
            .into_server(runtime, docker)
    }

    /// A request of the organisation to a path below the server's own address.
    pub(crate) fn curl(&self, method: &str, path: &str) -> Curl {
        self.anonymous(method, path).key(&self.key)
    }

    pub(crate) fn anonymous(&self, method: &str, path: &str) -> Curl {
        Curl::new(method, &format!("{}{path}", self.url))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.curl("GET", path).send()
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.curl("DELETE", path).send()
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.curl("POST", path).json(body).send()
    }

    /// Writes a file for curl to upload.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A file of `size` bytes that are all zero, for curl to upload.
    pub(crate) fn zeros(&self, name: &str, size: u64) -> PathBuf {
        let path = self.files.path().join(name);
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(size).unwrap();
        path
    }

    /// Makes a sandbox from the template `base` with what `more` adds, and answers its path.
    pub(crate) fn create(&self, more: Value) -> String {
        let mut body = json!({"template": "base"});
        let more = more.as_object().cloned().unwrap_or_default();
        body.as_object_mut().unwrap().extend(more);
        let made = self.post("/v1/sandboxes", &body).expect(201).json();
        format!("/v1/sandboxes/{}", made["id"].as_str().unwrap())
    }

    /// A persistent sandbox that is suspended.
    pub(crate) fn create_suspended(&self) -> String {
        let path = self.create(json!({"mode": "persistent", "idle_timeout": "1h"}));
        self.curl("POST", &format!("{path}/suspend"))
            .send()
            .expect(200);
        assert_eq!(self.get(&path).expect(200).json()["status"], "suspended");
        path
    }

    /// What a command printed.
    pub(crate) fn exec(&self, path: &str, command: &str) -> Value {
        let body = json!({"command": command});
        self.post(&format!("{path}/exec"), &body).expect(200).json()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.cancel();
        let served = self.served.take();
        let (engine, docker) = (self.engine.clone(), self.docker.clone());
        self.runtime.block_on(async move {
            if let Some(served) = served {
                let _ = served.await;
            }
            engine.shutdown().await;
            let purged = async { DockerRuntime::open(docker).await?.purge().await };
            if let Err(error) = purged.await {
                eprintln!("something stays behind: {}", error.report());
            }
        });
    }
}

/// What a server is made of, before it is one.
struct Started {
    engine: Engine,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<()>,
    url: String,
    key: String,
    foreign_key: String,
}

impl Started {
    async fn new(docker: &DockerConfig) -> Self {
        let owners = Arc::new(Owners::new(Arc::new(MemoryOwners::default())));
        let clock = Arc::new(SystemClock);
        let admission = QuotaAdmission::new(Arc::clone(&owners), clock);
        let docker = DockerRuntime::connect(docker.clone()).await.unwrap();
        let engine = Engine::builder()
            .runtime("docker", docker)
            .admission(admission)
            .template(template())
            .build()
            .await
            .unwrap();
        let key = key_of(&owners, "us").await;
        let foreign_key = key_of(&owners, "them").await;
        let shutdown = CancellationToken::new();
        let mut config = ApiConfig::default();
        config.shutdown = shutdown.clone();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = router(engine.clone(), owners, config);
        let served = serve(listener, router, ServeConfig::default(), shutdown.clone());
        Self {
            engine,
            served: tokio::spawn(served),
            shutdown,
            url,
            key,
            foreign_key,
        }
    }

    fn into_server(self, runtime: tokio::runtime::Runtime, docker: DockerConfig) -> Server {
        Server {
            runtime,
            docker,
            engine: self.engine,
            shutdown: self.shutdown,
            served: Some(self.served),
            url: self.url,
            key: self.key,
            foreign_key: self.foreign_key,
            files: tempfile::tempdir().unwrap(),
        }
    }
}

fn template() -> Template {
    let image = std::env::var("SANDBOX_TEST_BASE_IMAGE")
        .expect("scripts/test.sh builds the image and names it in SANDBOX_TEST_BASE_IMAGE");
    Template::new("base".parse().unwrap(), Source::Image(image))
}

/// A key, with every scope, of a new organisation.
async fn key_of(owners: &Owners, organisation: &str) -> String {
    let now = Timestamp::from_millis(0);
    let made = owners.create_organisation(organisation, Quotas::default(), now);
    let id = made.await.unwrap().id;
    let new = NewKey {
        scopes: Scopes::up_to(Scope::Admin),
        ..NewKey::default()
    };
    let (key, _) = owners.create_key(&id, new, now).await.unwrap();
    key.expose().to_owned()
}
