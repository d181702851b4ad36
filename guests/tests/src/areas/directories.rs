use std::collections::BTreeSet;
use std::fs;

use super::raw;

fn names(dir: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

pub fn directories() {
    fs::create_dir_all("/tmp/a/b/c").unwrap();
    fs::create_dir_all("/tmp/a/b/c").unwrap();
    assert_eq!(raw::errno(fs::create_dir("/tmp/a")), raw::EXIST);
    assert_eq!(raw::errno(fs::create_dir("/tmp/none/b")), raw::NOENT);
    fs::write("/tmp/a/file", b"1").unwrap();
    assert_eq!(names("/tmp/a"), ["b", "file"].map(String::from).into());
    for entry in fs::read_dir("/tmp/a").unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.file_type().unwrap().is_dir(),
            entry.file_name() == "b"
        );
        assert_eq!(entry.metadata().unwrap().is_dir(), entry.file_name() == "b");
    }
    assert_eq!(raw::errno(fs::remove_dir("/tmp/a")), raw::NOTEMPTY);
    assert_eq!(raw::errno(fs::remove_dir("/tmp/a/file")), raw::NOTDIR);
    assert_eq!(raw::errno(fs::remove_file("/tmp/a/b")), raw::ISDIR);
    assert_eq!(raw::errno(fs::create_dir("/tmp/a/file/x")), raw::NOTDIR);
    fs::rename("/tmp/a/file", "/tmp/a/b/moved").unwrap();
    assert_eq!(fs::read("/tmp/a/b/moved").unwrap(), b"1");
    assert_eq!(raw::errno(fs::rename("/tmp/a", "/tmp/a/b/c/d")), raw::INVAL);
    fs::remove_dir_all("/tmp/a").unwrap();
    assert_eq!(raw::errno(fs::metadata("/tmp/a")), raw::NOENT);
    assert_eq!(names("/tmp").len(), 0);
}

/// More entries than one buffer holds, some of which go while they are listed.
pub fn big_directory() {
    fs::create_dir("/tmp/big").unwrap();
    let name = |index: usize| format!("entry-{index:0>40}");
    for index in 0..2000 {
        fs::write(format!("/tmp/big/{}", name(index)), b"").unwrap();
    }
    assert_eq!(names("/tmp/big").len(), 2000);
    let mut seen = BTreeSet::new();
    for (count, entry) in fs::read_dir("/tmp/big").unwrap().enumerate() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        assert!(seen.insert(file.clone()), "{file} came twice");
        // It may have gone since it was read into the library's buffer.
        let _ = fs::remove_file(format!("/tmp/big/{file}"));
        if count % 2 == 0 {
            // What is still to come is taken away as well, or new.
            let _ = fs::remove_file(format!("/tmp/big/{}", name(1999 - count)));
        }
    }
    assert!(seen.len() >= 1000);
    fs::remove_dir("/tmp/big").unwrap();
}

/// An open directory is where it is moved to.
pub fn moved_directory() {
    fs::create_dir_all("/tmp/old/sub").unwrap();
    let dir = raw::open(raw::ROOT, b"tmp/old", 1, 2, raw::READ).unwrap();
    fs::create_dir("/tmp/parent").unwrap();
    fs::rename("/tmp/old", "/tmp/parent/new").unwrap();
    let file = raw::open(dir, b"file", 1, 1, raw::RIGHTS).unwrap();
    assert_eq!(raw::write(file, b"x"), Ok(1));
    assert_eq!(fs::read("/tmp/parent/new/file").unwrap(), b"x");
    let up = raw::open(dir, b"../new/sub", 1, 2, raw::READ).unwrap();
    assert_eq!(raw::close(up), 0);
    fs::remove_file("/tmp/parent/new/file").unwrap();
    fs::remove_dir("/tmp/parent/new/sub").unwrap();
    fs::remove_dir("/tmp/parent/new").unwrap();
    assert_eq!(raw::open(dir, b"file", 1, 1, raw::RIGHTS), Err(raw::NOENT));
    assert_eq!(raw::open(dir, b"..", 1, 2, raw::READ), Err(raw::NOENT));
}
