//! What the cache takes, and what it does not.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use super::digest::Digest;
use super::disk::DiskCache;

const MUCH: u64 = 1 << 30;

fn engine() -> Digest {
    Digest::of(b"engine")
}

fn wasm(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn open(root: &Path) -> DiskCache {
    DiskCache::open(root, engine(), MUCH).unwrap()
}

/// A cache with the entry `a`, and where its code is.
fn filled(root: &Path) -> (DiskCache, std::path::PathBuf) {
    let cache = open(root);
    let path = cache.lock(wasm("a")).unwrap().store(b"code of a").unwrap();
    (cache, path)
}

fn finds(cache: &DiskCache, name: &str) -> bool {
    cache.lock(wasm(name)).unwrap().find().is_some()
}

#[test]
fn what_was_stored_is_found_by_another_process_of_the_same_engine_alone() {
    let root = tempfile::tempdir().unwrap();
    let (cache, path) = filled(&root.path().join("cache"));
    assert_eq!(fs::read(path).unwrap(), b"code of a");
    assert!(finds(&cache, "a"));
    assert!(!finds(&cache, "b"));
    assert!(finds(&open(&root.path().join("cache")), "a"));
    let other = Digest::of(b"another engine");
    let other = DiskCache::open(&root.path().join("cache"), other, MUCH).unwrap();
    assert!(!finds(&other, "a"));
    let mode = fs::metadata(root.path().join("cache"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn code_that_was_changed_is_not_taken() {
    let root = tempfile::tempdir().unwrap();
    for change in [&b"code of b"[..], b"code of ", b"code of a ", b""] {
        let (cache, path) = filled(root.path());
        assert!(finds(&cache, "a"));
        fs::write(path, change).unwrap();
        assert!(!finds(&cache, "a"), "{change:?}");
    }
}

#[test]
fn an_entry_of_another_module_or_engine_is_not_taken() {
    let root = tempfile::tempdir().unwrap();
    let (cache, code) = filled(root.path());
    let entry = code.with_file_name(format!("{}.code", wasm("b")));
    for extension in ["code", "head"] {
        let (from, to) = (
            code.with_extension(extension),
            entry.with_extension(extension),
        );
        fs::copy(from, to).unwrap();
    }
    assert!(!finds(&cache, "b"), "renamed");

    let head = code.with_extension("head");
    let text = fs::read_to_string(&head).unwrap();
    let other = Digest::of(b"another engine").to_string();
    fs::write(&head, text.replace(&engine().to_string(), &other)).unwrap();
    assert!(!finds(&cache, "a"), "of another engine");
    fs::write(&head, "").unwrap();
    assert!(!finds(&cache, "a"), "an empty head");
    fs::remove_file(&head).unwrap();
    assert!(!finds(&cache, "a"), "no head");
}

#[test]
fn links_and_what_others_may_write_are_not_taken() {
    let root = tempfile::tempdir().unwrap();
    for extension in ["code", "head"] {
        let (cache, code) = filled(root.path());
        let path = code.with_extension(extension);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).unwrap();
        assert!(!finds(&cache, "a"), "{extension} that others may write");

        let (cache, _) = filled(root.path());
        let elsewhere = root.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        assert!(!finds(&cache, "a"), "{extension} that is a link");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_directory_that_others_may_write_or_that_is_a_link_is_not_used() {
    let root = tempfile::tempdir().unwrap();
    let open_to_all = root.path().join("open");
    fs::create_dir(&open_to_all).unwrap();
    fs::set_permissions(&open_to_all, fs::Permissions::from_mode(0o777)).unwrap();
    let error = DiskCache::open(&open_to_all, engine(), MUCH).unwrap_err();
    assert!(error.to_string().contains("chmod 700"), "{error}");

    let link = root.path().join("link");
    fs::create_dir(root.path().join("mine")).unwrap();
    symlink(root.path().join("mine"), &link).unwrap();
    assert!(DiskCache::open(&link, engine(), MUCH).is_err());
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(DiskCache::open(&file, engine(), MUCH).is_err());
}

#[test]
fn those_who_start_together_compile_once() {
    let root = tempfile::tempdir().unwrap();
    let compiled = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // A cache of its own, as another process has.
                let cache = open(root.path());
                let entry = cache.lock(wasm("a")).unwrap();
                if entry.find().is_none() {
                    compiled.fetch_add(1, Ordering::SeqCst);
                    entry.store(b"code").unwrap();
                }
            });
        }
    });
    assert_eq!(compiled.into_inner(), 1);
}

#[test]
fn what_was_not_used_for_longest_makes_room_and_the_newest_stays() {
    let root = tempfile::tempdir().unwrap();
    let cache = DiskCache::open(root.path(), engine(), 250).unwrap();
    let now = SystemTime::now();
    for (name, age) in [("old", 300), ("older", 400)] {
        let code = cache.lock(wasm(name)).unwrap().store(&[0; 100]).unwrap();
        let head = fs::File::open(code.with_extension("head")).unwrap();
        head.set_modified(now - Duration::from_secs(age)).unwrap();
    }
    assert!(finds(&cache, "older"), "which is a use");
    cache.lock(wasm("new")).unwrap().store(&[0; 100]).unwrap();
    assert!(!finds(&cache, "old"));
    assert!(finds(&cache, "older") && finds(&cache, "new"));
    cache.lock(wasm("huge")).unwrap().store(&[0; 1000]).unwrap();
    assert!(
        finds(&cache, "huge"),
        "larger than the cache, and kept for its user"
    );
    assert!(!finds(&cache, "older") && !finds(&cache, "new"));
}

#[test]
fn what_a_writer_that_died_left_is_removed_in_time() {
    let root = tempfile::tempdir().unwrap();
    let (cache, code) = filled(root.path());
    let (old, young) = (
        code.with_file_name("new-old"),
        code.with_file_name("new-young"),
    );
    for path in [&old, &young] {
        fs::write(path, "half").unwrap();
    }
    let day = Duration::from_secs(24 * 3600);
    let file = fs::File::options().write(true).open(&old).unwrap();
    file.set_modified(SystemTime::now() - day).unwrap();
    cache.lock(wasm("b")).unwrap().store(b"code").unwrap();
    assert!(!old.exists() && young.exists());
    cache.lock(wasm("b")).unwrap().remove();
    assert!(!finds(&cache, "b"));
}

#[test]
fn what_another_engine_compiled_long_ago_is_removed() {
    let root = tempfile::tempdir().unwrap();
    let (_, code) = filled(root.path());
    let dir = code.parent().unwrap();
    let other = |name: &[u8]| DiskCache::open(root.path(), Digest::of(name), MUCH).unwrap();
    other(b"another engine");
    assert!(code.exists(), "it was used lately");
    let year = Duration::from_secs(365 * 24 * 3600);
    let handle = fs::File::open(dir).unwrap();
    handle.set_modified(SystemTime::now() - year).unwrap();
    open(root.path());
    assert!(code.exists(), "its own");
    other(b"another engine");
    assert!(!code.exists());
}
