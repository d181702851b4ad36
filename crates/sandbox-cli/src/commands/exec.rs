//! Commands and shells in sandboxes of a server.

use std::sync::Arc;

use sandbox_api_types::StartProcess;
use sandbox_client::Client;
use sandbox_core::{Command, Error, ErrorKind, KillCause, Process, Result, SandboxPath};

use super::input::with_input;
use crate::args::{ExecArgs, ShellArgs};
use crate::output::Printer;
use crate::process::{Conversation, Interrupts, exit_code, is_terminal};
use crate::remote::AttachedProcess;

/// The shells looked for, best first; the last is there or nothing is.
const SHELLS: [&str; 2] = ["/bin/bash", "/bin/sh"];

/// Runs a command, with this program's streams as its own, and ends with its code. Detached, prints
/// its id instead.
///
/// # Errors
/// What the server refuses it with.
pub(crate) async fn exec(client: &Client, args: &ExecArgs, printer: Printer) -> Result<u8> {
    let mut command = args.with.apply(Command::argv(args.command.iter().cloned()));
    command.timeout = args.timeout;
    let calls = client.sandbox(args.id.clone());
    if args.detach {
        let request = StartProcess::from_core(command, args.tag.clone());
        let process = calls.start_process(&request).await?;
        printer.document(&process, |process| vec![process.id.clone()])?;
        return Ok(0);
    }
    let mut interrupts = Interrupts::new()?;
    let (command, input) = with_input(command, args.tty)?;
    let process = AttachedProcess::start(calls, command).await?;
    converse(Arc::new(process), input, printer, &mut interrupts).await
}

/// Opens a shell: on a terminal where this program has one, else with what is piped in.
///
/// # Errors
/// What the server refuses it with; `NotFound` with field `shell` when there is no shell.
pub(crate) async fn shell(client: &Client, args: &ShellArgs, printer: Printer) -> Result<u8> {
    let calls = client.sandbox(args.id.clone());
    let shell = match &args.shell {
        Some(shell) => shell.clone(),
        None => find(client, args).await?,
    };
    let command = args.with.apply(Command::argv([shell.as_str()]));
    let mut interrupts = Interrupts::new()?;
    let (command, input) = with_input(command, is_terminal())?;
    let process = AttachedProcess::start(calls, command).await?;
    converse(Arc::new(process), input, printer, &mut interrupts).await
}

async fn find(client: &Client, args: &ShellArgs) -> Result<SandboxPath> {
    let calls = client.sandbox(args.id.clone());
    for shell in SHELLS {
        let shell = SandboxPath::new(shell)?;
        match calls.stat_file(&shell).await {
            Ok(_) => return Ok(shell),
            Err(error) if error.kind() == ErrorKind::NotFound && error.field() == Some("path") => {}
            Err(error) => return Err(error),
        }
    }
    let message = "the sandbox has neither /bin/bash nor /bin/sh: name another with --shell";
    Err(Error::new(ErrorKind::NotFound, "cli.shell", message).with_field("shell"))
}

/// Talks to `process` until it ends, and answers the code to end with.
///
/// # Errors
/// As [`Conversation::run`]; `Unavailable` when the sandbox ended under it.
pub(super) async fn converse(
    process: Arc<dyn Process>,
    input: crate::process::Input,
    printer: Printer,
    interrupts: &mut Interrupts,
) -> Result<u8> {
    let status = Conversation::new(process, input).run(interrupts).await?;
    if status.cause == Some(KillCause::OutOfMemory) {
        printer.note("the command was killed: the sandbox reached its memory limit");
    }
    exit_code(status)
}
