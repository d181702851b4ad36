//! Timers of groups, in the order in which they go off.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use super::group::Group;

/// The number of a timer; never used twice.
pub(super) type TimerId = u64;

/// What a timer does.
pub(super) enum Action {
    /// Wakes a task.
    Wake(Waker),
    /// Calls this, which must be quick.
    Call(Box<dyn FnOnce() + Send>),
    /// Lets a throttled group run again.
    Unthrottle,
}

/// A timer that waits.
pub(super) struct Timer {
    pub(super) group: Arc<Group>,
    /// When it is due by the group's own time, which stands still while the group is paused.
    pub(super) due: u64,
    pub(super) action: Action,
}

/// Where a timer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It goes off at this time.
    Waiting(u64),
    /// Its time has come while its group was paused.
    Parked,
    /// The ticker has it and looks what to do with it.
    Taken,
}

/// All timers that wait. Times are nanoseconds of the executor's clock. Locked after the groups'
/// own states, never before.
#[derive(Default)]
pub(super) struct Timers {
    waiting: BTreeMap<(u64, TimerId), Timer>,
    /// By group.
    parked: BTreeMap<(u64, TimerId), Timer>,
    /// Of every timer that was neither called off nor has gone off.
    places: HashMap<TimerId, Place>,
    last: TimerId,
}

impl Timers {
    /// Adds one that goes off at `at`.
    pub(super) fn add(&mut self, at: u64, timer: Timer) -> TimerId {
        self.last += 1;
        self.places.insert(self.last, Place::Waiting(at));
        self.waiting.insert((at, self.last), timer);
        self.last
    }

    /// Puts one back that was taken out, to go off at `at`; unless it was called off meanwhile.
    pub(super) fn put(&mut self, id: TimerId, at: u64, timer: Timer) {
        if let Some(place) = self.places.get_mut(&id) {
            *place = Place::Waiting(at);
            self.waiting.insert((at, id), timer);
        }
    }

    /// Keeps one that was taken out until its group is resumed; unless it was called off meanwhile.
    pub(super) fn park(&mut self, id: TimerId, timer: Timer) {
        if let Some(place) = self.places.get_mut(&id) {
            *place = Place::Parked;
            self.parked.insert((timer.group.id(), id), timer);
        }
    }

    /// Takes out one that is due at `now`.
    pub(super) fn take_due(&mut self, now: u64) -> Option<(TimerId, Timer)> {
        let first = self.waiting.first_entry()?;
        let (at, id) = *first.key();
        if at > now {
            return None;
        }
        self.places.insert(id, Place::Taken);
        Some((id, first.remove()))
    }

    /// Takes out one that was parked for `group`.
    pub(super) fn take_parked(&mut self, group: u64) -> Option<(TimerId, Timer)> {
        let mut parked = self.parked.range((group, 0)..=(group, u64::MAX));
        let key = *parked.next()?.0;
        self.places.insert(key.1, Place::Taken);
        Some((key.1, self.parked.remove(&key)?))
    }

    /// Forgets one that was taken out and goes off now. `false`: it was called off meanwhile.
    pub(super) fn finish(&mut self, id: TimerId) -> bool {
        self.places.remove(&id).is_some()
    }

    /// Calls off the timer `id` of `group`.
    pub(super) fn remove(&mut self, group: u64, id: TimerId) -> Option<Timer> {
        match self.places.remove(&id)? {
            Place::Waiting(at) => self.waiting.remove(&(at, id)),
            Place::Parked => self.parked.remove(&(group, id)),
            Place::Taken => None,
        }
    }

    /// The timer `id`, if it still waits.
    pub(super) fn get_mut(&mut self, id: TimerId) -> Option<&mut Timer> {
        match *self.places.get(&id)? {
            Place::Waiting(at) => self.waiting.get_mut(&(at, id)),
            Place::Parked | Place::Taken => None,
        }
    }

    /// When the next one goes off.
    pub(super) fn next_at(&self) -> Option<u64> {
        self.waiting.first_key_value().map(|(key, _)| key.0)
    }

    /// How many there are, parked ones included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting.len();
        f.debug_struct("Timers")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
