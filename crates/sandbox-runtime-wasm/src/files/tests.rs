//! The file methods over a file system alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use sandbox_core::{
    Error, ErrorKind, FileChange, FileKind, ListOptions, MakeDirOptions, ReadOptions, Result,
    SandboxPath, WatchOptions, WriteOptions, byte_stream,
};

use super::Volume;
use crate::fs::{Caller, FileSystem, FileTime, Limits};

#[derive(Debug)]
struct Disk(Mutex<FileSystem>);

impl Volume for Disk {
    fn lock(&self) -> MutexGuard<'_, FileSystem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, _operation: &'static str) -> Result<()> {
        Ok(())
    }

    fn caller(&self) -> Caller {
        Caller {
            now: FileTime::from_nanos(7_000_000),
            ..Caller::default()
        }
    }
}

fn disk(bytes: u64) -> Arc<Disk> {
    let limits = Limits {
        bytes,
        ..Limits::default()
    };
    Arc::new(Disk(Mutex::new(FileSystem::new(limits, Caller::default()))))
}

fn path(text: &str) -> SandboxPath {
    SandboxPath::new(text).unwrap()
}

/// The answer of a future that waits for nothing.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("it waits for nobody")
}

fn put(disk: &Arc<Disk>, at: &str, text: &'static str) {
    let target = path(at);
    let written = super::write(disk, &target, byte_stream(text), WriteOptions::default());
    now(written).unwrap();
}

fn get(disk: &Arc<Disk>, at: &str) -> Bytes {
    let content = super::read(disk, &path(at), ReadOptions::default()).unwrap();
    let chunks: Vec<Bytes> = now(content.body.try_collect()).unwrap();
    chunks.concat().into()
}

fn told<T: std::fmt::Debug>(outcome: Result<T>) -> (ErrorKind, String) {
    let error = outcome.unwrap_err();
    (error.kind(), error.field().unwrap_or_default().to_owned())
}

#[test]
fn a_reader_keeps_the_file_that_it_opened() {
    let disk = disk(1 << 20);
    put(&disk, "/file", "old");
    let content = super::read(&disk, &path("/file"), ReadOptions::default()).unwrap();
    put(&disk, "/file", "newer");
    let chunks: Vec<Bytes> = now(content.body.try_collect()).unwrap();
    assert_eq!(chunks.concat(), b"old");
    assert_eq!(&get(&disk, "/file")[..], b"newer");
}

#[test]
fn what_is_not_written_whole_costs_nothing_and_leaves_nothing() {
    let disk = disk(1 << 20);
    put(&disk, "/file", "old");
    let before = disk.lock().usage();
    let broken = stream::iter([
        Ok(Bytes::from_static(b"new")),
        Err(Error::new(ErrorKind::Timeout, "test.body", "broke off")),
    ]);
    let target = path("/made/for/it");
    let written = super::write(&disk, &target, Box::pin(broken), WriteOptions::default());
    assert_eq!(told(now(written)).0, ErrorKind::Timeout);
    assert_eq!(disk.lock().usage(), before);

    let chunks = stream::iter([Ok(Bytes::from_static(b"new"))]);
    let endless = Box::pin(chunks.chain(stream::pending()));
    let target = path("/file");
    let writing = super::write(&disk, &target, endless, WriteOptions::default());
    assert!(writing.now_or_never().is_none(), "a body without an end");
    assert_eq!(disk.lock().usage(), before);
    assert_eq!(&get(&disk, "/file")[..], b"old");
}

#[test]
fn a_body_over_the_quota_is_refused_and_the_old_content_stays() {
    let disk = disk(1 << 20);
    put(&disk, "/dir/file", "old");
    let before = disk.lock().usage();
    let large = byte_stream(vec![b'x'; 2 << 20]);
    let target = path("/dir/file");
    let written = super::write(&disk, &target, large, WriteOptions::default());
    let expected = (ErrorKind::LimitExceeded, "path".to_owned());
    assert_eq!(told(now(written)), expected);
    assert_eq!(disk.lock().usage(), before);
    assert_eq!(&get(&disk, "/dir/file")[..], b"old");
}

#[test]
fn a_body_is_not_taken_for_a_file_that_cannot_be_placed() {
    let disk = disk(1 << 20);
    put(&disk, "/file", "x");
    now(super::write(
        &disk,
        &path("/dir/file"),
        byte_stream("x"),
        WriteOptions::default(),
    ))
    .unwrap();
    let alone = WriteOptions {
        create_parents: false,
        ..WriteOptions::default()
    };
    for (at, options, kind) in [
        ("/dir", WriteOptions::default(), ErrorKind::Conflict),
        ("/file/below", WriteOptions::default(), ErrorKind::Conflict),
        ("/a/b", alone, ErrorKind::NotFound),
    ] {
        let untouched = Box::pin(stream::poll_fn(|_| panic!("the body was asked for")));
        let target = path(at);
        let written = super::write(&disk, &target, untouched, options);
        assert_eq!(told(now(written)), (kind, "path".to_owned()), "{at}");
    }
}

#[test]
fn writing_follows_links_and_keeps_mode_and_owner() {
    let disk = disk(1 << 20);
    put(&disk, "/dir/file", "old");
    {
        let mut files = disk.lock();
        files
            .symlink("dir/file", "/link", Caller::default())
            .unwrap();
        files
            .symlink("dir/none", "/dangling", Caller::default())
            .unwrap();
        files
            .set_mode("/dir/file", 0o640, Caller::default())
            .unwrap();
        files
            .set_owner("/dir/file", true, (7, 8), Caller::default())
            .unwrap();
    }
    put(&disk, "/link", "new");
    put(&disk, "/dangling", "made");
    assert_eq!(&get(&disk, "/dir/file")[..], b"new");
    assert_eq!(&get(&disk, "/dir/none")[..], b"made");
    let info = super::stat(&*disk, &path("/dir/file")).unwrap();
    assert_eq!((info.mode, info.uid, info.gid), (0o640, 7, 8));
    let link = super::stat(&*disk, &path("/link")).unwrap();
    assert_eq!(link.kind, FileKind::Symlink);
    let target = link.link.unwrap().target.unwrap();
    assert_eq!(
        (target.path, target.kind),
        (path("/dir/file"), FileKind::File)
    );
}

#[test]
fn names_of_owners_come_from_the_sandboxs_own_files() {
    let disk = disk(1 << 20);
    put(
        &disk,
        "/etc/passwd",
        "root:x:0:0::/root:/bin/sh\nbroken\n:x:1:1\nr2:x:0:0\n",
    );
    put(&disk, "/etc/group", "wheel:x:0:\n");
    let info = super::stat(&*disk, &path("/etc/passwd")).unwrap();
    assert_eq!(info.owner.as_deref(), Some("root"));
    assert_eq!(info.group.as_deref(), Some("wheel"));
    assert_eq!(info.modified.as_millis(), 7);
}

#[test]
fn a_directory_of_many_entries_is_removed_whole() {
    let disk = disk(16 << 20);
    {
        let mut files = disk.lock();
        for number in 0..3000 {
            let at = format!("/dir/{}/{number}", number % 7);
            files
                .make_dirs(at.as_str(), 0o755, Caller::default())
                .unwrap();
        }
        files
            .symlink("/kept", "/dir/link", Caller::default())
            .unwrap();
    }
    put(&disk, "/kept/file", "x");
    let target = path("/dir");
    let refused = super::remove(&*disk, &target, false);
    assert_eq!(told(now(refused)).0, ErrorKind::Conflict);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime
        .block_on(super::remove(&*disk, &path("/dir"), true))
        .unwrap();
    assert_eq!(
        told(super::stat(&*disk, &path("/dir"))).0,
        ErrorKind::NotFound
    );
    assert_eq!(
        &get(&disk, "/kept/file")[..],
        b"x",
        "links are not followed"
    );
    assert_eq!(disk.lock().usage().inodes, 3);
}

#[test]
fn renaming_says_which_end_is_wrong() {
    let disk = disk(1 << 20);
    put(&disk, "/file", "x");
    put(&disk, "/full/entry", "x");
    let mut cases = vec![
        ("/missing", "/x", ErrorKind::NotFound, "from"),
        ("/file/below", "/x", ErrorKind::NotFound, "from"),
        ("/file", "/none/x", ErrorKind::NotFound, "to"),
        ("/file", "/full", ErrorKind::Conflict, "to"),
        ("/full", "/file", ErrorKind::Conflict, "to"),
    ];
    cases.push(("/full", "/full/inside", ErrorKind::Conflict, "to"));
    for (from, to, kind, field) in cases {
        let renamed = super::rename(&*disk, &path(from), &path(to));
        assert_eq!(told(renamed), (kind, field.to_owned()), "{from} to {to}");
    }
}

#[test]
fn making_a_directory_is_whole_and_says_what_was_there() {
    let disk = disk(1 << 20);
    put(&disk, "/file", "x");
    let deep = MakeDirOptions::default();
    assert!(super::make_dir(&*disk, &path("/a/b"), &deep).unwrap());
    assert!(!super::make_dir(&*disk, &path("/a/b"), &deep).unwrap());
    assert!(!super::make_dir(&*disk, &SandboxPath::root(), &deep).unwrap());
    let conflict = (ErrorKind::Conflict, "path".to_owned());
    for at in ["/file", "/file/x/y"] {
        assert_eq!(told(super::make_dir(&*disk, &path(at), &deep)), conflict);
    }
    // One name on the way is too much: none is made.
    let (disk, many) = (self::disk(600), path("/x/y/z"));
    let before = disk.lock().usage();
    let refused = told(super::make_dir(&*disk, &many, &deep));
    assert_eq!(refused.0, ErrorKind::LimitExceeded);
    assert_eq!(disk.lock().usage(), before);
}

#[test]
fn a_listing_is_of_one_moment_and_never_cut_short() {
    let disk = disk(1 << 20);
    for at in ["/d/b", "/d/a/x", "/d/a.b"] {
        put(&disk, at, "x");
    }
    let options = |limit| ListOptions { depth: 9, limit };
    let listed = super::list(&*disk, &path("/d"), options(4)).unwrap();
    let listed: Vec<_> = listed.iter().map(|info| info.path.as_str()).collect();
    assert_eq!(listed, ["/d/a", "/d/a.b", "/d/a/x", "/d/b"]);
    let refused = told(super::list(&*disk, &path("/d"), options(3)));
    assert_eq!(refused, (ErrorKind::LimitExceeded, "limit".to_owned()));
    let refused = told(super::list(&*disk, &path("/d/b"), options(3)));
    assert_eq!(refused, (ErrorKind::Conflict, "path".to_owned()));
}

#[test]
fn a_watch_hears_of_a_file_once_it_is_there() {
    let disk = disk(1 << 20);
    put(&disk, "/d/old", "x");
    let mut events = super::watch(&*disk, &path("/d"), WatchOptions::default()).unwrap();
    put(&disk, "/d/new", "x");
    put(&disk, "/d/old", "y");
    for (change, at) in [
        (FileChange::Create, "/d/new"),
        (FileChange::Write, "/d/new"),
        (FileChange::Write, "/d/old"),
    ] {
        let event = now(events.next()).unwrap().unwrap();
        assert_eq!((event.change, event.path), (change, path(at)));
    }
    assert!(events.next().now_or_never().is_none());
}
