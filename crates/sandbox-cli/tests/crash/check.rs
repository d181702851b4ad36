//! What must hold in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use sandbox_client::Client;
use sandbox_client::types::{ListSandboxes, Sandbox, SandboxStatus};
use sandbox_core::{ReadOptions, Runtime, SandboxId};
use sandbox_runtime_docker::DockerRuntime;

use crate::load::{Asked, Known, LOG, NUMBER, Said};
use crate::server::Server;

/// How long the server may take until nothing is on its way any more.
const REST: Duration = Duration::from_secs(120);

pub(crate) async fn everything(server: &Server, said: &Said) {
    let acknowledged = said.0.values().filter(|asked| asked.id.is_some());
    assert!(acknowledged.count() > 0, "nothing was ever done");
    let client = server.client();
    at_rest(&client).await;
    let sandboxes = by_number(&client).await;
    for (number, asked) in &said.0 {
        let made = sandboxes.get(number).map_or(&[][..], Vec::as_slice);
        one_creation(*number, asked, made);
        if let [sandbox] = made
            && sandbox.status == SandboxStatus::Running
        {
            commands_ran_once(&client, &sandbox.id, asked).await;
        }
    }
    let running: BTreeSet<SandboxId> = sandboxes
        .values()
        .flatten()
        .filter(|one| one.status == SandboxStatus::Running)
        .map(|one| one.id.clone())
        .collect();
    let docker = DockerRuntime::connect(server.docker()).await.unwrap();
    assert_eq!(existing(&*docker).await, running, "Docker and the server");
    for id in running {
        client.sandbox(id).destroy().await.unwrap();
    }
    assert_eq!(existing(&*docker).await, BTreeSet::new(), "left behind");
}

async fn existing(docker: &dyn Runtime) -> BTreeSet<SandboxId> {
    let found = docker.recover().await.unwrap();
    found.into_iter().map(|one| one.id).collect()
}

/// Waits until no sandbox is being made, failed without having been cleaned up, or destroyed.
async fn at_rest(client: &Client) {
    let began = Instant::now();
    loop {
        let creating = list(client, SandboxStatus::Creating).await;
        if creating.is_empty() {
            return;
        }
        assert!(began.elapsed() < REST, "still being made: {creating:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn list(client: &Client, status: SandboxStatus) -> Vec<Sandbox> {
    let mut query = ListSandboxes {
        status: Some(status),
        ..ListSandboxes::default()
    };
    let mut all = Vec::new();
    loop {
        let page = client.list_sandboxes(&query).await.unwrap();
        all.extend(page.sandboxes);
        match page.next_cursor {
            Some(next) => query.cursor = Some(next),
            None => return all,
        }
    }
}

/// Every sandbox there is or was, by the number its creation had.
async fn by_number(client: &Client) -> BTreeMap<u32, Vec<Sandbox>> {
    let mut found: BTreeMap<u32, Vec<Sandbox>> = BTreeMap::new();
    for status in SandboxStatus::ALL {
        for sandbox in list(client, status).await {
            let number = sandbox.metadata[NUMBER].parse().unwrap();
            found.entry(number).or_default().push(sandbox);
        }
    }
    found
}

fn one_creation(number: u32, asked: &Asked, made: &[Sandbox]) {
    // One that a death interrupted was never anybody's: it says that it failed, and holds nothing.
    let lives: Vec<_> = made.iter().filter(|one| one.failure.is_none()).collect();
    assert!(
        lives.len() <= 1,
        "creation {number} had {} effects: {made:?}",
        lives.len()
    );
    let Some(id) = &asked.id else {
        return;
    };
    let [one] = lives[..] else {
        panic!("creation {number} was acknowledged and left {made:?}");
    };
    assert_eq!(one.id, *id);
    match &asked.destroyed {
        None => assert_eq!(one.status, SandboxStatus::Running, "{one:?}"),
        Some(Known::Acknowledged) => assert_eq!(one.status, SandboxStatus::Destroyed, "{one:?}"),
        Some(Known::Unknown(_)) => {}
    }
}

async fn commands_ran_once(client: &Client, id: &SandboxId, asked: &Asked) {
    let log = read(client, id).await;
    for (command, known) in &asked.commands {
        let times = log
            .lines()
            .filter(|line| *line == command.to_string())
            .count();
        match known {
            Known::Acknowledged => assert_eq!(times, 1, "command {command} of {id}: {log:?}"),
            Known::Unknown(why) => {
                assert!(times <= 1, "command {command} of {id} ({why}): {log:?}");
            }
        }
    }
}

async fn read(client: &Client, id: &SandboxId) -> String {
    use futures_util::TryStreamExt;
    let path = LOG.parse().unwrap();
    let calls = client.sandbox(id.clone());
    match calls.read_file(&path, ReadOptions::default()).await {
        Ok(download) => {
            let chunks: Vec<bytes::Bytes> = download.body.try_collect().await.unwrap();
            String::from_utf8(chunks.concat()).unwrap()
        }
        Err(error) if error.field() == Some("path") => String::new(),
        Err(error) => panic!("{}", error.report()),
    }
}
