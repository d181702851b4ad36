//! From the command line to an exit code.

use std::ffi::OsString;

use clap::error::ErrorKind as ClapErrorKind;
use clap::{CommandFactory, Parser};
use sandbox_core::{Error, ErrorKind};

use crate::args::{Args, Command};
use crate::commands;
use crate::local::LocalMaker;
use crate::output::{Failure, Printer, is_broken_pipe};

/// The exit code of a program whose reader left, as the system has it: 128 and SIGPIPE.
const EXIT_PIPE: u8 = 141;
/// The exit code for a command line that makes no sense.
const EXIT_USAGE: u8 = 2;

/// Runs the program with this process's arguments, and ends the process.
pub fn main() -> ! {
    let code = match parse() {
        Ok(args) => run(args),
        Err(code) => code,
    };
    // Not by returning: a thread may still wait for standard input, and would be waited for.
    std::process::exit(code.into())
}

/// Parses the arguments; help and mistakes are printed, and end with a code.
fn parse() -> Result<Args, u8> {
    Args::try_parse().map_err(|error| {
        let asked = matches!(
            error.kind(),
            ClapErrorKind::DisplayHelp | ClapErrorKind::DisplayVersion
        );
        if !asked && wants_json(std::env::args_os()) {
            let text = error.render().to_string();
            let message = text.lines().next().unwrap_or_default();
            let message = message.strip_prefix("error: ").unwrap_or(message);
            Printer::new(true).usage_error(message);
            return EXIT_USAGE;
        }
        // Whoever left misses nothing.
        let _ = error.print();
        match asked {
            true => 0,
            false => EXIT_USAGE,
        }
    })
}

/// Whether `--json` stands before the command of a sandbox.
fn wants_json(args: impl Iterator<Item = OsString>) -> bool {
    args.take_while(|arg| arg != "--")
        .any(|arg| arg == "--json")
}

fn run(args: Args) -> u8 {
    let printer = Printer::new(args.json);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(args, printer)),
        Err(error) => {
            let message = "threads cannot be started";
            Err(Error::new(ErrorKind::Unavailable, "cli.start", message)
                .with_source(error)
                .into())
        }
    };
    match ended {
        Ok(code) => code,
        Err(failure) if is_broken_pipe(&failure.error) => EXIT_PIPE,
        Err(failure) => {
            printer.error(&failure.error);
            failure.exit
        }
    }
}

async fn dispatch(args: Args, printer: Printer) -> Result<u8, Failure> {
    match args.command {
        Command::Run(run) => {
            let maker = LocalMaker::docker().await?;
            Ok(commands::run(maker, &run, printer).await?)
        }
        Command::Completion(completion) => {
            let mut out = std::io::stdout();
            clap_complete::generate(completion.shell, &mut Args::command(), "sandbox", &mut out);
            Ok(0)
        }
        _ => {
            let message = "needs a server";
            Err(Error::new(ErrorKind::Unsupported, "cli.start", message).into())
        }
    }
}
