//! Making sandboxes and what happens to them, on the command line.

use std::time::Duration;

use clap::{ArgAction, Args};
use sandbox_core::{RuntimeName, SandboxId, SandboxPath, SnapshotId, TemplateName, User};

use super::EgressArgs;
use super::pairs::{self, Pair};

/// What a sandbox is made from.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub(crate) struct SourceArgs {
    /// The template. Default: base.
    #[arg(long, value_name = "NAME", value_parser = pairs::named::<TemplateName>)]
    pub(crate) template: Option<TemplateName>,
    /// An image, in place of a template; it may connect to nothing unless egress is said.
    #[arg(long)]
    pub(crate) image: Option<String>,
    /// A snapshot, in place of a template.
    #[arg(long, value_name = "ID", value_parser = pairs::named::<SnapshotId>)]
    pub(crate) snapshot: Option<SnapshotId>,
}

/// What a sandbox is like.
#[derive(Debug, Default, Args)]
pub(crate) struct MakeArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Set an environment variable; without a value, to what it is here. Can be repeated.
    #[arg(short, long = "env", value_name = "NAME[=VALUE]", value_parser = pairs::env_pair)]
    pub(crate) env: Vec<Pair>,
    /// How large, by name: shared-cpu-1x to performance-8x.
    #[arg(long, value_name = "NAME")]
    pub(crate) size: Option<String>,
    /// CPUs, such as 0.5.
    #[arg(long, value_name = "NUMBER", value_parser = pairs::milli_cpus)]
    pub(crate) cpus: Option<u32>,
    /// Memory, such as 512MiB.
    #[arg(long, value_name = "SIZE", value_parser = pairs::size)]
    pub(crate) memory: Option<u64>,
    /// Disk beyond the image, such as 2GiB.
    #[arg(long, value_name = "SIZE", value_parser = pairs::size)]
    pub(crate) disk: Option<u64>,
    /// Processes and threads at once.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) pids: Option<u32>,
    /// The directory commands run in.
    #[arg(short = 'w', long, value_name = "PATH", value_parser = pairs::named::<SandboxPath>)]
    pub(crate) workdir: Option<SandboxPath>,
    /// The user commands run as.
    #[arg(short, long, value_parser = pairs::named::<User>)]
    pub(crate) user: Option<User>,
    /// The host name inside.
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// The runtime: docker or wasm.
    #[arg(long, value_name = "NAME", value_parser = pairs::named::<RuntimeName>)]
    pub(crate) runtime: Option<RuntimeName>,
    /// The low-level runtime, such as runsc.
    #[arg(long, value_name = "NAME")]
    pub(crate) runtime_class: Option<String>,
    #[command(flatten)]
    pub(crate) egress: EgressArgs,
}

/// Runs a command in a sandbox of its own.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) make: MakeArgs,
    /// Kill the command after this long, such as 30s. Without it, the sandbox's own end is the
    /// limit: 24 hours.
    #[arg(long, value_name = "DURATION", value_parser = pairs::duration)]
    pub(crate) timeout: Option<Duration>,
    /// Run it on a terminal.
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// The program and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Makes a sandbox.
#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) make: MakeArgs,
    /// Its id, in place of one that cannot be guessed.
    #[arg(long, value_parser = pairs::named::<SandboxId>)]
    pub(crate) id: Option<SandboxId>,
    /// Set an entry of its metadata; can be repeated.
    #[arg(long = "metadata", value_name = "NAME=VALUE", value_parser = pairs::pair)]
    pub(crate) metadata: Vec<Pair>,
    /// How long it lives, such as 10m; at most 24h.
    #[arg(long, value_name = "DURATION", value_parser = pairs::duration)]
    pub(crate) timeout: Option<Duration>,
    /// Let it live until it is destroyed, suspended while nobody uses it.
    #[arg(long, conflicts_with = "timeout")]
    pub(crate) persistent: bool,
    /// How long without use until a persistent one is suspended, such as 10m.
    #[arg(long, value_name = "DURATION", requires = "persistent", value_parser = pairs::duration)]
    pub(crate) idle_timeout: Option<Duration>,
    /// Wake it when it is used while suspended.
    #[arg(long)]
    pub(crate) auto_wake: bool,
    /// Answer at once, while it is being made.
    #[arg(long = "no-wait", action = ArgAction::SetFalse)]
    pub(crate) wait: bool,
}

/// One sandbox.
#[derive(Debug, Args)]
pub(crate) struct IdArgs {
    /// The sandbox.
    #[arg(value_parser = pairs::named::<SandboxId>)]
    pub(crate) id: SandboxId,
}

/// Some sandboxes.
#[derive(Debug, Args)]
pub(crate) struct IdsArgs {
    /// The sandboxes. One that fails does not hold up the others.
    #[arg(required = true, value_name = "ID", value_parser = pairs::named::<SandboxId>)]
    pub(crate) ids: Vec<SandboxId>,
}

/// Lists what runs.
#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// The sandbox whose processes to list. Without it, sandboxes are listed.
    #[arg(value_parser = pairs::named::<SandboxId>)]
    pub(crate) id: Option<SandboxId>,
    #[command(flatten)]
    pub(crate) filter: super::files::FilterArgs,
}

/// Lets a sandbox live longer.
#[derive(Debug, Args)]
pub(crate) struct KeepaliveArgs {
    /// The sandbox.
    #[arg(value_parser = pairs::named::<SandboxId>)]
    pub(crate) id: SandboxId,
    /// How long it lives at least, from now, such as 10m. More than 24h counts as 24h.
    #[arg(value_parser = pairs::duration)]
    pub(crate) timeout: Duration,
}
