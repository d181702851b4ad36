use std::fs;

use super::raw;

pub fn paths() {
    fs::write("/tmp/f", b"f").unwrap();
    fs::create_dir("/tmp/d").unwrap();
    // The root is above itself, from wherever one climbs.
    let tmp = raw::open(raw::ROOT, b"tmp", 1, 2, raw::READ).unwrap();
    for path in [
        &b"../tmp/f"[..],
        b"../../../../tmp/f",
        b"/tmp/f",
        b"//tmp//./f",
        b"f",
        b"./d/../f",
    ] {
        let fd = raw::open(tmp, path, 1, 0, raw::READ)
            .unwrap_or_else(|errno| panic!("{path:?}: {errno}"));
        assert_eq!(raw::read::<4>(fd), Ok(b"f".to_vec()));
        assert_eq!(raw::close(fd), 0);
    }
    assert_eq!(fs::read("/../../tmp/f").unwrap(), b"f");
    // Slashes at the end want a directory.
    assert_eq!(raw::open(tmp, b"f/", 1, 0, raw::READ), Err(raw::NOTDIR));
    assert_eq!(raw::open(tmp, b"new/", 1, 1, raw::RIGHTS), Err(raw::ISDIR));
    assert_eq!(raw::open(tmp, b"f/..", 1, 0, raw::READ), Err(raw::NOTDIR));
    assert_eq!(
        raw::open(tmp, b"d/", 1, 0, raw::READ).map(raw::close),
        Ok(0)
    );
    fs::create_dir("/tmp/d/e/").unwrap();
    fs::remove_dir("/tmp/d/e/").unwrap();
    assert_eq!(raw::open(tmp, b"", 1, 0, raw::READ), Err(raw::NOENT));
    assert_eq!(raw::open(tmp, b"f", 1, 2, raw::READ), Err(raw::NOTDIR));
    assert_eq!(raw::open(tmp, b"d", 1, 1, raw::RIGHTS), Err(raw::ISDIR));
    assert_eq!(
        raw::open(tmp, b"x", 1, 3, raw::RIGHTS),
        Err(raw::INVAL),
        "no directory is made"
    );
    let long = [b'n'; 256];
    assert_eq!(
        raw::open(tmp, &long, 1, 1, raw::RIGHTS),
        Err(raw::NAMETOOLONG)
    );
    assert_eq!(
        raw::open(tmp, &long[..255], 1, 1, raw::RIGHTS).map(raw::close),
        Ok(0)
    );
    let deep = b"./".repeat(2049);
    assert_eq!(
        raw::open(tmp, &deep, 1, 0, raw::READ),
        Err(raw::NAMETOOLONG)
    );
    // A descriptor that is no directory is nowhere to start from.
    let file = raw::open(tmp, b"f", 1, 0, raw::READ).unwrap();
    assert_eq!(raw::open(file, b"x", 1, 0, raw::READ), Err(raw::NOTDIR));
    assert_eq!(raw::open(1, b"x", 1, 0, raw::READ), Err(raw::NOTDIR));
    assert_eq!(raw::open(99, b"x", 1, 0, raw::READ), Err(raw::BADF));
}

pub fn not_text() {
    assert_eq!(
        raw::open(raw::ROOT, b"tmp/\xFF", 1, 1, raw::RIGHTS),
        Err(raw::ILSEQ)
    );
    assert_eq!(
        raw::open(raw::ROOT, b"tmp/a\0b", 1, 1, raw::RIGHTS),
        Err(raw::INVAL)
    );
    let (bad, len) = raw::path(b"tmp/\xC3\x28");
    // SAFETY: the path is there until the call is over.
    unsafe {
        assert_eq!(raw::path_create_directory(raw::ROOT, bad, len), raw::ILSEQ);
        assert_eq!(raw::path_unlink_file(raw::ROOT, bad, len), raw::ILSEQ);
        let (good, good_len) = raw::path(b"tmp/good");
        assert_eq!(
            raw::path_symlink(bad, len, raw::ROOT, good, good_len),
            raw::ILSEQ
        );
        assert_eq!(
            raw::path_rename(raw::ROOT, good, good_len, raw::ROOT, bad, len),
            raw::ILSEQ
        );
    }
    assert_eq!(fs::read_dir("/tmp").unwrap().count(), 0);
    fs::write("/tmp/ü 漢", b"").unwrap();
    assert!(fs::metadata("/tmp/ü 漢").is_ok());
}
