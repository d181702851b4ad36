use std::fs::{self, File, OpenOptions};
use std::io::{IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};

use super::raw;

pub fn files() {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open("/tmp/f")
        .unwrap();
    file.write_all(b"hello world").unwrap();
    assert_eq!(file.stream_position().unwrap(), 11);
    assert_eq!(raw::errno(file.read(&mut [0; 4])), raw::BADF);
    drop(file);
    assert_eq!(raw::errno(File::create_new("/tmp/f")), raw::EXIST);
    assert_eq!(fs::read("/tmp/f").unwrap(), b"hello world");

    let options = OpenOptions::new().read(true).write(true).clone();
    let mut file = options.open("/tmp/f").unwrap();
    assert_eq!(file.seek(SeekFrom::End(-5)).unwrap(), 6);
    let mut five = [0; 5];
    file.read_exact(&mut five).unwrap();
    assert_eq!(&five, b"world");
    assert_eq!(file.read(&mut five).unwrap(), 0);
    assert_eq!(raw::errno(file.seek(SeekFrom::Current(-12))), raw::INVAL);
    assert_eq!(
        file.stream_position().unwrap(),
        11,
        "a failed seek moves nothing"
    );
    file.rewind().unwrap();
    let written =
        file.write_vectored(&[IoSlice::new(b"HE"), IoSlice::new(b""), IoSlice::new(b"LLO")]);
    assert_eq!(written.unwrap(), 5);
    file.rewind().unwrap();
    let (mut a, mut b) = ([0; 3], [0; 20]);
    let read = file.read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)]);
    assert_eq!(read.unwrap(), 11);
    assert_eq!((&a, &b[..8]), (b"HEL", &b"LO world"[..]));

    file.set_len(4).unwrap();
    assert_eq!(fs::read("/tmp/f").unwrap(), b"HELL");
    file.set_len(6).unwrap();
    assert_eq!(fs::read("/tmp/f").unwrap(), b"HELL\0\0");
    let metadata = file.metadata().unwrap();
    assert!(metadata.is_file());
    assert_eq!(metadata.len(), 6);
    file.sync_all().unwrap();
    file.sync_data().unwrap();
    drop(
        OpenOptions::new()
            .write(true)
            .truncate(true)
            .open("/tmp/f")
            .unwrap(),
    );
    assert_eq!(fs::metadata("/tmp/f").unwrap().len(), 0);

    fs::write("/tmp/f", vec![7; 3 << 20]).unwrap();
    let big = fs::read("/tmp/f").unwrap();
    assert!(big.len() == 3 << 20 && big.iter().all(|byte| *byte == 7));
    assert_eq!(raw::errno(fs::read("/tmp")), raw::ISDIR);
    assert_eq!(raw::errno(fs::read("/tmp/none")), raw::NOENT);
    assert_eq!(raw::errno(fs::read("/tmp/f/below")), raw::NOTDIR);
}

pub fn sparse() {
    let mut file = File::create("/tmp/sparse").unwrap();
    file.seek(SeekFrom::Start(900 << 20)).unwrap();
    file.write_all(b"end").unwrap();
    assert_eq!(file.metadata().unwrap().len(), (900 << 20) + 3);
    file.seek(SeekFrom::Start(1 << 60)).unwrap();
    assert_eq!(raw::errno(file.write(b"x")), raw::FBIG);
    let mut file = File::open("/tmp/sparse").unwrap();
    file.seek(SeekFrom::Start((900 << 20) - 2)).unwrap();
    let mut end = Vec::new();
    file.read_to_end(&mut end).unwrap();
    assert_eq!(end, b"\0\0end");
    file.seek(SeekFrom::Start(1 << 60)).unwrap();
    assert_eq!(file.read(&mut [0; 8]).unwrap(), 0);
}

pub fn append() {
    let append = || {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open("/tmp/log")
            .unwrap()
    };
    let (mut one, mut two) = (append(), append());
    one.write_all(b"1").unwrap();
    two.write_all(b"2").unwrap();
    one.write_all(b"3").unwrap();
    two.rewind().unwrap();
    two.write_all(b"4").unwrap();
    assert_eq!(fs::read("/tmp/log").unwrap(), b"1234");
}

pub fn unlinked() {
    let options = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .clone();
    let mut file = options.open("/tmp/gone").unwrap();
    file.write_all(b"still here").unwrap();
    fs::remove_file("/tmp/gone").unwrap();
    assert_eq!(raw::errno(fs::metadata("/tmp/gone")), raw::NOENT);
    fs::write("/tmp/gone", b"another").unwrap();
    file.rewind().unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "still here");
    file.write_all(b", and grows").unwrap();
    assert_eq!(file.metadata().unwrap().len(), 21);
    assert_eq!(fs::read("/tmp/gone").unwrap(), b"another");
}

/// The disk has less than 8 MiB. It fills to the last block, then says so, and what is removed
/// makes room.
pub fn full_disk() {
    let mut file = File::create("/tmp/full").unwrap();
    let chunk = vec![1; 100_000];
    let mut total = 0_u64;
    let error = loop {
        match file.write(&chunk) {
            Ok(count) => total += count as u64,
            Err(error) => break error,
        }
        assert!(total < 8 << 20);
    };
    assert_eq!(error.raw_os_error(), Some(raw::NOSPC));
    assert_eq!(
        file.metadata().unwrap().len(),
        total,
        "a failed write writes nothing"
    );
    // What is left is less than a block: a few names.
    let mut names = 0;
    while fs::create_dir(format!("/tmp/{names}")).is_ok() {
        names += 1;
        assert!(names < 4);
    }
    fs::remove_file("/tmp/full").unwrap();
    let mut more = 0;
    while let Ok(count) = file.write(&chunk) {
        more += count;
        assert!(more < 2048, "the open file is still there");
    }
    drop(file);
    fs::write("/tmp/again", vec![1; total as usize / 2]).unwrap();
}
