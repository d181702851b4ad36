//! Waiting for time and for descriptors.

use std::io;
use std::time::Duration;

use crate::errno::check;
use crate::raw::{self, Aligned};

/// What to wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// Something to read, or the end.
    Readable(u32),
    /// Room to write, or nobody who reads.
    Writable(u32),
}

fn subscription(user: u64, event: Event) -> Aligned<48> {
    let mut out = [0; 48];
    let (tag, fd) = match event {
        Event::Readable(fd) => (1, fd),
        Event::Writable(fd) => (2, fd),
    };
    out[..8].copy_from_slice(&user.to_le_bytes());
    out[8] = tag;
    out[16..20].copy_from_slice(&fd.to_le_bytes());
    Aligned(out)
}

fn clock(user: u64, timeout: Duration) -> Aligned<48> {
    const MONOTONIC: u32 = 1;
    let mut out = [0; 48];
    let ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    out[..8].copy_from_slice(&user.to_le_bytes());
    out[16..20].copy_from_slice(&MONOTONIC.to_le_bytes());
    out[24..32].copy_from_slice(&ns.to_le_bytes());
    Aligned(out)
}

/// Waits until one of `events` has come or `timeout` has passed; the indices of those that came (none: time is up).
/// Fails with `INTR` when a caught signal arrives first.
pub fn wait(events: &[Event], timeout: Option<Duration>) -> io::Result<Vec<usize>> {
    let mut wanted: Vec<_> = events
        .iter()
        .enumerate()
        .map(|(at, &event)| subscription(at as u64, event))
        .collect();
    wanted.extend(timeout.map(|timeout| clock(events.len() as u64, timeout)));
    let mut came = vec![Aligned([0; 32]); wanted.len()];
    let mut count = 0;
    check(raw::poll_oneoff(&wanted, &mut came, &mut count))?;
    let users = came
        .iter()
        .take(count)
        .map(|event| u64::from_le_bytes(event.0[..8].try_into().unwrap_or_default()));
    Ok(users
        .map(|user| user as usize)
        .filter(|&user| user < events.len())
        .collect())
}

/// Sleeps; fails with `INTR` when a caught signal arrives first.
pub fn sleep(time: Duration) -> io::Result<()> {
    wait(&[], Some(time)).map(drop)
}
