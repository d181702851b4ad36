//! Signals by number and by name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A signal by its Linux number, 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Signal(i32);

/// The signals with names, as Linux numbers them on every architecture supported here.
const SIGNAL_NAMES: [(&str, i32); 16] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("CONT", 18),
];

impl Signal {
    /// Hang-up.
    pub const HUP: Self = Self(1);
    /// Interrupt, as `^C` sends it.
    pub const INT: Self = Self(2);
    /// Quit.
    pub const QUIT: Self = Self(3);
    /// Kill: cannot be caught.
    pub const KILL: Self = Self(9);
    /// The first signal without a meaning.
    pub const USR1: Self = Self(10);
    /// Segmentation fault.
    pub const SEGV: Self = Self(11);
    /// The second signal without a meaning.
    pub const USR2: Self = Self(12);
    /// Write to a pipe that nobody reads.
    pub const PIPE: Self = Self(13);
    /// Terminate: the polite request.
    pub const TERM: Self = Self(15);
    /// Continue.
    pub const CONT: Self = Self(18);
    /// Stop: cannot be caught.
    pub const STOP: Self = Self(19);

    /// The signal numbered `number`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) outside 1 to 64.
    pub fn new(number: i32) -> Result<Self> {
        if (1..=64).contains(&number) {
            return Ok(Self(number));
        }
        let message = format!("{number} is not a signal number; they run from 1 to 64");
        Err(Error::invalid("signal.parse", "signal", message))
    }

    /// The Linux number.
    pub const fn number(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for Signal {
    type Error = Error;

    fn try_from(number: i32) -> Result<Self> {
        Self::new(number)
    }
}

impl From<Signal> for i32 {
    fn from(signal: Signal) -> i32 {
        signal.0
    }
}

impl FromStr for Signal {
    type Err = Error;

    /// Parses `TERM`, `SIGTERM` (case does not matter) or `15`.
    fn from_str(text: &str) -> Result<Self> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        if let Some((_, number)) = SIGNAL_NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(Self(*number));
        }
        match name {
            "STOP" => Ok(Self::STOP),
            _ => text
                .parse()
                .map_err(|_| {
                    let message = format!("{text:?} is not a signal such as TERM, SIGKILL or 15");
                    Error::invalid("signal.parse", "signal", message)
                })
                .and_then(Self::new),
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIGNAL_NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => write!(f, "SIG{name}"),
            None if *self == Self::STOP => f.write_str("SIGSTOP"),
            None => write!(f, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_parse_by_name_and_number() {
        for (text, number) in [
            ("TERM", 15),
            ("sigkill", 9),
            ("19", 19),
            ("STOP", 19),
            ("64", 64),
        ] {
            assert_eq!(text.parse::<Signal>().unwrap().number(), number);
        }
        for bad in ["", "0", "65", "-9", "SIGSIG", "TERMINATE"] {
            assert!(bad.parse::<Signal>().is_err(), "{bad:?}");
        }
        assert_eq!(Signal::TERM.to_string(), "SIGTERM");
        assert_eq!(Signal::STOP.to_string(), "SIGSTOP");
        assert!(serde_json::from_str::<Signal>("0").is_err());
    }
}
