//! Files: contents and names.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use sandbox_core::{
    ByteStream, Error, ErrorKind, FileKind, ListOptions, ReadOptions, Result, SandboxExt,
    WriteOptions, byte_stream,
};

use crate::conformance::trial::{Trial, refused};

pub(in crate::conformance) async fn every_byte_survives(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("bytes");
    let bytes: Bytes = (0..=255).cycle().take(70_000).collect();
    let info = sandbox.write_all(&file, bytes.clone()).await?;
    assert_eq!((info.kind, info.size), (FileKind::File, 70_000));
    assert_eq!(info.path, file);
    assert_eq!(sandbox.read_to_bytes(&file).await?, bytes);
    Ok(())
}

pub(in crate::conformance) async fn an_empty_file_is_a_file(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("empty");
    sandbox.write_all(&file, Bytes::new()).await?;
    let info = sandbox.stat(&file).await?;
    assert_eq!((info.kind, info.size), (FileKind::File, 0));
    assert!(sandbox.read_to_bytes(&file).await?.is_empty());
    Ok(())
}

/// Eight bytes that say where in the file they are.
fn stamp(at: u64) -> [u8; 8] {
    (at / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()
}

fn chunk(at: u64, len: u64) -> Bytes {
    (0..len / 8)
        .flat_map(|index| stamp(at + index * 8))
        .collect()
}

pub(in crate::conformance) async fn a_hundred_megabytes_pass_as_a_stream(t: &Trial) -> Result<()> {
    const SIZE: u64 = 100 << 20;
    const CHUNK: u64 = 256 << 10;
    let sandbox = t.sandbox().await?;
    let file = t.path("large");
    let body = stream::iter((0..SIZE / CHUNK).map(|n| Ok(chunk(n * CHUNK, CHUNK))));
    let written = sandbox.write(&file, Box::pin(body), WriteOptions::default());
    let info = t.soon("100 MB are written", written).await?;
    assert_eq!(info.size, SIZE);
    let mut content = sandbox.read(&file, ReadOptions::default()).await?;
    assert_eq!(content.info.size, SIZE);
    let (mut at, mut rest) = (0, Vec::new());
    let reading = async {
        while let Some(chunk) = content.body.next().await {
            rest.extend_from_slice(&chunk?);
            let whole = rest.len() - rest.len() % 8;
            for word in rest[..whole].chunks(8) {
                assert!(word == stamp(at), "wrong bytes at {at}");
                at += 8;
            }
            rest.drain(..whole);
        }
        Ok::<_, Error>(())
    };
    t.soon("100 MB are read", reading).await?;
    assert_eq!(at, SIZE);
    Ok(())
}

pub(in crate::conformance) async fn odd_names_are_kept(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let dir = t.path("odd");
    let long = "n".repeat(255);
    let names = [
        "with blank",
        " leading",
        "trailing ",
        "-rf",
        "--",
        "line\nfeed",
        "quote'\"`",
        "$HOME",
        "*?[a]",
        "back\\slash",
        "ünï→🦀",
        "a;b|c&d",
        "...",
        "~",
        "tab\there",
        &long,
    ];
    for name in names {
        let file = dir.join(name)?;
        sandbox.write_all(&file, name.to_owned().into()).await?;
        assert_eq!(sandbox.read_to_string(&file).await?, name);
        assert_eq!(sandbox.stat(&file).await?.path, file);
    }
    let listed = sandbox.list(&dir, ListOptions::default()).await?;
    let mut expected: Vec<&str> = names.to_vec();
    expected.sort_unstable();
    let listed: Vec<_> = listed.iter().filter_map(|info| info.path.name()).collect();
    assert_eq!(listed, expected);
    for name in names {
        let moved = dir.join("moved")?;
        sandbox.rename(&dir.join(name)?, &moved).await?;
        assert_eq!(sandbox.read_to_string(&moved).await?, name);
        sandbox.remove(&moved, false).await?;
    }
    assert!(sandbox.list(&dir, ListOptions::default()).await?.is_empty());
    Ok(())
}

pub(in crate::conformance) async fn files_and_commands_see_the_same(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let (ours, theirs) = (t.path("ours"), t.path("theirs"));
    sandbox.write_all(&ours, "from outside".into()).await?;
    let line = format!("cat {ours}; printf 'from inside' > {theirs}");
    assert_eq!(t.out(&sandbox, &line).await?, "from outside");
    assert_eq!(sandbox.read_to_string(&theirs).await?, "from inside");
    Ok(())
}

pub(in crate::conformance) async fn a_part_of_a_file_is_read(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("digits");
    sandbox.write_all(&file, "0123456789".into()).await?;
    for (offset, length, expected) in [
        (0, None, "0123456789"),
        (4, None, "456789"),
        (4, Some(3), "456"),
        (8, Some(100), "89"),
        (10, None, ""),
        (1000, Some(5), ""),
        (3, Some(0), ""),
        (0, Some(u64::MAX), "0123456789"),
    ] {
        let options = ReadOptions { offset, length };
        let mut content = sandbox.read(&file, options).await?;
        assert_eq!(content.info.size, 10, "the size is the whole file's");
        let mut read = Vec::new();
        while let Some(chunk) = content.body.next().await {
            read.extend_from_slice(&chunk?);
        }
        assert_eq!(String::from_utf8_lossy(&read), expected, "{options:?}");
    }
    Ok(())
}

/// A megabyte, and then an error.
fn broken_body() -> ByteStream {
    let chunks = (0..16).map(|_| Ok(Bytes::from(vec![b'n'; 64 << 10])));
    let error = Error::new(ErrorKind::Timeout, "conformance.body", "the body broke off");
    Box::pin(stream::iter(chunks.chain([Err(error)])))
}

pub(in crate::conformance) async fn a_write_that_fails_changes_nothing(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let (old, new) = (t.path("dir/old"), t.path("dir/new"));
    sandbox.write_all(&old, "old".into()).await?;
    for file in [&old, &new] {
        let written = sandbox
            .write(file, broken_body(), WriteOptions::default())
            .await;
        refused(written, ErrorKind::Timeout, None);
    }
    assert_eq!(sandbox.read_to_string(&old).await?, "old");
    let listed = sandbox.list(&t.path("dir"), ListOptions::default()).await?;
    assert_eq!(listed.len(), 1, "something was left behind: {listed:?}");
    Ok(())
}

pub(in crate::conformance) async fn a_write_that_is_given_up_changes_nothing(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let old = t.path("dir/old");
    sandbox.write_all(&old, "old".into()).await?;
    let chunks = stream::iter((0..16).map(|_| Ok(Bytes::from(vec![b'n'; 64 << 10]))));
    let endless: ByteStream = Box::pin(chunks.chain(stream::pending()));
    let writing = sandbox.write(&old, endless, WriteOptions::default());
    let gave_up = tokio::time::timeout(Duration::from_secs(1), writing).await;
    assert!(gave_up.is_err(), "a body without an end was written");
    assert_eq!(sandbox.read_to_string(&old).await?, "old");
    t.until("nothing is left behind", async || {
        let listed = sandbox.list(&t.path("dir"), ListOptions::default()).await?;
        Ok(listed.len() == 1)
    })
    .await
}

pub(in crate::conformance) async fn readers_see_one_write_or_the_other(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("shared");
    let content = |letter: u8| Bytes::from(vec![letter; 300_000]);
    sandbox.write_all(&file, content(b'a')).await?;
    let writing = async {
        for letter in (b'a'..=b'z').cycle().take(40) {
            // In pieces, so that half of it could be seen.
            let pieces: Vec<_> = content(letter)
                .chunks(30_000)
                .map(Bytes::copy_from_slice)
                .collect();
            let pieces = stream::iter(pieces).then(|piece| async {
                tokio::task::yield_now().await;
                Ok(piece)
            });
            sandbox
                .write(&file, Box::pin(pieces), WriteOptions::default())
                .await?;
        }
        Ok::<_, Error>(())
    };
    let reading = async {
        for _ in 0..40 {
            let seen = sandbox.read_to_bytes(&file).await?;
            assert_eq!(seen.len(), 300_000, "part of a write was seen");
            assert!(
                seen.iter().all(|byte| *byte == seen[0]),
                "two writes were seen at once"
            );
            tokio::task::yield_now().await;
        }
        Ok::<_, Error>(())
    };
    let both = async { tokio::try_join!(writing, reading) };
    t.soon("40 writes and reads", both).await?;
    Ok(())
}

pub(in crate::conformance) async fn a_missing_file_is_not_found(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let missing = t.path("missing");
    let not_found = ErrorKind::NotFound;
    let read = sandbox.read(&missing, ReadOptions::default()).await;
    refused(read, not_found, Some("path"));
    refused(sandbox.stat(&missing).await, not_found, Some("path"));
    let listed = sandbox.list(&missing, ListOptions::default()).await;
    refused(listed, not_found, Some("path"));
    refused(
        sandbox.remove(&missing, true).await,
        not_found,
        Some("path"),
    );
    let moved = sandbox.rename(&missing, &t.path("elsewhere")).await;
    refused(moved, not_found, Some("from"));
    assert!(!sandbox.exists(&missing).await?);
    Ok(())
}

pub(in crate::conformance) async fn parents_are_made_only_when_asked_for(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("a/b/c");
    let options = WriteOptions {
        create_parents: false,
        ..WriteOptions::default()
    };
    let written = sandbox.write(&file, byte_stream("x"), options).await;
    refused(written, ErrorKind::NotFound, Some("path"));
    assert!(!sandbox.exists(&t.path("a")).await?);
    sandbox.write_all(&file, "x".into()).await?;
    let parent = sandbox.stat(&t.path("a/b")).await?;
    assert_eq!((parent.kind, parent.mode), (FileKind::Directory, 0o755));
    Ok(())
}
