//! API keys, over the API and beside it.

use sandbox_engine::store::{SqliteStore, Synchronous};

use crate::args;
use crate::server::{Said, Server, offline};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_used_listed_and_revoked() {
    let server = Server::start().await;
    let made = server
        .run(["keys", "create", "--name", "ci", "--scope", "read"])
        .await;
    assert!(made.err.contains("shown this once"), "{made:?}");
    let key = made.done().trim().to_owned();
    let with_key = |args: &'static [&'static str]| {
        let mut program = server.program(args);
        program.env("SANDBOX_API_KEY", &key);
        async move { Said::from(program.output().await.unwrap()) }
    };
    with_key(&["ls"]).await.done();
    let line = with_key(&["rm", "x"]).await.failed(1);
    assert!(line.contains("scope"), "{line}");

    let list = server.run(["--json", "keys", "list"]).await.json();
    let ci = list["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["name"] == "ci");
    let id = ci.unwrap()["id"].as_str().unwrap();
    assert!(
        !list.to_string().contains(&key),
        "the key itself is shown once"
    );
    let said = server.run(args!["keys", "revoke", id, "key_none"]).await;
    assert_eq!(said.out, format!("{id}\n"));
    said.failed(1);
    with_key(&["ls"]).await.failed(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_store_need_no_server_and_bear_one_that_runs() {
    let here = tempfile::tempdir().unwrap();
    let dir = here.path().to_str().unwrap();
    let keys = |rest: &[&str]| {
        let args = ["keys", "--data-dir", dir];
        offline(
            args.iter()
                .chain(rest)
                .map(|arg| arg.to_string())
                .collect::<Vec<_>>(),
        )
    };
    let line = keys(&["list"]).await.failed(1);
    assert!(line.starts_with("sandbox: data_dir: "), "{line}");
    assert_eq!(
        std::fs::read_dir(dir).unwrap().count(),
        0,
        "nothing is made"
    );

    // What a server has open.
    let database = here.path().join("sandbox.db");
    let store = SqliteStore::open(&database, Synchronous::Process)
        .await
        .unwrap();
    let line = keys(&["list"]).await.failed(1);
    assert!(line.contains("start the server"), "{line}");
    let owners = sandbox_engine::owners::SqliteOwners::new(&store);
    let owners = sandbox_engine::owners::Owners::new(std::sync::Arc::new(owners));
    let now = std::time::SystemTime::now().into();
    let quotas = sandbox_engine::owners::Quotas::default();
    owners
        .create_organisation("acme", quotas, now)
        .await
        .unwrap();

    let key = keys(&["create", "--scope", "admin"])
        .await
        .done()
        .trim()
        .to_owned();
    assert!(owners.authenticate(&key, now).await.unwrap().is_some());
    let list = keys(&["list"]).await.done();
    let id = list.lines().nth(1).unwrap().split(' ').next().unwrap();
    // The last one too: whoever has the store can make another.
    keys(&["revoke", id]).await.done();
    assert!(owners.authenticate(&key, now).await.unwrap().is_none());
    assert!(keys(&["list"]).await.done().contains("revoked"));
    keys(&["revoke", "key_none"]).await.failed(1);
}
