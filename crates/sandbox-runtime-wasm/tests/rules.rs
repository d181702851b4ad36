//! What the comparison with the machine's kernel does not reach.

use futures_util::{FutureExt, StreamExt};
use sandbox_core::{ErrorKind, FileChange, FileEvent, SandboxPath, WatchOptions};
use sandbox_runtime_wasm::fs::{
    At, Caller, Errno, FileSystem, FileTime, Handle, Limits, MAX_QUEUED_EVENTS, MAX_SYMLINKS,
    OpenOptions, WatchStream,
};

fn at(nanos: u64) -> Caller {
    Caller {
        uid: 1,
        gid: 2,
        now: FileTime::from_nanos(nanos),
    }
}

fn empty() -> FileSystem {
    FileSystem::new(Limits::default(), at(0))
}

fn create(fs: &mut FileSystem, path: &str) -> Handle {
    let options = OpenOptions {
        read: true,
        write: true,
        create: true,
        mode: 0o644,
        ..OpenOptions::default()
    };
    fs.open(path, options, at(1)).unwrap()
}

fn open_dir<'a>(fs: &mut FileSystem, path: impl Into<At<'a>>) -> Handle {
    let options = OpenOptions {
        directory: true,
        ..OpenOptions::default()
    };
    fs.open(path, options, at(1)).unwrap()
}

#[test]
fn the_root_is_its_own_parent_and_stays() {
    let mut fs = empty();
    fs.make_dir("/../../a", 0o755, at(1)).unwrap();
    fs.symlink("../../../../a", "/l", at(1)).unwrap();
    assert_eq!(fs.metadata("/l", true), fs.metadata("/a", true));
    assert_eq!(fs.remove_dir("/", at(1)), Err(Errno::Busy));
    assert_eq!(fs.rename("/", "/a/b", at(1)), Err(Errno::Busy));
    assert_eq!(fs.unlink("/", at(1)), Err(Errno::IsDirectory));
}

#[test]
fn forty_links_are_followed_and_no_more() {
    let mut fs = empty();
    create(&mut fs, "/l0");
    for n in 0..=MAX_SYMLINKS {
        fs.symlink(&format!("/l{n}"), &*format!("/l{}", n + 1), at(1))
            .unwrap();
    }
    assert!(fs.metadata("/l40", true).is_ok());
    assert_eq!(fs.metadata("/l41", true), Err(Errno::Loop));
}

#[test]
fn bad_paths_are_refused_with_linux_answers() {
    let mut fs = empty();
    let long = format!("/{}", "n".repeat(256));
    let longer = "/.".repeat(2049);
    for (path, errno) in [
        ("", Errno::NotFound),
        ("relative", Errno::Invalid),
        ("/nul\0", Errno::Invalid),
        (&*long, Errno::NameTooLong),
        (&*longer, Errno::NameTooLong),
    ] {
        assert_eq!(fs.make_dir(path, 0o755, at(1)), Err(errno), "{path:?}");
        assert_eq!(fs.metadata(path, true), Err(errno), "{path:?}");
    }
    assert_eq!(fs.usage(), empty().usage());
    let error = Errno::NameTooLong.into_error("fs.stat", "path");
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::InvalidSpec, Some("path"))
    );
}

#[test]
fn a_file_without_a_name_lives_as_long_as_its_handle_and_costs_as_long() {
    let mut fs = empty();
    let handle = create(&mut fs, "/f");
    fs.write_at(handle, 0, b"still here", at(1)).unwrap();
    fs.unlink("/f", at(2)).unwrap();
    let mut bytes = [0; 10];
    assert_eq!(fs.read_at(handle, 0, &mut bytes), Ok(10));
    assert_eq!(&bytes, b"still here");
    assert_eq!(fs.metadata_of(handle).unwrap().links, 0);
    assert_eq!((fs.usage().inodes, fs.usage().bytes), (2, 512));
    assert_eq!(fs.snapshot().usage(), empty().usage());
    fs.close(handle).unwrap();
    assert_eq!(fs.usage(), empty().usage());
    assert_eq!(fs.read_at(handle, 0, &mut bytes), Err(Errno::BadHandle));
}

#[test]
fn a_removed_directory_that_is_open_is_empty_and_takes_no_names() {
    let mut fs = empty();
    fs.make_dir("/d", 0o755, at(1)).unwrap();
    let dir = open_dir(&mut fs, "/d");
    fs.remove_dir("/d", at(1)).unwrap();
    assert_eq!(fs.read_dir(dir, 0, 10), Ok(Vec::new()));
    let inside = At::below(dir, "x");
    assert_eq!(fs.make_dir(inside, 0o755, at(1)), Err(Errno::NotFound));
    assert_eq!(
        fs.metadata(At::below(dir, ".."), true),
        Err(Errno::NotFound)
    );
    fs.close(dir).unwrap();
    assert_eq!(fs.usage(), empty().usage());
}

#[test]
fn a_directory_that_changes_shows_what_stays_exactly_once() {
    let mut fs = empty();
    for n in 0..10 {
        create(&mut fs, &format!("/f{n}"));
    }
    let dir = open_dir(&mut fs, "/");
    let mut seen = Vec::new();
    let mut cookie = 0;
    for step in 0.. {
        let entries = fs.read_dir(dir, cookie, 3).unwrap();
        let Some(last) = entries.last() else { break };
        cookie = last.next;
        seen.extend(entries.iter().map(|entry| entry.name.to_string()));
        if step == 0 {
            fs.unlink("/f0", at(1)).unwrap();
            fs.unlink("/f5", at(1)).unwrap();
            create(&mut fs, "/a-new-one");
            fs.rename("/f8", "/f9", at(1)).unwrap();
        }
    }
    let expected = [
        ".",
        "..",
        "f0",
        "f1",
        "f2",
        "f3",
        "f4",
        "f6",
        "f7",
        "f9",
        "a-new-one",
    ];
    assert_eq!(seen, expected);
}

#[test]
fn times_are_those_the_caller_says() {
    let mut fs = empty();
    let handle = create(&mut fs, "/f");
    fs.write_at(handle, 0, b"x", at(5)).unwrap();
    fs.set_mode("/f", 0o600, at(7)).unwrap();
    let m = fs.metadata("/f", true).unwrap();
    let nanos = [m.accessed, m.modified, m.changed].map(FileTime::as_nanos);
    assert_eq!(nanos, [1, 5, 7]);
    fs.set_times("/f", true, Some(FileTime::from_nanos(3)), None, at(9))
        .unwrap();
    let m = fs.metadata("/f", true).unwrap();
    let nanos = [m.accessed, m.modified, m.changed].map(FileTime::as_nanos);
    assert_eq!(nanos, [3, 5, 9]);
}

#[test]
fn a_write_that_does_not_fit_writes_nothing_and_one_that_just_fits_does() {
    let limits = Limits {
        bytes: 256 + 1 + 1024,
        inodes: 2,
        file_bytes: 2000,
    };
    let mut fs = FileSystem::new(limits, at(0));
    let handle = create(&mut fs, "/f");
    assert_eq!(
        fs.write_at(handle, 0, &[1; 1025], at(1)),
        Err(Errno::NoSpace)
    );
    assert_eq!(fs.metadata_of(handle).unwrap().size, 0);
    assert_eq!(fs.write_at(handle, 0, &[1; 1024], at(1)), Ok(1024));
    assert_eq!(fs.usage().bytes, limits.bytes);
    assert_eq!(fs.link("/f", false, "/g", at(1)), Err(Errno::NoSpace));
    assert_eq!(fs.rename("/f", "/longer", at(1)), Err(Errno::NoSpace));
    assert_eq!(fs.symlink("x", "/s", at(1)), Err(Errno::NoSpace));
    assert_eq!(fs.set_len(handle, 2001, at(1)), Err(Errno::FileTooBig));
    assert_eq!(
        fs.write_at(handle, u64::MAX, b"x", at(1)),
        Err(Errno::FileTooBig)
    );
    let smaller = Limits { bytes: 9, ..limits };
    let fork = FileSystem::from_snapshot(&fs.snapshot(), smaller);
    assert_eq!(fork.err(), Some(Errno::NoSpace));
    assert_eq!(fs.usage().bytes, limits.bytes);
}

fn events(stream: &mut WatchStream) -> Vec<(FileChange, String)> {
    std::iter::from_fn(|| stream.next().now_or_never().flatten())
        .map(|FileEvent { change, path }| (change, path.to_string()))
        .collect()
}

#[test]
fn a_watch_tells_of_its_own_directory_and_with_recursive_of_those_below() {
    let mut fs = empty();
    fs.make_dir("/w", 0o755, at(1)).unwrap();
    let path = SandboxPath::new("/w").unwrap();
    let mut flat = fs.watch(&path, WatchOptions::default()).unwrap();
    let mut deep = fs.watch(&path, WatchOptions { recursive: true }).unwrap();
    fs.make_dir("/w/d", 0o755, at(1)).unwrap();
    let handle = create(&mut fs, "/w/d/f");
    fs.write_at(handle, 0, b"x", at(1)).unwrap();
    fs.write_at(handle, 0, b"y", at(1)).unwrap();
    fs.rename("/w/d/f", "/w/g", at(1)).unwrap();
    fs.set_mode("/w/g", 0o600, at(1)).unwrap();
    fs.unlink("/w/g", at(1)).unwrap();
    create(&mut fs, "/elsewhere");
    let told = |change, path: &str| (change, path.to_owned());
    let own = [
        told(FileChange::Create, "/w/g"),
        told(FileChange::Chmod, "/w/g"),
        told(FileChange::Remove, "/w/g"),
    ];
    let mut all = vec![
        told(FileChange::Create, "/w/d"),
        told(FileChange::Create, "/w/d/f"),
        told(FileChange::Write, "/w/d/f"),
        told(FileChange::Rename, "/w/d/f"),
    ];
    let mut flat_expected = vec![all[0].clone()];
    flat_expected.extend(own.clone());
    all.extend(own);
    assert_eq!(events(&mut flat), flat_expected);
    assert_eq!(events(&mut deep), all);
    drop(fs);
    assert_eq!(flat.next().now_or_never(), Some(None));
}

#[test]
fn a_watch_that_is_not_read_stays_bounded_and_says_that_it_lost_events() {
    let mut fs = empty();
    let root = SandboxPath::root();
    let mut stream = fs.watch(&root, WatchOptions::default()).unwrap();
    for n in 0..MAX_QUEUED_EVENTS + 100 {
        fs.make_dir(&*format!("/d{n}"), 0o755, at(1)).unwrap();
    }
    let lost = events(&mut stream);
    assert_eq!(lost.len(), MAX_QUEUED_EVENTS + 1);
    assert_eq!(lost.last(), Some(&(FileChange::Overflow, "/".to_owned())));
    fs.remove_dir("/d0", at(1)).unwrap();
    assert_eq!(
        events(&mut stream),
        [(FileChange::Remove, "/d0".to_owned())]
    );
}

#[test]
fn a_refused_archive_tells_no_watch_anything() {
    let mut fs = empty();
    let root = SandboxPath::root();
    let mut stream = fs.watch(&root, WatchOptions::default()).unwrap();
    let mut archive = tar::Builder::new(Vec::new());
    for (name, kind) in [("f", tar::EntryType::Regular), ("p", tar::EntryType::Fifo)] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_mode(0o644);
        header.set_size(0);
        archive.append_data(&mut header, name, &[][..]).unwrap();
    }
    let bytes = archive.into_inner().unwrap();
    assert!(fs.import("/", &*bytes, at(1)).is_err());
    assert_eq!(events(&mut stream), []);
    fs.import("/", &bytes[..512], at(1)).unwrap();
    assert_eq!(events(&mut stream), [(FileChange::Create, "/f".to_owned())]);
}
