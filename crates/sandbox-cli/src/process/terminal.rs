//! The terminal this program runs on.

use std::io::{self, IsTerminal, stderr, stdin, stdout};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use sandbox_core::{Error, ErrorKind, PtySize, Result};

/// Whether commands can be typed here, and answers seen.
pub(crate) fn is_terminal() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// The size of the terminal in character cells; 80 by 24 where it says nothing.
pub(crate) fn size() -> PtySize {
    let sizes = [
        tcgetwinsize(stdout()),
        tcgetwinsize(stdin()),
        tcgetwinsize(stderr()),
    ];
    let known = sizes
        .into_iter()
        .flatten()
        .find(|size| size.ws_col > 0 && size.ws_row > 0);
    known.map_or_else(PtySize::default, |size| PtySize {
        cols: size.ws_col,
        rows: size.ws_row,
    })
}

/// A terminal that passes every key on; dropped, it is as it was before.
#[derive(Debug)]
pub(crate) struct RawMode(Termios);

impl RawMode {
    /// Passes every key on from now on.
    ///
    /// # Errors
    /// `Unavailable` when standard input is no terminal, or refuses.
    pub(crate) fn enter() -> Result<Self> {
        let before = tcgetattr(stdin()).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // Drained, so that what the shell said last is shown the way it was meant.
        let restored = tcsetattr(stdin(), OptionalActions::Drain, &self.0);
        if restored.is_err() {
            let _ = tcsetattr(stdin(), OptionalActions::Now, &self.0);
        }
    }
}

fn failed(error: rustix::io::Errno) -> Error {
    let message = "the terminal cannot be set to pass every key on";
    Error::new(ErrorKind::Unavailable, "cli.terminal", message).with_source(io::Error::from(error))
}
