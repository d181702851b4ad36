//! Programs of the sandbox that tools need: run to their end, missing ones told apart.

use sandbox_core::{Command, Error, ErrorKind, ExecOutput, Result, Sandbox, SandboxExt};

/// How much of a program's output an error quotes, in bytes.
const MAX_QUOTE_BYTES: usize = 2000;

/// Runs a command to its end; `None` when the sandbox has no such program.
pub(super) async fn run(sandbox: &dyn Sandbox, command: Command) -> Result<Option<ExecOutput>> {
    found(sandbox.exec(command).await)
}

/// As [`run`], with standard input.
pub(super) async fn run_with_input(
    sandbox: &dyn Sandbox,
    command: Command,
    input: bytes::Bytes,
) -> Result<Option<ExecOutput>> {
    found(sandbox.exec_with_input(command, input).await)
}

fn found(result: Result<ExecOutput>) -> Result<Option<ExecOutput>> {
    match result {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.kind() == ErrorKind::NotFound && error.field() == Some("command") => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The end of what a program said, fit for an error message: control characters made spaces.
pub(super) fn quote(text: &str) -> String {
    let text = text.trim();
    let mut start = text.len().saturating_sub(MAX_QUOTE_BYTES);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let clean: String = text[start..]
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The error of a program that its time limit killed.
pub(super) fn timed_out(operation: &'static str, what: &str) -> Error {
    let message = format!("{what} did not end in time and was killed");
    Error::new(ErrorKind::Timeout, operation, message).with_field("timeout")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_bounded_and_have_no_control_characters() {
        let hostile = format!("\x1b[2J\r\n{}", "é".repeat(5000));
        let quoted = quote(&hostile);
        assert!(quoted.len() <= MAX_QUOTE_BYTES);
        assert!(!quote("a\x1b[31m\u{9b}b\0c").contains(char::is_control));
    }
}
