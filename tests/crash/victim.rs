//! The process that is killed: 50 tasks that create, use and destroy sandboxes, and say on standard
//! output what was acknowledged.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sandbox::docker::{DockerConfig, DockerRuntime};
use sandbox::engine::store::{SqliteStore, Synchronous};
use sandbox::engine::{CreateRequest, Engine};
use sandbox::lifecycle::{LifecyclePolicy, Persistent};
use sandbox::{Command, SandboxExt, Source};

/// The environment variable that makes this binary the victim.
pub(crate) const MARK: &str = "SANDBOX_CRASH_VICTIM";
/// How many tasks work at once.
const TASKS: usize = 50;

/// What the victim works on.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    pub(crate) database: PathBuf,
    pub(crate) namespace: String,
    pub(crate) image: String,
}

impl Orders {
    /// The orders in the environment, `DATABASE NAMESPACE IMAGE`.
    pub(crate) fn from_env() -> Option<Self> {
        let text = env::var(MARK).ok()?;
        let mut words = text.split(' ').map(str::to_owned);
        Some(Self {
            database: words.next()?.into(),
            namespace: words.next()?,
            image: words.next()?,
        })
    }

    pub(crate) fn to_env(&self) -> String {
        let Self {
            database,
            namespace,
            image,
        } = self;
        format!("{} {namespace} {image}", database.display())
    }
}

/// An engine over the store and the daemon of `orders`.
pub(crate) async fn engine(orders: &Orders) -> sandbox::Result<Engine> {
    let docker = DockerRuntime::connect(config(orders)).await?;
    let store = store(&orders.database).await?;
    Engine::builder()
        .runtime("docker", docker)
        .store(store)
        .build()
        .await
}

pub(crate) fn config(orders: &Orders) -> DockerConfig {
    let mut config = DockerConfig::default();
    config.namespace = orders.namespace.clone();
    config
}

async fn store(path: &Path) -> sandbox::Result<SqliteStore> {
    SqliteStore::open(path, Synchronous::Process).await
}

pub(crate) fn run(orders: &Orders) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    match runtime.block_on(work(orders)) {
        // Work does not end by itself: a victim that gets here was not killed in time.
        Ok(()) => ExitCode::from(3),
        Err(error) => {
            eprintln!("victim: {}", error.report());
            ExitCode::FAILURE
        }
    }
}

async fn work(orders: &Orders) -> sandbox::Result<()> {
    let engine = engine(orders).await?;
    say("ready");
    let tasks = (0..TASKS).map(|_| {
        let (engine, image) = (engine.clone(), orders.image.clone());
        tokio::spawn(async move {
            for _ in 0..20 {
                if let Err(error) = one(&engine, &image).await {
                    say(&format!("error {}", error.report()));
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        let _ = task.await;
    }
    Ok(())
}

/// One sandbox's life.
async fn one(engine: &Engine, image: &str) -> sandbox::Result<()> {
    let policy = LifecyclePolicy::new(Persistent::new(std::time::Duration::from_secs(3600)))?;
    let request = CreateRequest::from_source(Source::Image(image.to_owned())).lifecycle(policy);
    let created = engine.create(request).await?;
    let id = created.id();
    say(&format!("created {id}"));
    let sandbox = engine.sandbox(id)?;
    for _ in 0..5 {
        sandbox.exec(Command::argv(["true"])).await?;
    }
    say(&format!("destroying {id}"));
    engine.destroy(id).await?;
    say(&format!("destroyed {id}"));
    Ok(())
}

/// One line at once, so that a kill never leaves half of one.
fn say(line: &str) {
    let line = format!("{line}\n");
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(line.as_bytes());
    let _ = out.flush();
}
