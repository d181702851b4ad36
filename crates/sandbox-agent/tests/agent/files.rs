//! Files, one at a time.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sandbox_agent::{AgentClient, Defaults};
use sandbox_core::{
    ByteStream, Error, ErrorKind, FileKind, MakeDirOptions, ReadOptions, SandboxPath, WriteOptions,
    byte_stream,
};

use crate::harness::{Agent, TempDir, plain};

async fn read(client: &AgentClient, path: &SandboxPath, options: ReadOptions) -> Vec<u8> {
    let mut content = client.read(path, options).await.unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = content.body.next().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    all
}

async fn write(client: &AgentClient, path: &SandboxPath, text: &'static str) {
    let body = byte_stream(text.as_bytes());
    client
        .write(path, body, WriteOptions::default())
        .await
        .unwrap();
}

fn refused<T: std::fmt::Debug>(result: sandbox_core::Result<T>) -> (ErrorKind, Option<String>) {
    let error = result.unwrap_err();
    (error.kind(), error.field().map(str::to_owned))
}

fn of(kind: ErrorKind, field: &str) -> (ErrorKind, Option<String>) {
    (kind, Some(field.to_owned()))
}

#[tokio::test]
async fn what_was_written_is_read_back_whole_and_in_parts() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let data: Vec<u8> = (0..3_000_000u32).map(|i| (i % 253) as u8).collect();
    let path = dir.at("a/b/c.bin");
    let chunks: Vec<_> = data
        .chunks(100_001)
        .map(Bytes::copy_from_slice)
        .map(Ok)
        .collect();
    let body: ByteStream = Box::pin(stream::iter(chunks));
    let info = client
        .write(&path, body, WriteOptions::default())
        .await
        .unwrap();
    assert_eq!(
        (info.size, info.mode, info.kind),
        (3_000_000, 0o644, FileKind::File)
    );
    assert_eq!(info, client.stat(&path).await.unwrap());
    assert!(read(&client, &path, ReadOptions::default()).await == data);
    let part = |offset, length| ReadOptions { offset, length };
    assert!(read(&client, &path, part(2_999_990, None)).await == data[2_999_990..]);
    assert!(read(&client, &path, part(5, Some(7))).await == data[5..12]);
    for beyond in [3_000_000, u64::MAX] {
        assert_eq!(
            read(&client, &path, part(beyond, Some(u64::MAX))).await,
            b""
        );
    }
    assert_eq!(
        std::fs::metadata(dir.path().join("a")).unwrap().mode() & 0o7777,
        0o755
    );
}

#[tokio::test]
async fn an_empty_file_is_written_and_read() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    write(&client, &dir.at("empty"), "").await;
    assert_eq!(
        read(&client, &dir.at("empty"), ReadOptions::default()).await,
        b""
    );
}

#[tokio::test]
async fn an_existing_file_keeps_its_mode_and_a_link_is_followed() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let real = dir.path().join("real");
    std::fs::write(&real, "old").unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o751)).unwrap();
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    symlink("../real", dir.path().join("sub/link")).unwrap();
    write(&client, &dir.at("sub/link"), "new").await;
    assert_eq!(std::fs::read(&real).unwrap(), b"new");
    assert_eq!(std::fs::metadata(&real).unwrap().mode() & 0o7777, 0o751);
    assert!(
        std::fs::symlink_metadata(dir.path().join("sub/link"))
            .unwrap()
            .is_symlink()
    );
    // A link to nothing leads to where the file will be.
    symlink("made", dir.path().join("dangling")).unwrap();
    write(&client, &dir.at("dangling"), "x").await;
    assert_eq!(std::fs::read(dir.path().join("made")).unwrap(), b"x");
}

#[tokio::test]
async fn readers_see_the_old_content_or_the_new() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let path = dir.at("f");
    write(&client, &path, "old").await;
    let reader = dir.path().join("f");
    let body: ByteStream = Box::pin(stream::iter(0..3).then(move |i| {
        let reader = reader.clone();
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            assert_eq!(std::fs::read(&reader).unwrap(), b"old", "after {i} chunks");
            Ok(Bytes::from_static(b"new"))
        }
    }));
    client
        .write(&path, body, WriteOptions::default())
        .await
        .unwrap();
    assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), b"newnewnew");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_body_that_fails_changes_nothing() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let path = dir.at("f");
    write(&client, &path, "old").await;
    let failure = Error::new(ErrorKind::Timeout, "test.body", "too slow");
    let body: ByteStream = Box::pin(stream::iter([Ok(Bytes::from_static(b"x")), Err(failure)]));
    let error = client
        .write(&path, body, WriteOptions::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    client.ping().await.unwrap();
    assert_eq!(std::fs::read(dir.path().join("f")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn what_cannot_be_written_says_why() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    std::fs::write(dir.path().join("file"), "").unwrap();
    std::fs::create_dir(dir.path().join("dir")).unwrap();
    symlink("loop", dir.path().join("loop")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(dir.path().join("fifo"))
        .status();
    assert!(fifo.unwrap().success());
    let write = async |name: &str, options: WriteOptions| {
        // Long enough to be under way when the refusal comes.
        let body = byte_stream(vec![1; 1_000_000]);
        refused(client.write(&dir.at(name), body, options).await)
    };
    let no_parents = WriteOptions {
        create_parents: false,
        ..WriteOptions::default()
    };
    let stranger = WriteOptions {
        user: Some("no-such-user".parse().unwrap()),
        ..WriteOptions::default()
    };
    let default = WriteOptions::default;
    assert_eq!(
        write("dir", default()).await,
        of(ErrorKind::Conflict, "path")
    );
    assert_eq!(
        write("fifo", default()).await,
        of(ErrorKind::Conflict, "path")
    );
    assert_eq!(
        write("file/x", default()).await,
        of(ErrorKind::Conflict, "path")
    );
    assert_eq!(
        write("loop", default()).await,
        of(ErrorKind::NotFound, "path")
    );
    assert_eq!(
        write("no/x", no_parents).await,
        of(ErrorKind::NotFound, "path")
    );
    assert_eq!(write("x", stranger).await, of(ErrorKind::NotFound, "user"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4);
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let fifo = std::process::Command::new("mkfifo")
        .arg(dir.path().join("fifo"))
        .status();
    assert!(fifo.unwrap().success());
    std::fs::write(dir.path().join("file"), "").unwrap();
    for (name, kind) in [
        ("missing", ErrorKind::NotFound),
        ("file/below", ErrorKind::NotFound),
        ("fifo", ErrorKind::Conflict),
        (".", ErrorKind::Conflict),
    ] {
        let result = client.read(&dir.at(name), ReadOptions::default()).await;
        assert_eq!(refused(result), of(kind, "path"), "{name}");
    }
    for name in ["missing", "file/below"] {
        let result = client.stat(&dir.at(name)).await;
        assert_eq!(refused(result), of(ErrorKind::NotFound, "path"), "{name}");
    }
}

#[tokio::test]
async fn links_are_described_with_their_end() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    std::fs::create_dir(dir.path().join("d")).unwrap();
    symlink("d", dir.path().join("one")).unwrap();
    symlink("one", dir.path().join("two")).unwrap();
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    let info = client.stat(&dir.at("two")).await.unwrap();
    assert_eq!(info.kind, FileKind::Symlink);
    let link = info.link.unwrap();
    assert_eq!(link.text, "one");
    let target = link.target.unwrap();
    assert_eq!(target.kind, FileKind::Directory);
    assert!(target.path.as_str().ends_with("/d"), "{}", target.path);
    let dangling = client
        .stat(&dir.at("dangling"))
        .await
        .unwrap()
        .link
        .unwrap();
    assert_eq!((dangling.text.as_str(), dangling.target), ("nowhere", None));
}

#[tokio::test]
async fn directories_are_made_once() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let options = MakeDirOptions {
        mode: Some(0o2770),
        ..MakeDirOptions::default()
    };
    assert!(
        client
            .make_dir(&dir.at("a/b"), options.clone())
            .await
            .unwrap()
    );
    assert!(!client.make_dir(&dir.at("a/b"), options).await.unwrap());
    let made = std::fs::metadata(dir.path().join("a/b")).unwrap();
    assert_eq!(made.mode() & 0o7777, 0o2770);
    std::fs::write(dir.path().join("file"), "").unwrap();
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    for name in ["file", "file/x", "dangling", "dangling/x"] {
        let result = client
            .make_dir(&dir.at(name), MakeDirOptions::default())
            .await;
        assert_eq!(refused(result), of(ErrorKind::Conflict, "path"), "{name}");
    }
    let alone = MakeDirOptions {
        create_parents: false,
        ..MakeDirOptions::default()
    };
    let result = client.make_dir(&dir.at("no/x"), alone).await;
    assert_eq!(refused(result), of(ErrorKind::NotFound, "path"));
    assert!(
        !client
            .make_dir(&SandboxPath::root(), MakeDirOptions::default())
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn moving_says_which_side_is_wrong() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    for name in ["d", "e/full"] {
        std::fs::create_dir_all(dir.path().join(name)).unwrap();
    }
    for name in ["f", "g"] {
        std::fs::write(dir.path().join(name), name).unwrap();
    }
    let rename = async |from: &str, to: &str| client.rename(&dir.at(from), &dir.at(to)).await;
    assert_eq!(
        refused(rename("no", "x").await),
        of(ErrorKind::NotFound, "from")
    );
    assert_eq!(
        refused(rename("f/no", "x").await),
        of(ErrorKind::NotFound, "from")
    );
    assert_eq!(
        refused(rename("f", "no/x").await),
        of(ErrorKind::NotFound, "to")
    );
    assert_eq!(
        refused(rename("f", "d").await),
        of(ErrorKind::Conflict, "to")
    );
    assert_eq!(
        refused(rename("d", "f").await),
        of(ErrorKind::Conflict, "to")
    );
    assert_eq!(
        refused(rename("d", "e").await),
        of(ErrorKind::Conflict, "to")
    );
    assert_eq!(
        refused(rename("e", "e/full/x").await),
        of(ErrorKind::Conflict, "to")
    );
    rename("f", "g").await.unwrap();
    assert_eq!(std::fs::read(dir.path().join("g")).unwrap(), b"f");
    rename("e", "d").await.unwrap();
    assert!(dir.path().join("d/full").is_dir());
}

#[tokio::test]
#[ignore = "needs root: gives files to other users"]
async fn owners_are_set_kept_and_filled_in() {
    let dir = TempDir::new();
    let agent = Agent::start(&mut plain());
    let client = agent.client().await;
    let ids = |name: &str| {
        let metadata = std::fs::metadata(dir.path().join(name)).unwrap();
        (metadata.uid(), metadata.gid())
    };
    let options = WriteOptions {
        user: Some("1234:4321".parse().unwrap()),
        ..WriteOptions::default()
    };
    let info = client
        .write(&dir.at("a/f"), byte_stream("x"), options)
        .await
        .unwrap();
    assert_eq!((info.uid, info.gid, info.owner), (1234, 4321, None));
    assert_eq!((ids("a"), ids("a/f")), ((1234, 4321), (1234, 4321)));
    write(&client, &dir.at("a/f"), "again").await;
    assert_eq!(ids("a/f"), (1234, 4321), "kept");
    let client = client.with_defaults(Defaults {
        user: Some("nobody".parse().unwrap()),
        ..Defaults::default()
    });
    write(&client, &dir.at("mine"), "x").await;
    let info = client.stat(&dir.at("mine")).await.unwrap();
    assert_eq!(info.owner.as_deref(), Some("nobody"));
    assert!(
        client
            .make_dir(&dir.at("p/q"), MakeDirOptions::default())
            .await
            .unwrap()
    );
    assert_eq!(ids("p"), ids("mine"));
    assert_eq!(ids("p/q"), ids("mine"));
}
