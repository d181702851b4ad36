//! Being asked to stop.

use sandbox_core::Result;

use crate::process::Interrupts;

/// Hears `^C`, a polite request to end, and that the terminal is gone.
#[derive(Debug)]
pub(super) struct Stop(Interrupts);

impl Stop {
    /// Hears from now on.
    ///
    /// # Errors
    /// `Unavailable` when the system refuses.
    pub(super) fn new() -> Result<Self> {
        Ok(Self(Interrupts::new()?))
    }

    /// Waits for the next request.
    pub(super) async fn asked(&mut self) {
        self.0.end().await;
    }
}
