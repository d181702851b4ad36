//! `sandbox run`: a sandbox for one command.

use futures_util::StreamExt;
use sandbox_core::{Command, Error, ErrorKind, Result, SandboxId, Signal};

use super::input::with_input;

use crate::args::RunArgs;
use crate::maker::Maker;
use crate::output::{Printer, Spinner};
use crate::process::Interrupts;

/// Makes a sandbox, runs the command in it, and removes it, whatever happens in between.
///
/// # Errors
/// What making the sandbox, starting the command or removing the sandbox fails with.
pub(crate) async fn run(mut maker: impl Maker, args: &RunArgs, printer: Printer) -> Result<u8> {
    let mut interrupts = Interrupts::new()?;
    let id = new_id()?;
    let ended = tokio::select! {
        made = make(&maker, &id, args, printer) => match made {
            Ok(()) => converse(&maker, &id, args, printer, &mut interrupts).await,
            Err(error) => Err(error),
        },
        signal = interrupts.end() => Ok(interrupted(signal)),
    };
    // From here on the next signal gives up.
    let removed = tokio::select! {
        removed = maker.remove(&id) => removed,
        signal = interrupts.end() => {
            printer.note(&format!("{id} was not removed"));
            return Ok(interrupted(signal));
        }
    };
    maker.close().await;
    match (ended, removed) {
        (Err(error), removed) => {
            if let Err(removing) = removed {
                printer.error(&removing);
            }
            Err(error)
        }
        (Ok(0), Err(removing)) => Err(removing),
        (Ok(code), Err(removing)) => {
            printer.error(&removing);
            Ok(code)
        }
        (Ok(code), Ok(())) => Ok(code),
    }
}

/// The code of a program that a signal ended.
pub(crate) fn interrupted(signal: Signal) -> u8 {
    u8::try_from(128 + signal.number()).unwrap_or(u8::MAX)
}

fn new_id() -> Result<SandboxId> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|e| {
        let message = "the system's source of randomness does not answer";
        let source = std::io::Error::other(e.to_string());
        Error::new(ErrorKind::Unavailable, "cli.run", message).with_source(source)
    })?;
    Ok(SandboxId::from_random(random))
}

async fn make(maker: &impl Maker, id: &SandboxId, args: &RunArgs, printer: Printer) -> Result<()> {
    {
        let spinner = Spinner::new(printer.is_json());
        let mut progress = maker.prepare(&args.make).await?;
        while let Some(step) = progress.next().await {
            spinner.report(&step?);
        }
    }
    maker.create(id, &args.make).await
}

async fn converse(
    maker: &impl Maker,
    id: &SandboxId,
    args: &RunArgs,
    printer: Printer,
    interrupts: &mut Interrupts,
) -> Result<u8> {
    let mut command = Command::argv(args.command.iter().cloned());
    command.timeout = args.timeout;
    let (command, input) = with_input(command, args.tty)?;
    let process = maker.spawn(id, command).await?;
    super::exec::converse(process, input, printer, interrupts).await
}
