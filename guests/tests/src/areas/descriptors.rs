use std::fs;

use super::raw;

const WRITE: i64 = 1 << 6;
const SEEK: i64 = 1 << 2;
const TELL: i64 = 1 << 5;

/// Type, flags and rights.
fn stat(fd: i32) -> Result<(u8, u16, i64, i64), i32> {
    let mut words = [0_u64; 3];
    // SAFETY: there is room for the answer.
    match unsafe { raw::fd_fdstat_get(fd, raw::into(&mut words)) } {
        0 => Ok((
            words[0] as u8,
            (words[0] >> 16) as u16,
            words[1] as i64,
            words[2] as i64,
        )),
        errno => Err(errno),
    }
}

pub fn descriptors() {
    fs::write("/tmp/f", b"abc").unwrap();
    let file = raw::open(raw::ROOT, b"tmp/f", 1, 0, raw::READ).unwrap();
    let (kind, flags, rights, inherited) = stat(file).unwrap();
    assert_eq!((kind, flags), (4, 0));
    assert!(rights & raw::READ != 0 && rights & WRITE == 0 && rights & (SEEK | TELL) != 0);
    assert_eq!(inherited, raw::RIGHTS);
    let both = raw::open(raw::ROOT, b"tmp/f", 1, 0, raw::READ | WRITE).unwrap();
    assert!(stat(both).unwrap().2 & WRITE != 0);
    assert_eq!(stat(raw::ROOT).unwrap().0, 3);
    let (kind, _, rights, _) = stat(1).unwrap();
    assert_eq!(
        (kind, rights & (SEEK | TELL)),
        (0, 0),
        "a stream of the host is no terminal"
    );
    assert_eq!(stat(77), Err(raw::BADF));

    assert_eq!(raw::write(file, b"x"), Err(raw::BADF));
    assert_eq!(raw::read::<2>(raw::ROOT), Err(raw::ISDIR));
    assert_eq!(raw::write(raw::ROOT, b"x"), Err(raw::BADF));
    // SAFETY: no memory is passed.
    unsafe {
        assert_eq!(raw::fd_fdstat_set_flags(both, 1), 0);
        assert_eq!(stat(both).unwrap().1, 1);
        assert_eq!(raw::write(both, b"d"), Ok(1));
        assert_eq!(raw::fd_fdstat_set_flags(both, 0), 0);
        assert_eq!(raw::fd_fdstat_set_flags(both, 1 << 5), raw::INVAL);
        assert_eq!(raw::fd_fdstat_set_flags(both, -1), raw::INVAL);
        assert_eq!(raw::fd_fdstat_set_rights(both, 0, 0), 0);
    }
    assert_eq!(fs::read("/tmp/f").unwrap(), b"abcd", "appended");

    // What is moved keeps its place; what was there is closed.
    assert_eq!(raw::read::<2>(file), Ok(b"ab".to_vec()));
    // SAFETY: no memory is passed.
    unsafe {
        assert_eq!(raw::fd_renumber(file, both), 0);
        assert_eq!(raw::fd_renumber(file, both), raw::BADF);
        assert_eq!(raw::fd_renumber(both, both), 0);
        assert_eq!(raw::fd_renumber(both, -1), raw::BADF);
        assert_eq!(raw::fd_renumber(both, 40), 0);
    }
    assert_eq!(raw::read::<9>(40), Ok(b"cd".to_vec()));
    assert_eq!(raw::close(40), 0);
    assert_eq!(raw::close(40), raw::BADF);
    // The lowest free number is the next one.
    assert_eq!(raw::open(raw::ROOT, b"tmp/f", 1, 0, raw::READ), Ok(file));
}

pub fn preopens() {
    let mut prestat = [9_u32; 2];
    let mut name = [b'?'; 4];
    // SAFETY: there is room for the answers.
    unsafe {
        assert_eq!(raw::fd_prestat_get(3, raw::into(&mut prestat)), 0);
        assert_eq!(prestat, [0, 1]);
        assert_eq!(raw::fd_prestat_dir_name(3, raw::into(&mut name), 1), 0);
        assert_eq!(&name, b"/???");
        assert_eq!(
            raw::fd_prestat_dir_name(3, raw::into(&mut name), 0),
            raw::NAMETOOLONG
        );
        // The search for them ends here, and standard streams are none.
        for fd in [4, 0, 1, 2, -1] {
            assert_eq!(raw::fd_prestat_get(fd, raw::into(&mut prestat)), raw::BADF);
        }
    }
    let dir = raw::open(3, b"tmp", 1, 2, raw::READ).unwrap();
    // SAFETY: there is room for the answer.
    let opened = unsafe { raw::fd_prestat_get(dir, raw::into(&mut prestat)) };
    assert_eq!(opened, raw::BADF, "an opened directory is no preopened one");
}

/// Opens files until there may be no more: then nothing is made.
pub fn many() {
    let mut opened = Vec::new();
    let errno = loop {
        match raw::open(raw::ROOT, b"tmp/f", 1, 1, raw::RIGHTS) {
            Ok(fd) => opened.push(fd),
            Err(errno) => break errno,
        }
        assert!(opened.len() < 100_000);
    };
    assert_eq!(errno, raw::MFILE);
    assert_eq!(
        raw::open(raw::ROOT, b"tmp/new", 1, 1, raw::RIGHTS),
        Err(raw::MFILE)
    );
    let last = opened.pop().unwrap();
    assert_eq!(raw::close(last), 0);
    assert_eq!(
        raw::open(raw::ROOT, b"tmp/new", 1, 0, raw::READ),
        Err(raw::NOENT)
    );
    assert_eq!(raw::open(raw::ROOT, b"tmp/f", 1, 0, raw::READ), Ok(last));
}
