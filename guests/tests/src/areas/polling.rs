use std::fs;
use std::time::{Duration, Instant};

use super::raw;

pub const HANG_UP: u64 = 1;
const NOTSUP: u64 = 58;

#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Subscription([u64; 6]);

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Event([u64; 4]);

impl Subscription {
    pub fn clock(user: u64, id: u64, timeout: Duration, absolute: bool) -> Self {
        let nanos = timeout.as_nanos() as u64;
        Self([user, 0, id, nanos, 0, u64::from(absolute)])
    }

    pub fn descriptor(user: u64, write: bool, fd: u64) -> Self {
        Self([user, if write { 2 } else { 1 }, fd, 0, 0, 0])
    }
}

impl Event {
    /// The user's data, the error, the kind, the bytes, the flags.
    fn parts(self) -> (u64, u64, u64, u64, u64) {
        let [user, head, bytes, flags] = self.0;
        (
            user,
            head & 0xFFFF,
            head >> 16 & 0xFF,
            bytes,
            flags & 0xFFFF,
        )
    }
}

pub fn poll(subscriptions: &[Subscription]) -> Result<Vec<(u64, u64, u64, u64, u64)>, i32> {
    let mut events = vec![Event::default(); subscriptions.len()];
    let mut count = 0_u32;
    let len = subscriptions.len() as i32;
    let (from, to) = (raw::at(subscriptions), raw::into(&mut events[..]));
    // SAFETY: there is room for as many events as there are subscriptions.
    match unsafe { raw::poll_oneoff(from, to, len, raw::into(&mut count)) } {
        0 => Ok(events[..count as usize]
            .iter()
            .map(|event| event.parts())
            .collect()),
        errno => Err(errno),
    }
}

pub fn polling() {
    let second = Duration::from_secs(1);
    let millis = Duration::from_millis;
    // The shorter of two times comes alone.
    let start = Instant::now();
    let found = poll(&[
        Subscription::clock(7, 1, 100_000 * second, false),
        Subscription::clock(8, 1, millis(10), false),
    ]);
    assert_eq!(found, Ok(vec![(8, 0, 0, 0, 0)]));
    assert!(start.elapsed() >= millis(10));
    // A time that is over comes at once, on either clock.
    let past = [
        Subscription::clock(1, 0, second, true),
        Subscription::clock(2, 1, Duration::ZERO, true),
        Subscription::clock(3, 1, Duration::ZERO, false),
    ];
    assert_eq!(poll(&past).unwrap().len(), 3);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let soon = Subscription::clock(4, 0, now + millis(15), true);
    assert_eq!(poll(&[soon]), Ok(vec![(4, 0, 0, 0, 0)]));
    assert!(std::time::SystemTime::now() >= std::time::UNIX_EPOCH + now + millis(15));

    // Files are always ready; what is wrong is said event by event.
    fs::write("/tmp/f", b"12345").unwrap();
    let file = raw::open(raw::ROOT, b"tmp/f", 1, 0, raw::READ).unwrap();
    assert_eq!(raw::read::<2>(file).unwrap().len(), 2);
    let found = poll(&[
        Subscription::descriptor(1, false, file as u64),
        Subscription::descriptor(2, false, 99),
        Subscription::descriptor(3, true, file as u64),
        Subscription::clock(4, 2, second, false),
        Subscription::clock(5, 9, second, false),
        Subscription::clock(6, 1, 100_000 * second, false),
    ]);
    let (badf, inval) = (raw::BADF as u64, raw::INVAL as u64);
    let expected = vec![
        (1, 0, 1, 3, 0),
        (2, badf, 1, 0, 0),
        (3, badf, 2, 0, 0),
        (4, NOTSUP, 0, 0, 0),
        (5, inval, 0, 0, 0),
    ];
    assert_eq!(found, Ok(expected));

    assert_eq!(poll(&[]), Err(raw::INVAL));
    assert_eq!(poll(&[Subscription([0, 3, 0, 0, 0, 0])]), Err(raw::INVAL));
    assert_eq!(poll(&[Subscription([0, 0, 1, 0, 0, 2])]), Err(raw::INVAL));
    let ready = Subscription::descriptor(1, false, file as u64);
    assert_eq!(poll(&vec![ready; 4096]).unwrap().len(), 4096);
    assert_eq!(poll(&vec![ready; 4097]), Err(raw::INVAL));
}

/// Says `ready`, then expects `input` and the end on its standard input.
pub fn standard_input() {
    let input = Subscription::descriptor(1, false, 0);
    let soon = Subscription::clock(2, 1, Duration::from_millis(5), false);
    assert_eq!(
        poll(&[input, soon]),
        Ok(vec![(2, 0, 0, 0, 0)]),
        "nothing is there yet"
    );
    println!("ready");
    let mut all = Vec::new();
    loop {
        let found = poll(&[input]).unwrap();
        let (user, error, kind, bytes, flags) = found[0];
        assert_eq!((found.len(), user, error, kind), (1, 1, 0, 1));
        let read = raw::read::<64>(0).unwrap();
        if read.is_empty() {
            assert_eq!(flags, HANG_UP);
            break;
        }
        assert!(bytes >= 1);
        all.extend(read);
    }
    assert_eq!(all, b"input");
}
