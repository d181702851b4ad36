//! Import and export of tar archives, hostile ones above all.

use proptest::prelude::*;
use sandbox_core::{ErrorKind, FileKind, SandboxPath};
use sandbox_runtime_wasm::fs::{Caller, FileSystem, FileTime, Limits, OpenOptions};
use tar::{Builder, EntryType, Header};

const BY: Caller = Caller {
    uid: 5,
    gid: 6,
    now: FileTime::from_nanos(9_000_000_000),
};

/// Kind, name, where it links to, content.
type Entry<'a> = (EntryType, &'a str, &'a str, &'a [u8]);

fn empty() -> FileSystem {
    FileSystem::new(Limits::default(), BY)
}

/// An entry whose name is written as it is, whatever the library thinks of it.
fn entry(archive: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, link: &str, data: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(0o640);
    header.set_uid(70_000);
    header.set_gid(3_000_000_000);
    header.set_mtime(1234);
    header.set_cksum();
    archive.append(&header, data).unwrap();
}

fn archive(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    entry(&mut archive, EntryType::Regular, "before", "", b"first");
    for (kind, name, link, data) in entries {
        entry(&mut archive, *kind, name, link, data);
    }
    archive.into_inner().unwrap()
}

fn read(fs: &mut FileSystem, path: &str) -> Vec<u8> {
    let options = OpenOptions {
        read: true,
        ..OpenOptions::default()
    };
    let handle = fs.open(path, options, BY).unwrap();
    let mut bytes = vec![0; fs.metadata_of(handle).unwrap().size as usize];
    fs.read_at(handle, 0, &mut bytes).unwrap();
    fs.close(handle).unwrap();
    bytes
}

/// Everything, as an archive of it.
fn image(fs: &FileSystem) -> Vec<u8> {
    let mut image = Vec::new();
    fs.snapshot()
        .export(&SandboxPath::root(), &mut image, 1 << 30)
        .unwrap();
    image
}

fn assert_refused(entries: &[Entry<'_>], at: &str, kind: ErrorKind) {
    let mut fs = empty();
    fs.make_dir("/in", 0o755, BY).unwrap();
    fs.make_dir("/dir", 0o755, BY).unwrap();
    let (before, usage) = (image(&fs), fs.usage());
    let error = fs.import(at, &*archive(entries), BY).unwrap_err();
    assert_eq!(error.kind(), kind, "{entries:?}: {}", error.report());
    assert_eq!(error.field(), Some("archive"));
    assert_eq!(image(&fs), before, "{entries:?}");
    assert_eq!(fs.usage(), usage);
}

#[test]
fn hostile_entries_are_refused_and_nothing_of_the_archive_stays() {
    use EntryType as E;
    let invalid: &[&[Entry<'_>]] = &[
        &[(E::Regular, "../out", "", b"x")],
        &[(E::Regular, "a/../../out", "", b"x")],
        &[(E::Regular, "/out", "", b"x")],
        &[(E::Directory, "..", "", b"")],
        &[(E::Regular, ".", "", b"x")],
        &[
            (E::Symlink, "l", "../dir", b""),
            (E::Regular, "l/x", "", b"x"),
        ],
        &[(E::Symlink, "l", "a", b""), (E::Regular, "l/x", "", b"x")],
        &[(E::Symlink, "l", "/etc/passwd", b"")],
        &[(E::Symlink, "a/l", "b/../../../dir", b"")],
        &[(E::Link, "l", "../dir", b"")],
        &[(E::Link, "l", "/dir", b"")],
        &[(E::Link, "l", "missing", b"")],
        &[(E::Char, "null", "", b"")],
        &[(E::Block, "disk", "", b"")],
        &[(E::Fifo, "pipe", "", b"")],
        &[(E::GNUSparse, "sparse", "", b"")],
    ];
    for entries in invalid {
        assert_refused(entries, "/in", ErrorKind::InvalidSpec);
    }
    assert_refused(&[(E::Regular, "dir", "", b"x")], "/", ErrorKind::Conflict);
    assert_refused(
        &[(E::Directory, "before", "", b"")],
        "/",
        ErrorKind::Conflict,
    );
    assert_refused(
        &[(E::Regular, "before/x", "", b"")],
        "/",
        ErrorKind::Conflict,
    );
}

#[test]
fn a_name_that_is_not_utf8_is_refused() {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..2].copy_from_slice(&[b'a', 0xFF]);
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    let mut archive = Builder::new(Vec::new());
    archive.append(&header, &[][..]).unwrap();
    let error = empty()
        .import("/", &*archive.into_inner().unwrap(), BY)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec);
}

#[test]
fn an_archive_over_the_quota_is_refused_whole() {
    let data = vec![1; 40_000];
    let big = archive(&[(EntryType::Regular, "big", "", &data)]);
    let many: Vec<_> = (0..20).map(|n| format!("f{n}")).collect();
    let many: Vec<_> = many
        .iter()
        .map(|name| (EntryType::Regular, name.as_str(), "", &b""[..]))
        .collect();
    let limits = Limits {
        bytes: 30_000,
        inodes: 10,
        ..Limits::default()
    };
    for bytes in [big, archive(&many)] {
        let mut fs = FileSystem::new(limits, BY);
        let usage = fs.usage();
        let error = fs.import("/", &*bytes, BY).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        assert_eq!(fs.usage(), usage);
        assert!(fs.metadata("/before", false).is_err());
    }
}

#[test]
fn a_header_that_claims_a_name_without_end_is_not_kept_in_memory() {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(1 << 40);
    header.set_cksum();
    let endless = std::io::Read::chain(&header.as_bytes()[..], std::io::repeat(b'a'));
    let mut fs = empty();
    let error = fs.import("/", endless, BY).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{}", error.report());
}

#[test]
fn an_archive_that_is_cut_off_or_random_leaves_nothing() {
    let whole = archive(&[(EntryType::Regular, "x", "", &[1; 3000])]);
    for end in [1, 511, 512 + 3, 1024 + 600, 1024 + 512 + 2000] {
        let mut fs = empty();
        let error = fs.import("/", &whole[..end], BY).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{end}");
        assert!(fs.metadata("/before", false).is_err(), "{end}");
    }
}

#[test]
fn import_takes_owner_mode_time_and_replaces_files_by_name() {
    use EntryType as E;
    let mut fs = empty();
    let first = archive(&[
        (E::Regular, "a/b/x", "", b"old"),
        (E::Link, "y", "a/b/x", b""),
    ]);
    fs.import("/", &*first, BY).unwrap();
    let old = fs.metadata("/y", false).unwrap();
    assert_eq!((old.links, old.mode, old.uid), (2, 0o640, 70_000));
    assert_eq!(old.gid, 3_000_000_000);
    assert_eq!(old.modified.as_nanos(), 1_234_000_000_000);
    let parent = fs.metadata("/a/b", false).unwrap();
    assert_eq!((parent.mode, parent.uid), (0o755, BY.uid));
    fs.import("/", &*archive(&[(E::Regular, "y", "", b"new")]), BY)
        .unwrap();
    assert_eq!(read(&mut fs, "/y"), b"new");
    assert_eq!(read(&mut fs, "/a/b/x"), b"old");
    assert_eq!(fs.metadata("/a/b/x", false).unwrap().links, 1);
}

#[test]
fn a_link_that_stays_inside_is_kept_as_it_is_written() {
    let mut fs = empty();
    fs.make_dir("/in", 0o755, BY).unwrap();
    let link = [(EntryType::Symlink, "a/l", ".././/before", &b""[..])];
    fs.import("/in", &*archive(&link), BY).unwrap();
    assert_eq!(&*fs.read_link("/in/a/l").unwrap(), ".././/before");
    assert_eq!(read(&mut fs, "/in/a/l"), b"first");
}

#[test]
fn what_is_exported_comes_back_the_same() {
    let mut fs = empty();
    let long = "n".repeat(200);
    let deep = format!("/{long}/{long}");
    fs.make_dir(&*format!("/{long}"), 0o1770, BY).unwrap();
    let options = OpenOptions {
        write: true,
        create: true,
        mode: 0o4711,
        ..OpenOptions::default()
    };
    let handle = fs.open(&*deep, options, BY).unwrap();
    fs.write_at(handle, 200_000, b"after a hole", BY).unwrap();
    fs.close(handle).unwrap();
    fs.link(&*deep, false, "/a-further-name", BY).unwrap();
    fs.symlink(&format!("/{}//x/", "t".repeat(150)), "/l", BY)
        .unwrap();
    fs.symlink("./a//b/", "/m", BY).unwrap();
    let bytes = image(&fs);
    assert_eq!(image(&fs), bytes, "the same tree makes the same bytes");
    let mut back = empty();
    back.import("/", &*bytes, BY).unwrap();
    assert_eq!(image(&back), bytes);
    assert_eq!(read(&mut back, &deep), read(&mut fs, &deep));
    assert_eq!(back.metadata("/a-further-name", false).unwrap().links, 2);
    assert_eq!(back.read_link("/l").unwrap(), fs.read_link("/l").unwrap());
    assert_eq!(&*back.read_link("/m").unwrap(), "./a//b/");
    assert_eq!(back.metadata(&*deep, false).unwrap().mode, 0o4711);
}

#[test]
fn a_file_below_another_directory_comes_back_under_all_its_names() {
    let mut fs = empty();
    for dir in ["/b", "/b/c", "/a"] {
        fs.make_dir(dir, 0o755, BY).unwrap();
    }
    fs.import("/b/c", &*archive(&[]), BY).unwrap();
    for name in ["/a/x", "/b/y", "/z"] {
        fs.link("/b/c/before", false, name, BY).unwrap();
    }
    let mut back = empty();
    back.import("/", &*image(&fs), BY).unwrap();
    for name in ["/a/x", "/b/c/before", "/b/y", "/z"] {
        assert_eq!(back.metadata(name, false).unwrap().links, 4, "{name}");
        assert_eq!(read(&mut back, name), b"first");
    }
    let mut below = Vec::new();
    let path = SandboxPath::new("/b").unwrap();
    fs.snapshot().export(&path, &mut below, 5).unwrap();
    let mut back = empty();
    back.import("/", &*below, BY).unwrap();
    assert_eq!(back.metadata("/c/before", false).unwrap().links, 2);
}

#[test]
fn an_export_past_its_limit_writes_nothing() {
    let mut fs = empty();
    let options = OpenOptions {
        write: true,
        create: true,
        ..OpenOptions::default()
    };
    let handle = fs.open("/hole", options, BY).unwrap();
    fs.set_len(handle, 1 << 30, BY).unwrap();
    let mut out = Vec::new();
    let error = fs
        .snapshot()
        .export(&SandboxPath::root(), &mut out, (1 << 30) - 1)
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::LimitExceeded, Some("limit"))
    );
    assert!(out.is_empty());
    assert_eq!(fs.metadata("/hole", false).unwrap().kind, FileKind::File);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_archive_is_imported_whole_or_not_at_all(at in 0..2048_usize, byte in any::<u8>()) {
        let mut bytes = archive(&[(EntryType::Symlink, "l", "before", b"")]);
        bytes[at % 2048] = byte;
        let mut fs = empty();
        let before = image(&fs);
        if fs.import("/", &*bytes, BY).is_err() {
            prop_assert_eq!(image(&fs), before);
        }
    }
}
