//! The program inside a sandbox.

use std::io::Write;
use std::process::ExitCode;

const USAGE: &str = "\
usage: sandbox-agent agent      serve a client over standard input and output
       sandbox-agent holder     own a network namespace and its packet filter
       sandbox-agent --version
";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let command = args.next();
    match (
        command.as_deref().and_then(|text| text.to_str()),
        args.next(),
    ) {
        (Some("agent"), None) => sandbox_agent::agent::run(),
        #[cfg(feature = "holder")]
        (Some("holder"), None) => sandbox_agent::holder::run(),
        (Some("--version"), None) => say(&mut std::io::stdout(), VERSION, ExitCode::SUCCESS),
        _ => say(&mut std::io::stderr(), USAGE, ExitCode::from(2)),
    }
}

const VERSION: &str = concat!("sandbox-agent ", env!("CARGO_PKG_VERSION"), "\n");

fn say(to: &mut dyn Write, text: &str, code: ExitCode) -> ExitCode {
    match to.write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
