//! Places that nobody may have too many of.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many places each of many has taken. Clones count together.
#[derive(Debug)]
pub(crate) struct Places<K>(Arc<Mutex<HashMap<K, usize>>>);

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Places<K> {
    /// Takes a place of `who`; `None` when that has `most` already.
    pub(crate) fn take(&self, who: &K, most: usize) -> Option<Place<K>> {
        let mut taken = lock(&self.0);
        let count = taken.entry(who.clone()).or_default();
        if *count >= most {
            // Not left behind for somebody who may have none.
            if *count == 0 {
                taken.remove(who);
            }
            return None;
        }
        *count += 1;
        Some(Place {
            places: Arc::clone(&self.0),
            who: who.clone(),
        })
    }
}

fn lock<K>(places: &Mutex<HashMap<K, usize>>) -> MutexGuard<'_, HashMap<K, usize>> {
    // Nothing below the lock can panic half-way through a change.
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Eq + Hash> {
    places: Arc<Mutex<HashMap<K, usize>>>,
    who: K,
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = lock(&self.places);
        if let Some(count) = taken.get_mut(&self.who) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.who);
            }
        }
    }
}

/// What counts as one peer: an IPv4 address, or the /64 that one IPv6 host can choose from.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_for_each_and_forgotten() {
        let places = Places::default();
        let one = places.take(&"a", 2).unwrap();
        let two = places.take(&"a", 2).unwrap();
        assert!(places.take(&"a", 2).is_none());
        assert!(places.take(&"b", 0).is_none());
        drop(places.take(&"b", 1).unwrap());
        drop(one);
        let again = places.take(&"a", 2).unwrap();
        assert!(places.take(&"a", 2).is_none());
        drop((two, again));
        assert!(lock(&places.0).is_empty());
    }
}
