//! A clock that runs only while this program does.
//!
//! A paused sandbox is frozen with its agent, so the agent cannot see the pause, only the hole it
//! leaves: it asked to sleep for a short time and slept much longer, or its sleep was interrupted
//! by nothing. Time in holes does not count.

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
}

impl RunningClock {
    pub(super) fn new() -> Self {
        Self {
            elapsed: Duration::ZERO,
            last: Instant::now(),
        }
    }

    /// Time this program has run.
    pub(super) fn now(&self) -> Duration {
        self.elapsed + self.last.elapsed().min(HOLE)
    }

    /// Notes that it goes to sleep.
    pub(super) fn sleeps(&mut self) {
        self.elapsed = self.now();
        self.last = Instant::now();
    }

    /// Notes that it woke up after it asked to sleep for `asked`.
    pub(super) fn woke(&mut self, asked: Option<Duration>, interrupted: bool) {
        let now = Instant::now();
        let slept = now.duration_since(self.last);
        self.last = now;
        self.elapsed += counted(slept, asked, interrupted);
    }
}

fn counted(slept: Duration, asked: Option<Duration>, interrupted: bool) -> Duration {
    let Some(asked) = asked else {
        // No deadline was counting.
        return slept;
    };
    if interrupted || slept > asked.saturating_add(HOLE) {
        return slept.min(asked);
    }
    slept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_do_not_count() {
        let ms = Duration::from_millis;
        let asked = Some(ms(100));
        assert_eq!(counted(ms(30), asked, false), ms(30));
        assert_eq!(counted(ms(180), asked, false), ms(180), "a busy machine");
        assert_eq!(counted(ms(20_000), asked, false), ms(100), "frozen");
        assert_eq!(
            counted(ms(300), asked, true),
            ms(100),
            "stopped for a moment"
        );
        assert_eq!(counted(ms(50), asked, true), ms(50));
    }
}
