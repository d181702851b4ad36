//! Commands in sandboxes, on the command line.

use std::time::Duration;

use clap::Args;
use sandbox_core::{Command, SandboxId, SandboxPath, User};

use super::pairs;

/// What a command runs with.
#[derive(Debug, Default, Args)]
pub(crate) struct WithArgs {
    /// Set an environment variable; without a value, to what it is here. Can be repeated.
    #[arg(short, long = "env", value_name = "NAME[=VALUE]", value_parser = pairs::env_pair)]
    env: Vec<(String, String)>,
    /// The directory to run in.
    #[arg(short = 'w', long, value_name = "PATH", value_parser = pairs::named::<SandboxPath>)]
    workdir: Option<SandboxPath>,
    /// The user to run as.
    #[arg(short, long, value_parser = pairs::named::<User>)]
    user: Option<User>,
}

impl WithArgs {
    /// `command` with these.
    pub(crate) fn apply(&self, mut command: Command) -> Command {
        command.env.extend(self.env.iter().cloned());
        command.cwd.clone_from(&self.workdir);
        command.user.clone_from(&self.user);
        command
    }
}

/// Runs a command.
#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    /// The sandbox.
    #[arg(value_parser = pairs::named::<SandboxId>)]
    pub(crate) id: SandboxId,
    #[command(flatten)]
    pub(crate) with: WithArgs,
    /// Kill it after this long, such as 30s.
    #[arg(long, value_name = "DURATION", value_parser = pairs::duration)]
    pub(crate) timeout: Option<Duration>,
    /// Run it on a terminal.
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Start it, print its id, and leave it running.
    #[arg(short, long, conflicts_with = "tty")]
    pub(crate) detach: bool,
    /// A name to find it by.
    #[arg(long, requires = "detach")]
    pub(crate) tag: Option<String>,
    /// The program and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Opens a shell.
#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// The sandbox.
    #[arg(value_parser = pairs::named::<SandboxId>)]
    pub(crate) id: SandboxId,
    #[command(flatten)]
    pub(crate) with: WithArgs,
    /// The shell. Without one, /bin/bash where the sandbox has it, else /bin/sh.
    #[arg(long, value_name = "PATH", value_parser = pairs::named::<SandboxPath>)]
    pub(crate) shell: Option<SandboxPath>,
}
