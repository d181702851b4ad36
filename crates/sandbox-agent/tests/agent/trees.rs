//! Directories: listing and removing.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use sandbox_core::{ErrorKind, ListOptions, SandboxPath};

use crate::harness::{Agent, TempDir, plain};

fn deep(depth: u32) -> ListOptions {
    ListOptions {
        depth,
        ..ListOptions::default()
    }
}

#[tokio::test]
async fn listings_are_sorted_by_path_and_as_deep_as_asked() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    std::fs::create_dir_all(dir.path().join("a/b/c")).unwrap();
    for name in [
        "a-file",
        "a.file",
        "a/z",
        "a/b/y",
        "empty name with \"quotes\"\n",
    ] {
        std::fs::write(dir.path().join(name), "").unwrap();
    }
    symlink("/", dir.path().join("root")).unwrap();
    let names = async |options| {
        let list = client.list(&dir.at(""), options).await.unwrap();
        let root = format!("{}/", dir.path().display());
        let names = list
            .iter()
            .map(|info| info.path.as_str().replace(&root, ""));
        names.collect::<Vec<_>>()
    };
    let top = [
        "a",
        "a-file",
        "a.file",
        "empty name with \"quotes\"\n",
        "root",
    ];
    assert_eq!(names(deep(1)).await, top);
    let all = names(deep(u32::MAX)).await;
    let mut expected = top.to_vec();
    expected.extend(["a/b", "a/b/c", "a/b/y", "a/z"]);
    expected.sort_unstable();
    assert_eq!(all, expected, "a link below is not followed");
    // A link to a directory is, when it is what was asked for.
    symlink("a", dir.path().join("link")).unwrap();
    let list = client.list(&dir.at("link"), deep(1)).await.unwrap();
    assert_eq!(list.len(), 2);
    assert!(list[0].path.as_str().ends_with("/link/b"));
}

#[tokio::test]
async fn names_that_are_not_text_are_shown_and_counted() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    std::fs::write(dir.path().join(OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    std::fs::write(dir.path().join(OsStr::from_bytes(&[0xff; 255])), "").unwrap();
    let list = client.list(&dir.at(""), deep(1)).await.unwrap();
    let names: Vec<_> = list.iter().map(|info| info.path.name().unwrap()).collect();
    assert_eq!(names, ["?".repeat(255).as_str(), "caf\u{fffd}"]);
}

#[tokio::test]
async fn a_listing_over_the_limit_is_refused_and_not_cut() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    for i in 0..3000 {
        std::fs::write(dir.path().join(format!("file-{i:05}")), "").unwrap();
    }
    let list = client.list(&dir.at(""), deep(1)).await.unwrap();
    assert_eq!(list.len(), 3000);
    let options = ListOptions {
        depth: 1,
        limit: 2999,
    };
    let error = client.list(&dir.at(""), options).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::LimitExceeded, Some("limit"))
    );
    for (name, kind) in [
        ("no", ErrorKind::NotFound),
        ("file-00000", ErrorKind::Conflict),
    ] {
        let error = client.list(&dir.at(name), deep(1)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (kind, Some("path")),
            "{name}"
        );
    }
}

#[tokio::test]
async fn removing_takes_what_was_asked_for_and_nothing_else() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    std::fs::create_dir_all(dir.path().join("tree/sub")).unwrap();
    std::fs::create_dir(dir.path().join("kept")).unwrap();
    std::fs::write(dir.path().join("kept/file"), "").unwrap();
    symlink("../kept", dir.path().join("tree/link")).unwrap();
    let remove = async |name: &str, recursive| client.remove(&dir.at(name), recursive).await;
    let error = remove("tree", false).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Conflict, Some("path"))
    );
    remove("tree/link", true).await.unwrap();
    symlink("../kept", dir.path().join("tree/sub/link")).unwrap();
    remove("tree", true).await.unwrap();
    assert!(dir.path().join("kept/file").exists());
    for recursive in [false, true] {
        let error = remove("tree", recursive).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::NotFound, Some("path"))
        );
        let error = client
            .remove(&SandboxPath::root(), recursive)
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::InvalidSpec, Some("path"))
        );
    }
    std::fs::create_dir(dir.path().join("bare")).unwrap();
    remove("bare", false).await.unwrap();
    remove("kept/file", false).await.unwrap();
}

#[tokio::test]
async fn a_tree_far_deeper_than_a_path_can_be_is_listed_and_removed() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    std::fs::create_dir(dir.path().join("t")).unwrap();
    let nested = "import os,sys\nos.chdir(sys.argv[1])\nfor i in range(5000):\n    os.mkdir('e'); os.chdir('e')\n";
    let made = std::process::Command::new("python3")
        .args(["-c", nested, dir.path().join("t").to_str().unwrap()])
        .status();
    assert!(made.unwrap().success());
    let error = client.list(&dir.at("t"), deep(u32::MAX)).await.unwrap_err();
    let found = (error.kind(), error.field());
    assert_eq!(
        found,
        (ErrorKind::LimitExceeded, Some("depth")),
        "no path can say it"
    );
    assert_eq!(
        client.list(&dir.at("t"), deep(100)).await.unwrap().len(),
        100
    );
    client.remove(&dir.at("t"), true).await.unwrap();
    assert!(!dir.path().join("t").exists());
}

#[tokio::test]
async fn a_tree_that_is_being_filled_is_removed_or_refused_but_the_agent_lives() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let line = format!(
        "mkdir -p {0}/t; echo; while :; do mkdir -p {0}/t/a/b 2>/dev/null; echo x > {0}/t/a/b/c; done 2>/dev/null",
        dir.path().display()
    );
    let filler = client
        .spawn(sandbox_core::Command::shell(line))
        .await
        .unwrap();
    for _ in 0..20 {
        // Both are right: it was gone for a moment, or never.
        if let Err(error) = client.remove(&dir.at("t"), true).await {
            let kinds = [ErrorKind::Conflict, ErrorKind::NotFound];
            assert!(kinds.contains(&error.kind()), "{error:?}");
        }
    }
    filler.signal(sandbox_core::Signal::KILL).await.unwrap();
    filler.wait().await.unwrap();
}
