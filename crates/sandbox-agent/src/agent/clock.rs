//! A clock that runs only while this program does.
//!
//! A paused sandbox is frozen with its agent, so the agent cannot see the pause, only the hole it
//! leaves: it asked to sleep for a short time and slept much longer, or its sleep was interrupted
//! by nothing. Time in holes does not count, but for that in which it was ready to run and others
//! ran instead: a guest that keeps every CPU busy does not stop the clock.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// How long it sleeps at most while a deadline counts: what a pause can cost in precision.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// A sleep that is longer than asked by this much was no sleep. Shorter delays are a busy machine,
/// or a CPU limit, and count.
const HOLE: Duration = Duration::from_millis(500);

/// The clock.
#[derive(Debug)]
pub(super) struct RunningClock {
    elapsed: Duration,
    last: Instant,
    starved: Starved,
}

impl RunningClock {
    pub(super) fn new() -> Self {
        Self {
            elapsed: Duration::ZERO,
            last: Instant::now(),
            starved: Starved::new(),
        }
    }

    /// Time this program has run.
    pub(super) fn now(&self) -> Duration {
        self.elapsed + self.last.elapsed().min(HOLE)
    }

    /// Notes that it goes to sleep; `exact` while a deadline counts.
    pub(super) fn sleeps(&mut self, exact: bool) {
        let worked = self.last.elapsed();
        let starved = if exact {
            self.starved.since_last()
        } else {
            Duration::ZERO
        };
        self.elapsed += worked.min(HOLE.saturating_add(starved));
        self.last = Instant::now();
    }

    /// Notes that it woke up after it asked to sleep for `asked`.
    pub(super) fn woke(&mut self, asked: Option<Duration>, interrupted: bool) {
        let now = Instant::now();
        let slept = now.duration_since(self.last);
        self.last = now;
        let starved = || self.starved.since_last();
        self.elapsed += counted(slept, asked, interrupted, starved);
    }
}

fn counted(
    slept: Duration,
    asked: Option<Duration>,
    interrupted: bool,
    starved: impl FnOnce() -> Duration,
) -> Duration {
    let Some(asked) = asked else {
        // No deadline was counting.
        return slept;
    };
    if interrupted || slept > asked.saturating_add(HOLE) {
        return slept.min(asked.saturating_add(starved()));
    }
    slept
}

/// The time in which this program's loop was ready to run and did not, which a frozen one is not.
#[derive(Debug)]
struct Starved {
    /// None where the kernel does not say.
    file: Option<File>,
    seen: Duration,
}

impl Starved {
    fn new() -> Self {
        let mut starved = Self {
            file: File::open("/proc/self/schedstat").ok(),
            seen: Duration::ZERO,
        };
        starved.since_last();
        starved
    }

    fn since_last(&mut self) -> Duration {
        let now = self.read().unwrap_or(self.seen);
        let passed = now.saturating_sub(self.seen);
        self.seen = now;
        passed
    }

    fn read(&self) -> Option<Duration> {
        let mut text = [0; 64];
        let got = self.file.as_ref()?.read_at(&mut text, 0).ok()?;
        parse(std::str::from_utf8(&text[..got]).ok()?)
    }
}

/// The second of three numbers: nanoseconds in which the thread waited for a CPU.
fn parse(schedstat: &str) -> Option<Duration> {
    let nanos = schedstat.split_whitespace().nth(1)?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_do_not_count() {
        let ms = Duration::from_millis;
        let asked = Some(ms(100));
        let counted = |slept, interrupted| counted(slept, asked, interrupted, || ms(0));
        assert_eq!(counted(ms(30), false), ms(30));
        assert_eq!(counted(ms(180), false), ms(180), "a busy machine");
        assert_eq!(counted(ms(20_000), false), ms(100), "frozen");
        assert_eq!(counted(ms(300), true), ms(100), "stopped for a moment");
        assert_eq!(counted(ms(50), true), ms(50));
    }

    #[test]
    fn time_in_which_others_ran_counts() {
        let ms = Duration::from_millis;
        let counted = |slept, starved| counted(slept, Some(ms(100)), false, || starved);
        assert_eq!(counted(ms(3000), ms(2900)), ms(3000), "kept from its CPU");
        assert_eq!(counted(ms(3000), ms(400)), ms(500), "and frozen besides");
        assert_eq!(counted(ms(3000), ms(90_000)), ms(3000), "never more");
    }

    #[test]
    fn what_the_kernel_says_of_waiting_is_read() {
        assert_eq!(parse("90 1500000 7\n"), Some(Duration::from_micros(1500)));
        for bad in ["", "1", "1 x 2", "1 -2 3"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
