//! The server, on the command line.

use std::path::PathBuf;

use clap::Args;

/// Serves the API. What is said here goes before the configuration file.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
On the first start it prints an API key, once. SANDBOX_API_KEY presets that key. Every setting of
the configuration file, with its default, is in examples/sandbox.toml.")]
pub(crate) struct ServeArgs {
    /// The address to listen on. Default: 127.0.0.1:8080.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<String>,
    /// The directory everything is kept in; made when it is missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// A runtime to offer: docker or wasm. Can be repeated; the first is the default.
    #[arg(long = "runtime", value_name = "NAME")]
    pub(crate) runtimes: Vec<String>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}
