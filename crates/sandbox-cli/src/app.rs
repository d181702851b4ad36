//! From the command line to an exit code.

use std::ffi::OsString;

use clap::error::ErrorKind as ClapErrorKind;
use clap::{CommandFactory, Parser};
use sandbox_core::{Error, ErrorKind};

use crate::args::{Args, Command, CompletionArgs, RunArgs};
use crate::local::LocalMaker;
use crate::output::{Failure, Printer, is_broken_pipe};
use crate::process::Interrupts;
use crate::remote::{self, RemoteMaker};
use crate::{commands, doctor, serve};

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
    // Not by returning: a thread that still waits for standard input would be waited for.
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
        Ok(runtime) => {
            let ended = runtime.block_on(dispatch(args, printer));
            // A thread may be waiting for a key that nobody presses.
            runtime.shutdown_background();
            ended
        }
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
    let url = args.url.as_deref().filter(|url| !url.is_empty());
    let work = carry_out(&args.command, url, printer);
    if hears_signals(&args.command) {
        return work.await;
    }
    let mut interrupts = Interrupts::new()?;
    tokio::select! {
        done = work => done,
        // What was begun is dropped, and cleans up behind itself.
        signal = interrupts.end() => Ok(commands::interrupted(signal)),
    }
}

/// Whether a command knows itself what to do about `^C`.
fn hears_signals(command: &Command) -> bool {
    matches!(
        command,
        Command::Serve(_) | Command::Run(_) | Command::Exec(_) | Command::Shell(_)
    )
}

async fn carry_out(command: &Command, url: Option<&str>, printer: Printer) -> Result<u8, Failure> {
    let client = || remote::client(url);
    match command {
        Command::Serve(args) => serve::serve(args, printer).await?,
        Command::Run(args) => return Ok(run_command(args, url, printer).await?),
        Command::Create(args) => commands::create(&client()?, args, printer).await?,
        Command::Exec(args) => return Ok(commands::exec(&client()?, args, printer).await?),
        Command::Shell(args) => return Ok(commands::shell(&client()?, args, printer).await?),
        Command::Cp(args) => return commands::cp(&client()?, args, printer).await,
        Command::Ls(args) => commands::ls(&client()?, args, printer).await?,
        Command::Ps(args) => commands::ps(&client()?, args, printer).await?,
        Command::Inspect(args) => commands::inspect(&client()?, args, printer).await?,
        Command::Logs(args) => commands::logs(&client()?, args, printer).await?,
        Command::Rm(args) => return Ok(commands::remove(&client()?, args, printer).await?),
        Command::Wake(args) => return Ok(commands::wake(&client()?, args, printer).await?),
        Command::Suspend(args) => return Ok(commands::suspend(&client()?, args, printer).await?),
        Command::Keepalive(args) => commands::keepalive(&client()?, args, printer).await?,
        Command::Keys(args) => return Ok(commands::keys(url, args, printer).await?),
        Command::Images(command) => commands::images(command, printer).await?,
        Command::Templates(args) => commands::templates(&client()?, args, printer).await?,
        Command::Snapshots(args) => {
            return Ok(commands::snapshots(&client()?, args, printer).await?);
        }
        Command::Egress(args) => commands::egress(&client()?, args, printer).await?,
        Command::Events(args) => commands::events(&client()?, args, printer).await?,
        Command::Usage(args) => commands::usage(&client()?, args, printer).await?,
        Command::Doctor(args) => return Ok(doctor::doctor(args, url, printer).await?),
        Command::Completion(args) => complete(args),
    }
    Ok(0)
}

async fn run_command(args: &RunArgs, url: Option<&str>, printer: Printer) -> Result<u8, Error> {
    match url {
        Some(_) => commands::run(RemoteMaker::new(remote::client(url)?), args, printer).await,
        None => {
            let maker = LocalMaker::named(args.make.runtime.as_ref()).await?;
            commands::run(maker, args, printer).await
        }
    }
}

fn complete(completion: &CompletionArgs) {
    let mut out = std::io::stdout();
    clap_complete::generate(completion.shell, &mut Args::command(), "sandbox", &mut out);
}
