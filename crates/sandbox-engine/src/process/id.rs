//! Ids of processes.

use std::fmt;
use std::str::FromStr;

use sandbox_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// The id of a process that the engine watches: `proc_` and 32 hexadecimal digits, never used
/// again, unlike the process's number inside its sandbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProcessId(String);

impl ProcessId {
    pub(crate) fn generate() -> Result<Self> {
        let random = u128::from_be_bytes(crate::random::bytes()?);
        Ok(Self(format!("proc_{random:032x}")))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ProcessId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix("proc_").unwrap_or_default();
        let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if digits.len() == 32 && digits.chars().all(hex) {
            return Ok(Self(text.to_owned()));
        }
        let message = "is not 'proc_' and 32 hexadecimal digits";
        Err(Error::invalid("process.parse", "process", message))
    }
}

impl TryFrom<String> for ProcessId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ProcessId> for String {
    fn from(id: ProcessId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_parse_and_others_do_not() {
        let id = ProcessId::generate().unwrap();
        assert_eq!(id.as_str().parse::<ProcessId>().unwrap(), id);
        for bad in ["", "proc_", "proc_1", &id.as_str().to_uppercase(), "../x"] {
            assert_eq!(
                bad.parse::<ProcessId>().unwrap_err().field(),
                Some("process")
            );
        }
    }
}
