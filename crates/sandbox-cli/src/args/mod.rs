//! The command line as it is written.

mod egress;
mod files;
mod manage;
mod pairs;
mod process;
mod sandbox;
mod serve;

use clap::{Parser, Subcommand};

pub(crate) use egress::{EgressArgs, EgressCommand};
pub(crate) use files::{CpArgs, FilterArgs, LogsArgs, LsArgs};
pub(crate) use manage::{
    CompletionArgs, DoctorArgs, EventsArgs, ImagesCommand, KeysArgs, KeysCommand, SnapshotsCommand,
    TemplatesArgs, UsageArgs,
};
pub(crate) use process::{ExecArgs, ShellArgs};
pub(crate) use sandbox::{CreateArgs, IdArgs, IdsArgs, KeepaliveArgs, MakeArgs, PsArgs, RunArgs};
pub(crate) use serve::ServeArgs;

const EXIT_CODES: &str = "\
Environment:
  SANDBOX_URL       the server to talk to, such as http://127.0.0.1:8080
  SANDBOX_API_KEY   the API key to show it; for `serve`, the key of the first start
  DOCKER_HOST       the Docker daemon, where sandboxes are made without a server
  NO_COLOR          set to anything: no colours

Exit codes:
  0    done
  1    it failed: one line on standard error says why
  2    the command line makes no sense
  run, exec and shell end with their command's own code; with 128 and its number when a signal
  killed it; with 124 when its time limit did.";

/// Isolated places to run untrusted code.
#[derive(Debug, Parser)]
#[command(name = "sandbox", version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Args {
    /// Results and errors as JSON: one document, or one a line where there are many.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// The server to talk to.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "SANDBOX_URL",
        hide_env = true
    )]
    pub(crate) url: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the HTTP API on this machine.
    Serve(ServeArgs),
    /// Make a sandbox, run a command in it, remove it; on this machine's Docker daemon, with
    /// `--runtime wasm` inside this process, or on the server at SANDBOX_URL.
    Run(RunArgs),
    /// Make a sandbox on the server.
    Create(CreateArgs),
    /// Run a command in a sandbox.
    Exec(ExecArgs),
    /// Open a shell in a sandbox.
    Shell(ShellArgs),
    /// Copy files and directories into a sandbox or out of one.
    Cp(CpArgs),
    /// List sandboxes, or a directory of one.
    Ls(LsArgs),
    /// List sandboxes, or what runs in one.
    Ps(PsArgs),
    /// Show a sandbox.
    Inspect(IdArgs),
    /// Show what a process of a sandbox printed.
    Logs(LogsArgs),
    /// Destroy sandboxes.
    Rm(IdsArgs),
    /// Wake suspended sandboxes.
    Wake(IdsArgs),
    /// Suspend sandboxes.
    Suspend(IdsArgs),
    /// Let a sandbox live longer.
    Keepalive(KeepaliveArgs),
    /// Make, list and revoke API keys.
    Keys(KeysArgs),
    /// List, pull and remove images of the Wasm runtime, on this machine.
    #[command(subcommand)]
    Images(ImagesCommand),
    /// List the templates.
    Templates(TemplatesArgs),
    /// Take, list and remove snapshots.
    #[command(subcommand)]
    Snapshots(SnapshotsCommand),
    /// Show, replace and explain what a sandbox may connect to.
    #[command(subcommand)]
    Egress(EgressCommand),
    /// Show what happened.
    Events(EventsArgs),
    /// Show what was used this month, and what may be.
    Usage(UsageArgs),
    /// Find out what works here, and how to fix what does not.
    Doctor(DoctorArgs),
    /// Print a completion script for a shell.
    Completion(CompletionArgs),
}
