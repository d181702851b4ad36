use std::fs;

use super::raw;

fn symlink(text: &[u8], place: &[u8]) -> i32 {
    let (text, text_len) = raw::path(text);
    let (place, len) = raw::path(place);
    // SAFETY: both paths are there until the call is over.
    unsafe { raw::path_symlink(text, text_len, raw::ROOT, place, len) }
}

pub fn links() {
    fs::write("/tmp/one", b"1").unwrap();
    fs::hard_link("/tmp/one", "/tmp/two").unwrap();
    fs::write("/tmp/two", b"22").unwrap();
    assert_eq!(fs::read("/tmp/one").unwrap(), b"22");
    assert_eq!(
        raw::errno(fs::hard_link("/tmp/one", "/tmp/two")),
        raw::EXIST
    );
    fs::remove_file("/tmp/one").unwrap();
    assert_eq!(fs::read("/tmp/two").unwrap(), b"22");
    fs::rename("/tmp/two", "/tmp/three").unwrap();
    assert_eq!(fs::read("/tmp/three").unwrap(), b"22");
    assert!(fs::hard_link("/tmp", "/tmp/dir").is_err());
}

pub fn symlinks() {
    fs::create_dir("/tmp/dir").unwrap();
    fs::write("/tmp/dir/file", b"here").unwrap();
    assert_eq!(symlink(b"dir/file", b"tmp/relative"), 0);
    assert_eq!(symlink(b"/tmp/dir", b"tmp/absolute"), 0);
    assert_eq!(symlink(b"../../../../tmp/dir", b"tmp/climbing"), 0);
    assert_eq!(symlink(b"nothing", b"tmp/dangling"), 0);
    assert_eq!(symlink(b"/tmp/loop", b"tmp/loop"), 0);
    assert_eq!(symlink(b"", b"tmp/empty"), raw::NOENT);
    assert_eq!(symlink(b"x", b"tmp/relative"), raw::EXIST);
    assert_eq!(fs::read("/tmp/relative").unwrap(), b"here");
    assert_eq!(fs::read("/tmp/absolute/file").unwrap(), b"here");
    assert_eq!(fs::read("/tmp/climbing/file").unwrap(), b"here");
    assert_eq!(raw::errno(fs::read("/tmp/dangling")), raw::NOENT);
    assert_eq!(raw::errno(fs::read("/tmp/loop")), raw::LOOP);
    assert_eq!(raw::errno(fs::read("/tmp/loop/file")), raw::LOOP);
    assert_eq!(
        fs::read_link("/tmp/relative").unwrap().to_str(),
        Some("dir/file")
    );
    assert_eq!(raw::errno(fs::read_link("/tmp/dir/file")), raw::INVAL);
    assert!(fs::symlink_metadata("/tmp/loop").unwrap().is_symlink());
    assert!(fs::metadata("/tmp/absolute").unwrap().is_dir());
    assert_eq!(
        raw::open(raw::ROOT, b"tmp/relative", 0, 0, raw::READ),
        Err(raw::LOOP)
    );

    // A text that is longer than the buffer is cut off.
    let (place, len) = raw::path(b"tmp/relative");
    let mut text = [b'?'; 6];
    let mut used = 0_u32;
    // SAFETY: the buffer is larger than the call is told.
    let read = unsafe {
        let (text, used) = (raw::into(&mut text), raw::into(&mut used));
        raw::path_readlink(raw::ROOT, place, len, text, 3, used)
    };
    assert_eq!((read, used, &text), (0, 3, b"dir???"));

    // Written through, made through, removed without following.
    fs::write("/tmp/dangling", b"made").unwrap();
    assert_eq!(fs::read("/tmp/nothing").unwrap(), b"made");
    fs::remove_file("/tmp/dangling").unwrap();
    assert_eq!(fs::read("/tmp/nothing").unwrap(), b"made");
}
