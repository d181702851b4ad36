//! Files and output, on the command line.

use clap::Args;
use sandbox_core::SandboxId;

use crate::transfer::Place;

/// Copies files.
#[derive(Debug, Args)]
#[command(after_help = "\
A path in a sandbox is ID:/ABSOLUTE/PATH; anything else is a path here, and `-` is standard input
or output. A directory is copied with all that is in it. Into a directory that is there, or a path
that ends with `/`, things are copied under their own name.")]
pub(crate) struct CpArgs {
    /// What to copy.
    #[arg(value_parser = super::pairs::named::<Place>)]
    pub(crate) from: Place,
    /// Where to.
    #[arg(value_parser = super::pairs::named::<Place>)]
    pub(crate) to: Place,
    /// Copy what links to files lead to. Without this, links are left out and named.
    #[arg(short = 'L', long)]
    pub(crate) follow_links: bool,
}

/// Lists sandboxes, or a directory.
#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// The sandbox, with the directory to list: ID or ID:/PATH. Without it, sandboxes are listed.
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// Which sandboxes to list.
#[derive(Debug, Default, Args)]
pub(crate) struct FilterArgs {
    /// Only those with this status: creating, running, suspended, destroyed or failed.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only those with this entry in their metadata; can be repeated.
    #[arg(long = "metadata", value_name = "NAME=VALUE", value_parser = super::pairs::pair)]
    pub(crate) metadata: Vec<(String, String)>,
}

/// Shows output.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The sandbox.
    #[arg(value_parser = super::pairs::named::<SandboxId>)]
    pub(crate) id: SandboxId,
    /// The process: its id (`proc_…`), its number in the sandbox, or `tag:NAME`. Without one, the
    /// newest.
    pub(crate) process: Option<String>,
    /// List the processes that are kept, in place of what one printed.
    #[arg(short, long, conflicts_with_all = ["process", "follow", "from"])]
    pub(crate) list: bool,
    /// Go on until the process ends.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin with the output of this number.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    pub(crate) from: u64,
}
