//! Pipes and signals, through the calls beyond WASI.

use super::polling::{HANG_UP, Subscription, poll};
use super::raw;

const NONBLOCK: i32 = 4;
const SIGPIPE: i32 = 13;
const SIGUSR1: i32 = 10;
const AGAIN: i32 = 6;
const INTR: i32 = 27;
const PIPE: i32 = 64;

#[link(wasm_import_module = "sandbox_v0")]
unsafe extern "C" {
    #[link_name = "pipe"]
    fn make_pipe(read: i32, write: i32) -> i32;
    fn sigaction(signal: i32, disposition: i32) -> i32;
    fn sigtake(signal: i32) -> i32;
}

fn pipe() -> (i32, i32) {
    let mut ends = [-1_i32; 2];
    let at = raw::into(&mut ends);
    // SAFETY: there is room for both answers.
    assert_eq!(unsafe { make_pipe(at, at + 4) }, 0);
    std::hint::black_box(ends).into()
}

fn set_nonblocking(fd: i32) {
    // SAFETY: no memory is passed.
    assert_eq!(unsafe { raw::fd_fdstat_set_flags(fd, NONBLOCK) }, 0);
}

pub fn pipes() {
    let (reader, writer) = pipe();
    let wait = |fd: i32, write| {
        let now = Subscription::clock(9, 1, std::time::Duration::ZERO, false);
        let found = poll(&[Subscription::descriptor(1, write, fd as u64), now]).unwrap();
        (found[0].0 == 1).then_some((found[0].3, found[0].4))
    };
    assert_eq!(wait(reader, false), None);
    assert_eq!(wait(writer, true), Some((65536, 0)));
    assert_eq!(raw::write(writer, b"abc"), Ok(3));
    assert_eq!(wait(reader, false), Some((3, 0)));
    assert_eq!(raw::read::<2>(reader), Ok(b"ab".to_vec()));
    // Over several buffers, and less than there is room for.
    let (mut one, mut two) = ([0_u8; 3], [0_u8; 3]);
    assert_eq!(raw::write(writer, b"defg"), Ok(4));
    let list = [raw::into(&mut one), 3, raw::into(&mut two), 3];
    let mut count = 0_u32;
    // SAFETY: the buffers are as long as the list says.
    assert_eq!(
        unsafe { raw::fd_read(reader, raw::at(&list), 2, raw::into(&mut count)) },
        0
    );
    assert_eq!(
        std::hint::black_box((count, one, two)),
        (5, *b"cde", *b"fg\0")
    );

    set_nonblocking(reader);
    assert_eq!(raw::read::<2>(reader), Err(AGAIN));
    set_nonblocking(writer);
    let mut total = 0;
    let errno = loop {
        match raw::write(writer, &[b'x'; 5000]) {
            Ok(count) => total += count,
            Err(errno) => break errno,
        }
    };
    assert_eq!((errno, total), (AGAIN, 65536));
    assert_eq!(wait(writer, true), None);
    assert_eq!(raw::read::<65536>(reader).unwrap().len(), 65536);
    assert_eq!(wait(writer, true), Some((65536, 0)));

    // What cannot be sought, and is no socket.
    let mut out = 0_u64;
    // SAFETY: there is room for the answer.
    unsafe {
        assert_eq!(raw::fd_seek(reader, 0, 1, raw::into(&mut out)), raw::SPIPE);
        assert_eq!(
            raw::fd_pread(reader, raw::at(&list), 1, 0, raw::into(&mut out)),
            raw::SPIPE
        );
        assert_eq!(raw::sock_shutdown(reader, 1), raw::NOTSOCK);
    }
    assert_eq!(raw::write(reader, b"x"), Err(raw::BADF));
    assert_eq!(raw::read::<1>(writer), Err(raw::BADF));

    assert_eq!(raw::write(writer, b"last"), Ok(4));
    assert_eq!(raw::close(writer), 0);
    assert_eq!(wait(reader, false), Some((4, HANG_UP)));
    assert_eq!(raw::read::<9>(reader), Ok(b"last".to_vec()));
    assert_eq!(raw::read::<9>(reader), Ok(Vec::new()));
    assert_eq!(wait(reader, false), Some((0, HANG_UP)));
}

/// Writes to what nobody reads, as who ignores that and then as who does not: it never gets to the
/// end.
pub fn broken() {
    let (reader, writer) = pipe();
    assert_eq!(raw::close(reader), 0);
    // SAFETY: no memory is passed.
    assert_eq!(unsafe { sigaction(SIGPIPE, 1) }, 0);
    assert_eq!(raw::write(writer, b"x"), Err(PIPE));
    println!("ignored");
    // SAFETY: no memory is passed.
    assert_eq!(unsafe { sigaction(SIGPIPE, 0) }, 0);
    let _ = raw::write(writer, b"x");
    println!("alive");
}

/// A caught signal ends what waits.
pub fn interrupted() {
    let mut signal = 0_u32;
    // SAFETY: there is room for the answer.
    unsafe {
        assert_eq!(sigaction(SIGUSR1, 2), 0);
        assert_eq!(raw::proc_raise(SIGUSR1), 0);
    }
    let long = Subscription::clock(1, 1, std::time::Duration::from_secs(100_000), false);
    assert_eq!(poll(&[long]), Err(INTR));
    let (reader, _writer) = pipe();
    assert_eq!(raw::read::<1>(reader), Err(INTR));
    // SAFETY: there is room for the answer.
    unsafe {
        assert_eq!(sigtake(raw::into(&mut signal)), 0);
        assert_eq!(std::hint::black_box(signal), SIGUSR1 as u32);
        assert_eq!(sigtake(raw::into(&mut signal)), 0);
    }
    assert_eq!(std::hint::black_box(signal), 0);
    let short = Subscription::clock(1, 1, std::time::Duration::from_millis(1), false);
    assert_eq!(poll(&[short]).map(|found| found.len()), Ok(1));
}
