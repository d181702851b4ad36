//! Signals that this program gets while a command runs.

use sandbox_core::{Error, ErrorKind, Result, Signal};
use tokio::signal::unix::{self, SignalKind};

/// What somebody wants of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// It shall end: `^C`, a polite request, or the terminal is gone.
    End(Signal),
    /// The terminal has another size.
    Resized,
}

/// Hears the signals; while it lives they do not end the program.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interrupt: unix::Signal,
    terminate: unix::Signal,
    hang_up: unix::Signal,
    resized: unix::Signal,
}

impl Interrupts {
    /// Hears signals from now on.
    ///
    /// # Errors
    /// `Unavailable` when the system refuses.
    pub(crate) fn new() -> Result<Self> {
        let hear = |kind| {
            unix::signal(kind).map_err(|e| {
                let message = "signals cannot be heard";
                Error::new(ErrorKind::Unavailable, "cli.signals", message).with_source(e)
            })
        };
        Ok(Self {
            interrupt: hear(SignalKind::interrupt())?,
            terminate: hear(SignalKind::terminate())?,
            hang_up: hear(SignalKind::hangup())?,
            resized: hear(SignalKind::window_change())?,
        })
    }

    /// The next one; dropping the future loses none.
    pub(crate) async fn next(&mut self) -> Interrupt {
        tokio::select! {
            _ = self.interrupt.recv() => Interrupt::End(Signal::INT),
            _ = self.terminate.recv() => Interrupt::End(Signal::TERM),
            _ = self.hang_up.recv() => Interrupt::End(Signal::HUP),
            _ = self.resized.recv() => Interrupt::Resized,
        }
    }

    /// The signal that ends this program, when it comes.
    pub(crate) async fn end(&mut self) -> Signal {
        loop {
            if let Interrupt::End(signal) = self.next().await {
                return signal;
            }
        }
    }
}
