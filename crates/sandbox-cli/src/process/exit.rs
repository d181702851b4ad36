//! The code this program ends with for a command of a sandbox.

use sandbox_core::{Error, ErrorKind, Exit, ExitStatus, Result};

/// The code of a command that its time limit killed, as `timeout` has it.
const EXIT_TIMEOUT: u8 = 124;

/// The exit code for `status`: the command's own, 128 and the number of the signal that killed it,
/// or 124 when its time limit did.
///
/// # Errors
/// `Unavailable` when the sandbox went away under the command.
pub(crate) fn exit_code(status: ExitStatus) -> Result<u8> {
    if status.timed_out() {
        return Ok(EXIT_TIMEOUT);
    }
    match status.exit {
        Exit::Code(code) => Ok(code),
        // Signals are 1 to 64.
        Exit::Signal(signal) => Ok(u8::try_from(128 + signal.number()).unwrap_or(u8::MAX)),
        Exit::Lost => Err(Error::new(
            ErrorKind::Unavailable,
            "cli.exec",
            "the sandbox ended under the command",
        )),
    }
}

#[cfg(test)]
mod tests {
    use sandbox_core::{KillCause, Signal};

    use super::*;

    #[test]
    fn codes_are_those_of_a_shell_and_of_timeout() {
        assert_eq!(exit_code(ExitStatus::from_code(3)).unwrap(), 3);
        assert_eq!(
            exit_code(ExitStatus::from_signal(Signal::KILL)).unwrap(),
            137
        );
        let timed_out = ExitStatus {
            cause: Some(KillCause::Timeout),
            ..ExitStatus::from_signal(Signal::KILL)
        };
        assert_eq!(exit_code(timed_out).unwrap(), 124);
        let lost = exit_code(ExitStatus::lost()).unwrap_err();
        assert_eq!(lost.kind(), ErrorKind::Unavailable);
    }
}
