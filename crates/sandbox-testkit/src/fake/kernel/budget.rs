//! CPU time that is paid for: a fake process takes none worth measuring, so steps have a price.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::lock::Locked;

/// What one step of a program costs.
pub(crate) const STEP: Duration = Duration::from_micros(20);
/// How far a sandbox may run ahead of its share.
const BURST: f64 = 0.02;

#[derive(Debug)]
pub(super) struct CpuBudget {
    /// CPU seconds a second.
    rate: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    used: Duration,
    debt: f64,
    /// Always real time: a test that moves its own clock does not starve programs.
    at: Instant,
}

impl CpuBudget {
    pub(super) fn new(milli_cpus: u32) -> Self {
        Self {
            rate: f64::from(milli_cpus) / 1000.0,
            state: Mutex::new(State {
                used: Duration::ZERO,
                debt: 0.0,
                at: Instant::now(),
            }),
        }
    }

    /// Takes `cost`; says how long to wait until it is paid for.
    pub(super) fn charge(&self, cost: Duration) -> Option<Duration> {
        let mut state = self.state.locked();
        let now = Instant::now();
        let earned = now.duration_since(state.at).as_secs_f64() * self.rate;
        state.at = now;
        state.used += cost;
        state.debt = (state.debt - earned).max(0.0) + cost.as_secs_f64();
        let over = state.debt - BURST;
        (over > 0.0).then(|| Duration::from_secs_f64(over / self.rate))
    }

    pub(super) fn used(&self) -> Duration {
        self.state.locked().used
    }
}
