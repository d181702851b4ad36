//! `wasi:clocks`, by the machine's own clock.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi_io::async_trait;
use wasmtime_wasi_io::poll::{DynPollable, Pollable, subscribe};

use super::bindings::wasi::clocks::wall_clock::Datetime;
use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use super::state::Host;
use crate::sched::Sleep;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// `nanos` since the Unix epoch.
pub(super) fn datetime(nanos: u64) -> Datetime {
    Datetime {
        seconds: nanos / NANOS_PER_SECOND,
        nanoseconds: (nanos % NANOS_PER_SECOND) as u32,
    }
}

/// Nanoseconds since the Unix epoch; `None` past the year 2554.
pub(super) fn nanos(time: Datetime) -> Option<u64> {
    let seconds = time.seconds.checked_mul(NANOS_PER_SECOND)?;
    seconds.checked_add(time.nanoseconds.into())
}

impl wall_clock::Host for Host<'_> {
    fn now(&mut self) -> Result<Datetime> {
        Ok(datetime(self.process.machine.clock.realtime()))
    }

    fn resolution(&mut self) -> Result<Datetime> {
        Ok(datetime(1))
    }
}

impl monotonic_clock::Host for Host<'_> {
    fn now(&mut self) -> Result<u64> {
        Ok(self.process.machine.clock.monotonic())
    }

    fn resolution(&mut self) -> Result<u64> {
        Ok(1)
    }

    fn subscribe_instant(&mut self, when: u64) -> Result<Resource<DynPollable>> {
        let now = self.process.machine.clock.monotonic();
        self.subscribe_duration(when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, nanos: u64) -> Result<Resource<DynPollable>> {
        let sleep = self
            .process
            .machine
            .group
            .sleep(Duration::from_nanos(nanos));
        let deadline = self.table.push(Deadline(sleep))?;
        subscribe(self.table, deadline)
    }
}

/// A time that a component waits for. Time in which the sandbox is paused does not count.
struct Deadline(Sleep);

#[async_trait]
impl Pollable for Deadline {
    async fn ready(&mut self) {
        // Once it has been ready it stays so, however often it is asked.
        poll_fn(|cx| Pin::new(&mut self.0).poll(cx)).await;
    }
}
