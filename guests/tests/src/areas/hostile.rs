//! What no library would pass. Nothing of it may do more than give an error.

use std::fs;

use super::raw;

/// One past the last address, as a number.
fn end() -> i32 {
    (core::arch::wasm32::memory_size(0) << 16) as i32
}

fn memory_is(errno: i32) -> bool {
    errno == raw::FAULT
}

pub fn memory() {
    let end = end();
    let (path, len) = raw::path(b"tmp/f");
    fs::write("/tmp/f", b"content").unwrap();
    let file = raw::open(raw::ROOT, b"tmp/f", 1, 0, raw::READ).unwrap();
    let root = raw::ROOT;
    let mut word = [0_u64; 8];
    let out = raw::into(&mut word);
    // Over the end, across it, and where the sum overflows.
    for bad in [end, end - 1, -1, -4, i32::MIN] {
        // SAFETY: the addresses lie outside; that they are refused is what is looked at.
        unsafe {
            assert!(memory_is(raw::args_get(bad, out)));
            assert!(memory_is(raw::args_get(out, bad)));
            assert!(memory_is(raw::args_sizes_get(bad, out)));
            assert!(memory_is(raw::args_sizes_get(out, bad)));
            assert!(memory_is(raw::environ_get(bad, out)));
            assert!(memory_is(raw::environ_sizes_get(out, bad)));
            assert!(memory_is(raw::clock_res_get(0, bad)));
            assert!(memory_is(raw::clock_time_get(1, 0, bad)));
            assert!(memory_is(raw::fd_fdstat_get(root, bad)));
            assert!(memory_is(raw::fd_filestat_get(root, bad)));
            assert!(memory_is(raw::fd_prestat_get(root, bad)));
            assert!(memory_is(raw::fd_read(file, bad, 1, out)));
            assert!(memory_is(raw::fd_readdir(root, bad, 100, 0, out)));
            assert!(memory_is(raw::fd_readdir(root, out, 64, 0, bad)));
            assert!(memory_is(raw::fd_seek(file, 0, 0, bad)));
            assert!(memory_is(raw::fd_tell(file, bad)));
            assert!(memory_is(raw::fd_write(1, bad, 1, out)));
            assert!(memory_is(raw::path_create_directory(root, bad, 2)));
            assert!(memory_is(raw::path_filestat_get(root, 0, bad, 2, out)));
            assert!(memory_is(raw::path_filestat_get(root, 0, path, len, bad)));
            assert!(memory_is(raw::path_link(root, 0, bad, 2, root, path, len)));
            assert!(memory_is(raw::path_link(root, 0, path, len, root, bad, 2)));
            assert!(memory_is(raw::path_open(root, 0, bad, 2, 0, 0, 0, 0, out)));
            assert!(memory_is(raw::path_readlink(root, bad, 2, out, 8, out)));
            assert!(memory_is(raw::path_readlink(root, path, len, bad, 8, out)));
            assert!(memory_is(raw::path_remove_directory(root, bad, 2)));
            assert!(memory_is(raw::path_rename(root, path, len, root, bad, 2)));
            assert!(memory_is(raw::path_symlink(bad, 2, root, path, len)));
            assert!(memory_is(raw::path_unlink_file(root, bad, 2)));
            assert!(memory_is(raw::poll_oneoff(bad, out, 1, out)));
            assert!(memory_is(raw::random_get(bad, 2)));
            // A file that cannot be answered about is not made, nor is a descriptor lost.
            let open = raw::path_open(
                root,
                0,
                raw::path(b"tmp/new").0,
                7,
                1,
                raw::RIGHTS,
                0,
                0,
                bad,
            );
            assert!(memory_is(open));
        }
        assert!(fs::metadata("/tmp/new").is_err());
    }
    // SAFETY: as above.
    assert!(memory_is(unsafe { raw::fd_prestat_dir_name(root, end, 2) }));
    assert_eq!(
        raw::open(raw::ROOT, b"tmp/f", 1, 0, raw::READ),
        Ok(file + 1)
    );
    assert_eq!(
        raw::read::<16>(file),
        Ok(b"content".to_vec()),
        "nothing was read on the way"
    );
}

pub fn buffers() {
    fs::write("/tmp/f", b"content").unwrap();
    let file = raw::open(raw::ROOT, b"tmp/f", 1, 0, raw::RIGHTS).unwrap();
    let mut count = 0_u32;
    let out = raw::into(&mut count);
    let mut bytes = [0_u8; 8];
    let start = raw::into(&mut bytes);
    // SAFETY: what lies outside is refused, which is what is looked at; the rest is as said.
    unsafe {
        for many in [-1, i32::MAX, 1025, 0x2000_0000] {
            let list = [start, 8];
            assert_eq!(raw::fd_read(file, raw::at(&list), many, out), raw::INVAL);
            assert_eq!(raw::fd_write(file, raw::at(&list), many, out), raw::INVAL);
            assert_eq!(
                raw::fd_pread(file, raw::at(&list), many, 0, out),
                raw::INVAL
            );
            assert_eq!(
                raw::fd_pwrite(file, raw::at(&list), many, 0, out),
                raw::INVAL
            );
            let polled = raw::poll_oneoff(start, start, many, out);
            assert!(polled == raw::INVAL || polled == raw::FAULT);
        }
        // One of several lies outside: nothing is moved at all.
        let list = [start, 4, end() - 2, 4];
        assert_eq!(raw::fd_read(file, raw::at(&list), 2, out), raw::FAULT);
        assert_eq!(raw::fd_write(file, raw::at(&list), 2, out), raw::FAULT);
        let list = [start, -1];
        assert_eq!(raw::fd_read(file, raw::at(&list), 1, out), raw::FAULT);
        assert_eq!(raw::fd_write(1, raw::at(&list), 1, out), raw::FAULT);
        // The same bytes many times over are moved in part.
        let big = vec![b'x'; 1 << 20];
        let list = [raw::at(&big[..]), 1 << 20].repeat(1024);
        assert_eq!(raw::fd_pwrite(file, raw::at(&list[..]), 1024, 0, out), 0);
        let count = std::hint::black_box(*std::ptr::from_ref(&count));
        assert!(count >= 1 && count <= 1 << 20);
        // None at all is nothing.
        assert_eq!(raw::fd_read(file, 0, 0, out), 0);
        assert_eq!(raw::fd_read(0, 0, 0, out), 0);
        // A buffer for a directory as large as memory is.
        let used = raw::fd_readdir(raw::ROOT, 0, end(), 0, out);
        assert!(used == 0 || memory_is(used));
    }
}

pub fn numbers() {
    fs::write("/tmp/f", b"content").unwrap();
    let file = raw::open(raw::ROOT, b"tmp/f", 1, 0, raw::RIGHTS).unwrap();
    let mut word = [0_u64; 64];
    let out = raw::into(&mut word);
    let mut bytes = [0_u8; 8];
    let list = [raw::into(&mut bytes), 8];
    let list = raw::at(&list);
    let root = raw::ROOT;
    let path = raw::path(b"tmp/f");
    // SAFETY: all addresses are good.
    unsafe {
        assert_eq!(raw::fd_seek(file, i64::MIN, 0, out), raw::INVAL);
        assert_eq!(raw::fd_seek(file, i64::MAX, 2, out), raw::INVAL);
        assert_eq!(raw::fd_seek(file, -1, 0, out), raw::INVAL);
        assert_eq!(raw::fd_seek(file, 0, 3, out), raw::INVAL);
        assert_eq!(raw::fd_seek(file, 0, -1, out), raw::INVAL);
        assert_eq!(raw::fd_seek(1, 0, 0, out), raw::SPIPE);
        assert_eq!(raw::fd_seek(root, 0, 0, out), raw::BADF);
        assert_eq!(raw::fd_pread(file, list, 1, -1, out), raw::INVAL);
        assert_eq!(raw::fd_pwrite(file, list, 1, i64::MIN, out), raw::INVAL);
        assert_eq!(raw::fd_pwrite(file, list, 1, i64::MAX, out), raw::FBIG);
        assert_eq!(raw::fd_pread(file, list, 1, i64::MAX, out), 0);
        assert_eq!(raw::fd_pwrite(1, list, 1, 0, out), raw::SPIPE);
        assert_eq!(raw::fd_filestat_set_size(file, -1), raw::INVAL);
        assert_eq!(raw::fd_filestat_set_size(file, i64::MAX), raw::FBIG);
        assert_eq!(raw::fd_filestat_set_size(root, 0), raw::INVAL);
        assert_eq!(raw::fd_allocate(root, 0, 1), raw::BADF);
        assert_eq!(raw::fd_allocate(file, 0, 0), raw::INVAL);
        assert_eq!(raw::fd_allocate(file, -1, 1), raw::INVAL);
        assert_eq!(raw::fd_allocate(file, i64::MAX, i64::MAX), raw::FBIG);
        assert_eq!(raw::fd_allocate(file, 2, 8), 0);
        assert_eq!(raw::fd_advise(file, 0, 0, 6), raw::INVAL);
        assert_eq!(raw::fd_advise(file, -1, 0, 0), raw::INVAL);
        assert_eq!(raw::fd_advise(file, 0, -1, 3), 0);
        // Cookies that nobody gave out are at the end, or somewhere: never outside.
        for cookie in [-1, i64::MIN, i64::MAX, 1 << 40] {
            word[0] = 7;
            assert_eq!(
                raw::fd_readdir(root, raw::at(&word) + 64, 256, cookie, out),
                0
            );
            assert_eq!(word[0] as u32, 0);
        }
        assert_eq!(raw::fd_readdir(file, out, 64, 0, out), raw::NOTDIR);
        for flags in [2, -1, i32::MIN] {
            assert_eq!(
                raw::path_filestat_get(root, flags, path.0, path.1, out),
                raw::INVAL
            );
            assert_eq!(
                raw::path_link(root, flags, path.0, path.1, root, path.0, path.1),
                raw::INVAL
            );
            assert_eq!(
                raw::path_open(root, flags, path.0, path.1, 0, 0, 0, 0, out),
                raw::INVAL
            );
        }
        assert_eq!(
            raw::path_open(root, 1, path.0, path.1, 16, 0, 0, 0, out),
            raw::INVAL
        );
        assert_eq!(
            raw::path_open(root, 1, path.0, path.1, 0, 0, 0, 64, out),
            raw::INVAL
        );
        assert_eq!(
            raw::path_open(root, 1, path.0, -1, 0, 0, 0, 0, out),
            raw::FAULT
        );
        for fd in [-1, i32::MIN, i32::MAX, 1000] {
            assert_eq!(raw::close(fd), raw::BADF);
            assert_eq!(raw::fd_sync(fd), raw::BADF);
            assert_eq!(raw::fd_renumber(fd, 1), raw::BADF);
            assert_eq!(
                raw::fd_renumber(file, fd),
                if fd == 1000 { 0 } else { raw::BADF }
            );
            assert_eq!(
                raw::sock_shutdown(fd, 1),
                if fd == 1000 { raw::NOTSOCK } else { raw::BADF }
            );
        }
        assert_eq!(raw::sock_recv(0, list, 1, 0, out, out), raw::NOTSOCK);
        assert_eq!(raw::sock_send(1, list, 1, 0, out), raw::NOTSOCK);
        assert_eq!(raw::sock_accept(1, 0, out), raw::NOTSOCK);
        assert_eq!(raw::sock_recv(0, list, 1, 64, out, out), raw::INVAL);
        assert_eq!(raw::sock_send(1, list, 1, 1, out), raw::INVAL);
        assert_eq!(raw::proc_raise(31), raw::INVAL);
        assert_eq!(raw::proc_raise(-1), raw::INVAL);
    }
}
