//! How long the sandboxes of each owner ran this month, to the moment, and when that comes to the
//! limit.
//!
//! Kept in memory: what the store has, read once an owner before any of its sandboxes runs, and
//! what is written from then on. What ran since the last write is a sum of times, so that neither
//! a create nor a deadline looks at every sandbox. A sandbox counts what was written of it rounded
//! up to seconds, and what was not yet to the millisecond: the sum is within a second for each
//! running sandbox of what [`Engine::usage`](crate::Engine::usage) answers.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use sandbox_core::{Result, SandboxId, Timestamp};
use tokio::sync::Notify;

use crate::OwnerId;
use crate::lock::Locked;
use crate::owners::{Month, MonthUsage};
use crate::store::UsageRow;

/// How long to wait before sandboxes that could not be stopped are told again.
const RETRY: Duration = Duration::from_secs(30);
/// How soon after others were told one is that begins to run.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Meter {
    table: Mutex<Table>,
    /// Something is due sooner than it was.
    pub(crate) sooner: Notify,
}

#[derive(Debug, Default)]
struct Table {
    owners: HashMap<OwnerId, OwnerMeter>,
    due: BTreeSet<(Timestamp, OwnerId)>,
}

#[derive(Debug)]
struct OwnerMeter {
    month: Month,
    /// Milliseconds that are written down, of each sandbox rounded up to a second.
    written: u64,
    live: HashMap<SandboxId, Live>,
    /// How many sandboxes run.
    running: u64,
    /// The sum of the times since when they do.
    since: u128,
    /// In milliseconds.
    limit: Option<u64>,
    /// When to look at the owner again.
    due: Option<Timestamp>,
    /// Not before this: they were told to stop.
    told_until: Timestamp,
}

#[derive(Debug, Default)]
struct Live {
    /// What is written down of it, in milliseconds.
    written: u64,
    /// Since when it runs and nothing is written down.
    since: Option<Timestamp>,
}

/// A sandbox's time as it was written down.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) owner: &'a OwnerId,
    pub(crate) sandbox: &'a SandboxId,
    /// What was written just now.
    pub(crate) written: &'a [(Month, u64)],
    /// Since when it runs and nothing is written; `None`: it does not run.
    pub(crate) since: Option<Timestamp>,
}

const fn rounded(millis: u64) -> u64 {
    millis.div_ceil(1000).saturating_mul(1000)
}

impl OwnerMeter {
    fn new(month: Month, rows: Vec<UsageRow>, lives: impl Fn(&SandboxId) -> bool) -> Self {
        let mut written: u64 = 0;
        let mut live = HashMap::new();
        for row in rows {
            written = written.saturating_add(rounded(row.millis));
            if let Some(id) = row.sandbox.filter(&lives) {
                let written = row.millis;
                live.insert(
                    id,
                    Live {
                        written,
                        since: None,
                    },
                );
            }
        }
        Self {
            month,
            written,
            live,
            running: 0,
            since: 0,
            limit: None,
            due: None,
            told_until: Timestamp::EPOCH,
        }
    }

    /// Begins a new month where there is one. One that is past does not come back: a clock that
    /// was set back counts to the month there was.
    fn roll(&mut self, now: Timestamp) {
        let month = Month::of(now);
        if month <= self.month {
            return;
        }
        self.month = month;
        self.written = 0;
        self.since = 0;
        for live in self.live.values_mut() {
            live.written = 0;
            live.since = live.since.map(|since| since.max(month.start()));
            let since = live.since.map_or(0, Timestamp::as_millis);
            self.since += u128::from(since);
        }
    }

    fn read(&mut self, reading: &Reading<'_>, now: Timestamp) {
        self.roll(now);
        let live = self.live.entry(reading.sandbox.clone()).or_default();
        let this_month = reading.written.iter().filter(|(of, _)| *of == self.month);
        let added: u64 = this_month.map(|(_, millis)| millis).sum();
        self.written = self.written.saturating_sub(rounded(live.written));
        live.written = live.written.saturating_add(added);
        self.written = self.written.saturating_add(rounded(live.written));
        let since = reading.since.map(|since| since.max(self.month.start()));
        let before = std::mem::replace(&mut live.since, since);
        self.stopped(before);
        if let Some(since) = since {
            self.running += 1;
            self.since += u128::from(since.as_millis());
            if before.is_none() {
                // It was not told yet; or it was, and could not stop, which may be so again.
                self.told_until = self.told_until.min(now.plus(AGAIN));
            }
        }
    }

    fn stopped(&mut self, since: Option<Timestamp>) {
        if let Some(since) = since {
            self.running -= 1;
            self.since -= u128::from(since.as_millis());
        }
    }

    /// Milliseconds used at `now`.
    fn used(&self, now: Timestamp) -> u64 {
        let running = u128::from(now.as_millis()) * u128::from(self.running);
        let running = u64::try_from(running.saturating_sub(self.since)).unwrap_or(u64::MAX);
        self.written.saturating_add(running)
    }

    fn usage(&self, now: Timestamp) -> MonthUsage {
        MonthUsage {
            month: self.month,
            used: self.used(now) / 1000,
            limit: self.limit.map(|limit| limit / 1000),
        }
    }

    /// When to look again: when the limit is reached, or a new month begins.
    fn next_look(&self) -> Option<Timestamp> {
        let limit = self.limit?;
        if self.running == 0 {
            return None;
        }
        let left = limit.saturating_sub(self.written);
        let at = (u128::from(left) + self.since).div_ceil(u128::from(self.running));
        let at = Timestamp::from_millis(u64::try_from(at).unwrap_or(u64::MAX));
        Some(at.max(self.told_until).min(self.month.end()))
    }
}

impl Table {
    /// Plans the next look at `owner`. Whether it comes before every other.
    fn plan(&mut self, owner: &OwnerId) -> bool {
        let Some(meter) = self.owners.get_mut(owner) else {
            return false;
        };
        let next = meter.next_look();
        if meter.due == next {
            return false;
        }
        if let Some(due) = std::mem::replace(&mut meter.due, next) {
            self.due.remove(&(due, owner.clone()));
        }
        let Some(next) = next else { return false };
        let first = self.due.first().is_none_or(|(due, _)| next < *due);
        self.due.insert((next, owner.clone()));
        first
    }
}

impl Meter {
    /// Whether the owner's time was taken from the store.
    pub(crate) fn knows(&self, owner: &OwnerId) -> bool {
        self.table.locked().owners.contains_key(owner)
    }

    /// Takes over what the store has of `owner`, once: nothing of it may run before.
    pub(crate) fn load(
        &self,
        owner: &OwnerId,
        month: Month,
        rows: Vec<UsageRow>,
        lives: impl Fn(&SandboxId) -> bool,
    ) {
        let mut table = self.table.locked();
        let entry = table.owners.entry(owner.clone());
        entry.or_insert_with(|| OwnerMeter::new(month, rows, lives));
    }

    /// Sets how many seconds an owner may use in a month.
    pub(crate) fn set_limit(&self, owner: &OwnerId, seconds: Option<u64>) {
        self.change(owner, |meter| {
            meter.limit = seconds.map(|seconds| seconds.saturating_mul(1000));
        });
    }

    pub(crate) fn read(&self, reading: &Reading<'_>, now: Timestamp) {
        self.change(reading.owner, |meter| meter.read(reading, now));
    }

    /// Forgets a sandbox that is gone; what it used stays.
    pub(crate) fn forget(&self, owner: &OwnerId, sandbox: &SandboxId) {
        self.change(owner, |meter| {
            let live = meter.live.remove(sandbox);
            meter.stopped(live.and_then(|live| live.since));
        });
    }

    /// Notes that everything that runs was told to stop.
    pub(crate) fn told(&self, owner: &OwnerId, now: Timestamp) {
        self.change(owner, |meter| meter.told_until = now.plus(RETRY));
    }

    fn change(&self, owner: &OwnerId, change: impl FnOnce(&mut OwnerMeter)) {
        let mut table = self.table.locked();
        let Some(meter) = table.owners.get_mut(owner) else {
            return;
        };
        change(meter);
        if table.plan(owner) {
            self.sooner.notify_one();
        }
    }

    /// Refuses what would run when nothing is left.
    ///
    /// # Errors
    /// As [`MonthUsage::check`].
    pub(crate) fn check(&self, owner: &OwnerId, now: Timestamp) -> Result<()> {
        let mut table = self.table.locked();
        let Some(meter) = table.owners.get_mut(owner) else {
            return Ok(());
        };
        meter.roll(now);
        meter.usage(now).check()
    }

    /// The owners of whom something runs.
    pub(crate) fn running(&self) -> Vec<OwnerId> {
        let table = self.table.locked();
        let running = table.owners.iter().filter(|(_, meter)| meter.running > 0);
        running.map(|(owner, _)| owner.clone()).collect()
    }

    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        let table = self.table.locked();
        table.due.first().map(|(due, _)| *due)
    }

    /// Those to look at now. Each is planned again with its next change.
    pub(crate) fn take_due(&self, now: Timestamp) -> Vec<OwnerId> {
        let mut table = self.table.locked();
        let mut found = Vec::new();
        while table.due.first().is_some_and(|(due, _)| *due <= now) {
            let Some((_, owner)) = table.due.pop_first() else {
                break;
            };
            if let Some(meter) = table.owners.get_mut(&owner) {
                meter.due = None;
                meter.roll(now);
            }
            found.push(owner);
        }
        found
    }
}
