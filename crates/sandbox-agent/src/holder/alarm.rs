//! Telling of refusals as they happen, without looking when nothing does.
//!
//! The kernel has no event for a packet that a rule refuses, but a quota tells once when it is used
//! up. One that anything uses up goes off with the first refusal; it is set again when the counts
//! are read, so that a sandbox that does nothing wakes nobody, and a flood is one line a second.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::control;
use super::nft::notices::Notices;
use super::policy::Policy;

/// The least time between two lines.
const PAUSE: Duration = Duration::from_secs(1);
const STACK: usize = 128 << 10;

/// Rings when something may have been refused.
#[derive(Debug, Default)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.lock() = true;
        self.heard.notify_one();
    }

    /// Waits until it has rung since the last call.
    fn wait(&self) {
        let rung = self.heard.wait_while(self.lock(), |rung| !*rung);
        *rung.unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// A panic elsewhere leaves a flag that is one or the other.
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts telling, on standard output: `{"denied":N}`, where N counts from the start.
pub(super) fn start(policy: &Arc<Policy>) -> io::Result<()> {
    if policy.features().alarm {
        let notices = Notices::open()?;
        let policy = Arc::clone(policy);
        spawn(move || listen(&notices, policy.bell()))?;
    }
    let policy = Arc::clone(policy);
    spawn(move || tell(&policy))
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().stack_size(STACK).spawn(work)?;
    Ok(())
}

fn listen(notices: &Notices, bell: &Bell) {
    loop {
        match notices.wait() {
            Ok(()) => bell.ring(),
            // Nothing is heard of here but what passes.
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn tell(policy: &Policy) {
    let mut told = 0;
    loop {
        policy.bell().wait();
        match policy.denied_from_now() {
            Ok(denied) if denied > told => {
                // Nobody to tell: the input's end will be seen.
                let _ = control::say(&mut io::stdout(), &json!({"denied": denied}));
                told = denied;
            }
            Ok(_) => {}
            // The alarm may not be set again: try anew.
            Err(_) => policy.bell().ring(),
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_is_heard_once_however_often_it_rang_before() {
        let bell = Arc::new(Bell::default());
        bell.ring();
        bell.ring();
        bell.wait();
        let (sender, receiver) = std::sync::mpsc::channel();
        let waiting = Arc::clone(&bell);
        thread::spawn(move || {
            waiting.wait();
            sender.send(()).unwrap();
        });
        assert!(receiver.recv_timeout(Duration::from_millis(50)).is_err());
        bell.ring();
        receiver.recv_timeout(Duration::from_secs(30)).unwrap();
    }
}
