//! How many lookups are under way.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Lookups at once, over UDP and TCP: a sandbox cannot make the holder grow. Whoever asks for one
/// more waits, in the sandbox's own socket buffers. With the other threads, they stay below 63.
const MAX: usize = 40;

/// Those that are free.
#[derive(Debug)]
pub(super) struct Slots {
    free: Mutex<usize>,
    returned: Condvar,
}

/// One of the lookups that may be under way.
#[derive(Debug)]
pub(super) struct Slot(Arc<Slots>);

impl Slots {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            free: Mutex::new(MAX),
            returned: Condvar::new(),
        })
    }

    /// Waits until one is free. Lookups end by themselves, so one will be.
    pub(super) fn take(self: &Arc<Self>) -> Slot {
        let free = self.lock();
        let waited = self.returned.wait_while(free, |free| *free == 0);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        Slot(Arc::clone(self))
    }

    /// A panic elsewhere leaves a number that is right.
    fn lock(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        *self.0.lock() += 1;
        self.0.returned.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn one_too_many_waits_for_one_to_be_returned() {
        let slots = Slots::new();
        let mut taken: Vec<Slot> = (0..MAX).map(|_| slots.take()).collect();
        let (sender, receiver) = mpsc::channel();
        let waiting = Arc::clone(&slots);
        thread::spawn(move || sender.send(waiting.take()));
        let early = receiver.recv_timeout(Duration::from_millis(50));
        assert!(early.is_err());
        taken.pop();
        receiver.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}
