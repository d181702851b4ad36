//! What a command of a sandbox reads.

use std::io::{IsTerminal, stdin};

use sandbox_core::{Command, Error, Result};

use crate::process::{Input, is_terminal, size};

/// Gives `command` the input that there is: a terminal's keys where one is wanted, what is piped
/// in, or nothing.
///
/// # Errors
/// `InvalidSpec` with field `tty` where a terminal is wanted and there is none.
pub(super) fn with_input(mut command: Command, tty: bool) -> Result<(Command, Input)> {
    if tty {
        if !is_terminal() {
            let message = "standard input or output is no terminal: leave out --tty";
            return Err(Error::invalid("cli.exec", "tty", message));
        }
        if let Ok(term) = std::env::var("TERM") {
            command.env.entry("TERM".to_owned()).or_insert(term);
        }
        return Ok((command.pty(size()), Input::Keys));
    }
    match stdin().is_terminal() {
        true => Ok((command, Input::None)),
        false => Ok((command.piped_stdin(), Input::Piped)),
    }
}
