//! The server's log, on standard error.

use std::io::{IsTerminal, stderr};

use sandbox_core::{Error, Result};
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSection};

/// Writes a log from now on.
///
/// # Errors
/// `InvalidSpec` with field `log.filter` for a filter that makes no sense.
pub(crate) fn start(section: &LogSection) -> Result<()> {
    let filter = EnvFilter::try_new(&section.filter).map_err(|e| {
        let message = "is not a level (error, warn, info, debug, trace) or MODULE=LEVEL, …";
        Error::invalid("config", "log.filter", message).with_source(e)
    })?;
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal() && !no_color);
    let started = match section.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // There is one already where a program embeds this.
    drop(started);
    Ok(())
}
