//! Looking after a server, on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;
use sandbox_core::{SandboxId, SnapshotId};

/// Looks after API keys.
#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    /// Open the store in this directory in place of asking a server; also while one runs on it.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

/// What to do about API keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and print it, once.
    Create {
        /// What it is for.
        #[arg(long, default_value = "")]
        name: String,
        /// What it may do: read, write (and read), or admin (everything).
        #[arg(long, default_value = "write", value_parser = ["read", "write", "admin"])]
        scope: String,
        /// How long it is valid, such as 720h. Without it, until it is revoked.
        #[arg(long, value_name = "DURATION", value_parser = super::pairs::duration)]
        expires_in: Option<std::time::Duration>,
    },
    /// List keys: everything but the keys themselves.
    List,
    /// Revoke keys, from the next request on.
    Revoke {
        /// The ids of the keys (`key_…`).
        #[arg(required = true, value_name = "KEY_ID")]
        ids: Vec<String>,
    },
}

/// What to do about images of the Wasm runtime.
#[derive(Debug, Subcommand)]
pub(crate) enum ImagesCommand {
    /// List images: what there is, and what has been pulled.
    List,
    /// Fetch an image from the package registry where it is published, and compile it.
    #[command(after_help = PULL_HELP)]
    Pull {
        /// The image.
        name: String,
    },
    /// Remove an image that was pulled.
    Rm {
        /// The image.
        name: String,
    },
}

const PULL_HELP: &str = "\
The registries are those that cargo, npm and pip use on this machine, mirrors included.
Environment:
  SANDBOX_IMAGES_CARGO_URL, SANDBOX_IMAGES_NPM_URL, SANDBOX_IMAGES_PYPI_URL   others
  SANDBOX_IMAGES_DIR   where images are kept
  SANDBOX_CACHE_DIR    where compiled code is kept
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY, SSL_CERT_FILE   as everywhere";

/// Lists templates.
#[derive(Debug, Args)]
pub(crate) struct TemplatesArgs {
    /// Show this one alone.
    pub(crate) name: Option<String>,
}

/// What to do about snapshots.
#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotsCommand {
    /// List snapshots.
    List,
    /// Keep the file system of a sandbox as it is now.
    Create {
        /// The sandbox.
        #[arg(value_parser = super::pairs::named::<SandboxId>)]
        id: SandboxId,
    },
    /// Remove snapshots.
    Rm {
        /// The snapshots. One that fails does not hold up the others.
        #[arg(required = true, value_name = "ID", value_parser = super::pairs::named::<SnapshotId>)]
        ids: Vec<SnapshotId>,
    },
}

/// Shows events.
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Go on with what happens from now on.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Begin with the event of this number. Without it: with the first that is kept, or with
    /// `--follow`, with what comes.
    #[arg(long, value_name = "SEQ")]
    pub(crate) from: Option<u64>,
    /// Only those of this sandbox.
    #[arg(long, value_name = "ID", value_parser = super::pairs::named::<SandboxId>)]
    pub(crate) sandbox: Option<SandboxId>,
}

/// Shows usage.
#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// The month, such as 2026-01. Without it, this one.
    #[arg(long, value_name = "YYYY-MM")]
    pub(crate) month: Option<String>,
}

/// Looks at this machine, or at a server.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The server's data directory, to look at that too.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server's configuration file, to check it and use it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Prints a completion script.
#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell.
    pub(crate) shell: Shell,
}
