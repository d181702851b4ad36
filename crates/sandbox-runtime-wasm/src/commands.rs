//! From a [`Command`] to a process.

use std::sync::Arc;

use sandbox_core::{Command, Error, ErrorKind, Result, Stdin};

use crate::kernel::HostCommand;
use crate::process::WasmProcess;
use crate::sandbox::WasmSandbox;

const OPERATION: &str = "wasm.spawn";

/// Starts `command`.
///
/// # Errors
/// As [`Sandbox::spawn`](sandbox_core::Sandbox::spawn).
pub(crate) async fn start(sandbox: &WasmSandbox, command: Command) -> Result<WasmProcess> {
    let argv = command.to_argv();
    let program = argv.first().cloned().unwrap_or_default();
    let piped = command.stdin == Stdin::Piped;
    let wanted = HostCommand {
        argv,
        env: command.env,
        cwd: command.cwd.map(String::from),
        user: None,
        piped_stdin: piped,
        timeout: command.timeout,
    };
    let started = sandbox.machine.spawn_command(wanted).await;
    let host = started.map_err(|error| explained(sandbox, &program, error))?;
    let job = sandbox.jobs.add(host, piped)?;
    Ok(WasmProcess::new(job, Arc::clone(&sandbox.jobs)))
}

/// `error` with the program's name, and where to find one that is not here.
fn explained(sandbox: &WasmSandbox, program: &str, error: Error) -> Error {
    if error.field() != Some("command") {
        return error;
    }
    let mut message = format!("{program:?} {}", error.message());
    if error.kind() == ErrorKind::NotFound {
        let name = program.rsplit('/').next().unwrap_or(program);
        if let Some(image) = sandbox.image_with(name) {
            message.push_str(&format!(
                " here; it is part of the image {image:?}: fetch that with `sandbox images pull \
                 {image}` and make the sandbox from it"
            ));
        }
    }
    let mut told = Error::new(error.kind(), OPERATION, message).with_field("command");
    if let Some(source) = std::error::Error::source(&error) {
        told = told.with_source(std::io::Error::other(source.to_string()));
    }
    told
}
