//! Clients that never rest, and what they were told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use sandbox_client::Client;
use sandbox_client::types::{CreateSandbox, ExecRequest};
use sandbox_core::{Error, ErrorKind, SandboxId};
use tokio::task::JoinSet;

use crate::server::Server;

const WORKERS: usize = 4;
/// How many commands run in a sandbox before it is destroyed or left.
const COMMANDS: u32 = 5;
/// The file that every command adds its number to.
pub(crate) const LOG: &str = "/tmp/log";
/// The metadata entry with a sandbox's number.
pub(crate) const NUMBER: &str = "number";

/// What is known of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Known {
    /// It was done.
    Acknowledged,
    /// Nobody could say whether it was done.
    Unknown(String),
}

/// What was asked of one sandbox, and answered.
#[derive(Debug, Default, Clone)]
pub(crate) struct Asked {
    /// Its id, if its creation was acknowledged.
    pub(crate) id: Option<SandboxId>,
    /// The commands by number.
    pub(crate) commands: BTreeMap<u32, Known>,
    /// Whether its end was asked for.
    pub(crate) destroyed: Option<Known>,
}

/// All sandboxes that were asked for, by number.
#[derive(Debug, Default, Clone)]
pub(crate) struct Said(pub(crate) BTreeMap<u32, Asked>);

impl Said {
    pub(crate) fn summary(&self) -> String {
        let all = || self.0.values();
        let commands = || all().flat_map(|asked| asked.commands.values());
        let done = |known: &&Known| **known == Known::Acknowledged;
        format!(
            "{} creations ({} acknowledged), {} commands ({} acknowledged), {} destructions",
            self.0.len(),
            all().filter(|asked| asked.id.is_some()).count(),
            commands().count(),
            commands().filter(done).count(),
            all().filter(|asked| asked.destroyed.is_some()).count(),
        )
    }
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    next: AtomicU32,
    said: Mutex<Said>,
}

impl Shared {
    fn note(&self, number: u32, what: impl FnOnce(&mut Asked)) {
        let mut said = self.said.lock().unwrap();
        what(said.0.entry(number).or_default());
    }
}

/// The clients.
pub(crate) struct Load {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
}

impl Load {
    pub(crate) fn begin(server: &Server) -> Self {
        let shared = Arc::new(Shared::default());
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            workers.spawn(work(server.client(), Arc::clone(&shared)));
        }
        Self { shared, workers }
    }

    /// Lets every client finish what it is at.
    pub(crate) async fn end(mut self) -> Said {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended.unwrap();
        }
        self.shared.said.lock().unwrap().clone()
    }
}

async fn work(client: Client, shared: Arc<Shared>) {
    while !shared.stop.load(Ordering::Relaxed) {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        shared.note(number, |_| ());
        let request = CreateSandbox {
            template: Some("base".parse().unwrap()),
            timeout: Some(std::time::Duration::from_secs(3600).into()),
            metadata: [(NUMBER.to_owned(), number.to_string())].into(),
            ..CreateSandbox::default()
        };
        let made = match client.create_sandbox(&request).await {
            Ok(made) => made,
            Err(error) => {
                allowed(&error);
                continue;
            }
        };
        shared.note(number, |asked| asked.id = Some(made.id.clone()));
        use_it(&client, &made.id, number, &shared).await;
    }
}

async fn use_it(client: &Client, id: &SandboxId, number: u32, shared: &Shared) {
    let calls = client.sandbox(id.clone());
    for command in 0..COMMANDS {
        let line = format!("echo {command} >> {LOG}");
        let request = serde_json::json!({"command": line, "timeout": "60s"});
        let request: ExecRequest = serde_json::from_value(request).unwrap();
        let known = match calls.exec(&request).await {
            Ok(result) => {
                assert_eq!(result.status.exit_code, 0, "{result:?}");
                Known::Acknowledged
            }
            Err(error) => unknown(&error),
        };
        shared.note(number, |asked| {
            asked.commands.insert(command, known);
        });
    }
    // Half of them stay, to be looked into.
    if number.is_multiple_of(2) {
        return;
    }
    let known = match calls.destroy().await {
        Ok(()) => Known::Acknowledged,
        Err(error) => unknown(&error),
    };
    shared.note(number, |asked| asked.destroyed = Some(known));
}

fn unknown(error: &Error) -> Known {
    allowed(error);
    Known::Unknown(error.report())
}

/// What a client may be told of a request that a death came between. Anything else would be wrong
/// also without one.
fn allowed(error: &Error) {
    let kinds = [
        ErrorKind::Unavailable,
        ErrorKind::Conflict,
        ErrorKind::Timeout,
    ];
    assert!(kinds.contains(&error.kind()), "{}", error.report());
}
