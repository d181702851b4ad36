use std::fs::{self, File, FileTimes};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::raw;

const ACCESSED: i32 = 1;
const ACCESSED_NOW: i32 = 2;
const MODIFIED: i32 = 4;
const MODIFIED_NOW: i32 = 8;

fn set(name: &[u8], follow: i32, accessed: i64, modified: i64, flags: i32) -> i32 {
    let (path, len) = raw::path(name);
    // SAFETY: the path is there until the call is over.
    unsafe { raw::path_filestat_set_times(raw::ROOT, follow, path, len, accessed, modified, flags) }
}

pub fn times() {
    let before = SystemTime::now();
    let file = File::create("/tmp/f").unwrap();
    let made = file.metadata().unwrap().modified().unwrap();
    assert!(made >= before && made <= SystemTime::now());

    let then = UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    file.set_times(FileTimes::new().set_modified(then)).unwrap();
    let metadata = fs::metadata("/tmp/f").unwrap();
    assert_eq!(metadata.modified().unwrap(), then);
    assert_eq!(metadata.accessed().unwrap(), made, "what is not set stays");

    assert_eq!(
        set(b"tmp/f", 1, 5_000_000_007, 0, ACCESSED | MODIFIED_NOW),
        0
    );
    let metadata = fs::metadata("/tmp/f").unwrap();
    assert_eq!(
        metadata.accessed().unwrap(),
        UNIX_EPOCH + Duration::from_nanos(5_000_000_007)
    );
    assert!(metadata.modified().unwrap() >= made);
    assert_eq!(set(b"tmp/f", 1, 0, 0, ACCESSED | ACCESSED_NOW), raw::INVAL);
    assert_eq!(set(b"tmp/f", 1, 0, 0, MODIFIED | MODIFIED_NOW), raw::INVAL);
    assert_eq!(set(b"tmp/f", 1, 0, 0, 16), raw::INVAL);
    assert_eq!(set(b"tmp/none", 1, 0, 0, MODIFIED), raw::NOENT);

    // A link has times of its own.
    let (text, text_len) = raw::path(b"f");
    let (place, len) = raw::path(b"tmp/link");
    // SAFETY: both paths are there until the call is over.
    assert_eq!(
        unsafe { raw::path_symlink(text, text_len, raw::ROOT, place, len) },
        0
    );
    assert_eq!(set(b"tmp/link", 0, 0, 1, MODIFIED), 0);
    let link = fs::symlink_metadata("/tmp/link")
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(link, UNIX_EPOCH + Duration::from_nanos(1));
    assert!(fs::metadata("/tmp/link").unwrap().modified().unwrap() >= made);

    // Writing moves the time on, reading does not.
    file.set_times(FileTimes::new().set_modified(then)).unwrap();
    fs::read("/tmp/f").unwrap();
    assert_eq!(fs::metadata("/tmp/f").unwrap().modified().unwrap(), then);
    fs::write("/tmp/f", b"x").unwrap();
    assert!(fs::metadata("/tmp/f").unwrap().modified().unwrap() >= made);
}
