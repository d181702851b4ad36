//! Why a file is not run as a program.

use std::fmt;

use sandbox_core::{Error, ErrorKind};

/// Why a module is not compiled. To the program that tried to execute it, every reason but
/// [`Busy`](Self::Busy) and [`Broken`](Self::Broken) is `ENOEXEC`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// It has more of something than is allowed: what, how much, and the limit.
    TooLarge {
        /// What was counted, such as `functions`.
        what: &'static str,
        /// How much there is.
        has: u64,
        /// How much there may be.
        limit: u64,
    },
    /// It is no valid module, or none that runs here.
    Malformed(String),
    /// It needs something that nothing here provides.
    UnknownImport {
        /// The module it is imported from.
        module: String,
        /// The name in that module.
        name: String,
    },
    /// What it imports is not what is provided.
    NotLinked(String),
    /// It is valid, and no program.
    NoProgram(String),
    /// Too many modules of this tenant wait already.
    Busy {
        /// How many may.
        limit: usize,
    },
    /// The compiler failed; a defect.
    Broken(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { what, has, limit } => {
                write!(
                    f,
                    "the module's {what} are {has}, and at most {limit} are allowed"
                )
            }
            Self::Malformed(why) => write!(f, "no valid WebAssembly module: {why}"),
            Self::UnknownImport { module, name } => write!(
                f,
                "the module imports `{name}` from `{module}`, which is not provided here"
            ),
            Self::NotLinked(why) => write!(f, "the module does not fit what is provided: {why}"),
            Self::NoProgram(why) => write!(f, "the module is no program: {why}"),
            Self::Busy { limit } => {
                write!(
                    f,
                    "{limit} modules of this sandbox wait to be compiled already"
                )
            }
            Self::Broken(why) => write!(f, "the module cannot be compiled: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

impl Refused {
    /// The error of a host's call whose `field` names the module.
    pub fn into_error(self, operation: &'static str, field: &str) -> Error {
        let kind = match self {
            Self::TooLarge { .. } | Self::Busy { .. } => ErrorKind::LimitExceeded,
            Self::Malformed(_)
            | Self::UnknownImport { .. }
            | Self::NotLinked(_)
            | Self::NoProgram(_) => ErrorKind::InvalidSpec,
            Self::Broken(_) => ErrorKind::Internal,
        };
        Error::new(kind, operation, self.to_string()).with_field(field)
    }
}
