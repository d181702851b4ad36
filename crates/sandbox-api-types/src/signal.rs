//! Signals.

use std::fmt;
use std::str::FromStr;

use sandbox_core::{Error, Result, Signal};

use crate::text::serde_as_text;

/// A signal by name or by number: `TERM`, `SIGKILL` or `15`. Written as `SIGTERM`, and as a number
/// where it has no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "SIGTERM"))]
pub struct SignalName(pub Signal);

serde_as_text!(SignalName);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.to_string();
        match name.starts_with("SIG") {
            true => f.write_str(&name),
            false => self.0.number().fmt(f),
        }
    }
}

impl FromStr for SignalName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self)
    }
}

impl From<Signal> for SignalName {
    fn from(signal: Signal) -> Self {
        Self(signal)
    }
}

impl From<SignalName> for Signal {
    fn from(name: SignalName) -> Self {
        name.0
    }
}
