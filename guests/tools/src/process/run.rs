//! What all of them share: start a program, or say why not.

use std::ffi::OsString;
use std::io;

use sandbox_applet::{Failure, reason};
use sandbox_guest::{Command, errno};

/// The command made of `words`. Fails with 125 when there are none.
pub fn command(words: &[OsString]) -> Result<Command, Failure> {
    let [program, args @ ..] = words else {
        return Err(Failure::new("missing operand").with_code(125));
    };
    let mut command = Command::new(program);
    command.args(args);
    Ok(command)
}

/// Why `program` did not start: 127 when there is none, 126 when it may or can not be run.
pub fn not_started(program: &OsString, error: &io::Error) -> Failure {
    let code = if error.kind() == io::ErrorKind::NotFound {
        127
    } else {
        126
    };
    Failure::new(format!(
        "failed to run command '{}': {}",
        program.display(),
        reason(error)
    ))
    .with_code(code)
}

/// Replaces this process by the program of `words`; returns only the failure.
pub fn become_command(command: &mut Command, words: &[OsString]) -> Failure {
    let error = command.exec();
    if errno::is(&error, errno::INTR) {
        return Failure::new("interrupted");
    }
    match words.first() {
        Some(program) => not_started(program, &error),
        None => Failure::io("cannot run", &error),
    }
}
