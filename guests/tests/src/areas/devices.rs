use std::fs::{self, File};
use std::io::{Read, Write};

use super::raw;

const CHARACTER_DEVICE: u8 = 2;

fn type_of(name: &[u8], follow: i32) -> u8 {
    let (path, len) = raw::path(name);
    let mut stat = [0_u64; 8];
    // SAFETY: there is room for the answer.
    let errno =
        unsafe { raw::path_filestat_get(raw::ROOT, follow, path, len, raw::into(&mut stat)) };
    assert_eq!(errno, 0, "{name:?}");
    stat[2] as u8
}

pub fn devices() {
    assert_eq!(fs::read("/dev/null").unwrap(), b"");
    fs::write("/dev/null", b"away").unwrap();
    assert_eq!(fs::read("/dev/null").unwrap(), b"");
    let mut zeros = [1; 5000];
    File::open("/dev/zero")
        .unwrap()
        .read_exact(&mut zeros)
        .unwrap();
    assert!(zeros.iter().all(|byte| *byte == 0));
    let mut full = File::options()
        .read(true)
        .write(true)
        .open("/dev/full")
        .unwrap();
    assert_eq!(raw::errno(full.write(b"x")), raw::NOSPC);
    full.read_exact(&mut zeros).unwrap();
    for name in ["/dev/random", "/dev/urandom"] {
        let mut bytes = [0; 64];
        File::open(name).unwrap().read_exact(&mut bytes).unwrap();
        assert_ne!(bytes, [0; 64]);
    }
    assert_eq!(raw::errno(File::open("/dev/tty")), raw::NXIO);

    // However one gets there.
    let dev = raw::open(raw::ROOT, b"dev", 1, 2, raw::READ).unwrap();
    let null = raw::open(dev, b"../dev/./null", 1, 0, raw::RIGHTS).unwrap();
    assert_eq!(raw::write(null, b"away"), Ok(4));
    assert_eq!(raw::read::<4>(null), Ok(Vec::new()));
    let (text, text_len) = raw::path(b"/dev/null");
    let (place, len) = raw::path(b"tmp/null");
    // SAFETY: both paths are there until the call is over.
    assert_eq!(
        unsafe { raw::path_symlink(text, text_len, raw::ROOT, place, len) },
        0
    );
    fs::write("/tmp/null", b"away").unwrap();
    assert_eq!(fs::read("/tmp/null").unwrap(), b"");
    assert_eq!(fs::metadata("/dev/null").unwrap().len(), 0);

    assert_eq!(type_of(b"dev/null", 0), CHARACTER_DEVICE);
    assert_eq!(type_of(b"tmp/null", 1), CHARACTER_DEVICE);
    assert_ne!(type_of(b"tmp/null", 0), CHARACTER_DEVICE);
    let names: Vec<_> = fs::read_dir("/dev")
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| !entry.file_type().unwrap().is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    for name in [
        "null", "zero", "full", "random", "urandom", "tty", "stdin", "fd",
    ] {
        assert!(
            names.iter().any(|found| found == name),
            "{name} in {names:?}"
        );
    }
}

/// Expects `input` on its standard input; writes `out` and `err`.
pub fn descriptors() {
    let mut input = String::new();
    File::open("/dev/stdin")
        .unwrap()
        .read_to_string(&mut input)
        .unwrap();
    assert_eq!(input, "input");
    fs::write("/dev/stdout", b"out").unwrap();
    let err = raw::open(raw::ROOT, b"dev/fd/2", 1, 0, raw::RIGHTS).unwrap();
    assert_eq!(raw::write(err, b"err"), Ok(3));
    let file = File::create("/tmp/f").unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&file);
    fs::write(format!("/dev/fd/{number}"), b"through").unwrap();
    assert_eq!(fs::read("/tmp/f").unwrap(), b"through");
    drop(file);
    assert_eq!(
        raw::errno(File::open(format!("/dev/fd/{number}"))),
        raw::BADF
    );
    assert_eq!(raw::errno(File::open("/dev/fd/none")), raw::NOENT);
    assert_eq!(raw::errno(File::open("/dev/fd/99999999999999")), raw::NOENT);
    assert_eq!(
        fs::read_dir("/dev/fd").unwrap().count(),
        0,
        "nothing was made there"
    );
}
