//! What a process says, as Server-Sent Events.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use sandbox_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

use crate::duration::millis;
use crate::exec::decode_base64;
use crate::sse::sse_events;
use crate::text::{is_false, on};
use crate::{ErrorBody, ExitStatus, OutputStream, Process};

/// From where, and how far, to read the output of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct OutputQuery {
    /// The number of the first chunk wanted; 0 for all that is kept. Default: 0.
    #[serde(default)]
    pub from: u64,
    /// Whether to wait for what is yet to come; without it, the stream ends with what is there.
    /// Default: true.
    #[serde(default = "on")]
    pub follow: bool,
}

impl Default for OutputQuery {
    fn default() -> Self {
        Self {
            from: 0,
            follow: true,
        }
    }
}

/// How to attach to a process.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct AttachQuery {
    /// The number of the first chunk wanted; 0 for all that is kept. Default: 0.
    #[serde(default)]
    pub from: u64,
    /// Whether the process waits for this reader when it writes faster than that reads, as it would
    /// for a pipe. Otherwise it goes on, and what no longer fits is a gap. Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub paced: bool,
}

/// What happens to a process, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputEvent {
    /// It was started: the first event of a command that the request started.
    Start(OutputStart),
    /// It wrote.
    Output(OutputChunk),
    /// Output that is no longer kept.
    Gap(Gap),
    /// It ended. What follows was written by children it left behind.
    Exit(OutputExit),
    /// The stream cannot go on, and ends.
    Error(ErrorBody),
}

sse_events!(OutputEvent {
    Start = "start",
    Output = "output",
    Gap = "gap",
    Exit = "exit",
    Error = "error",
});

/// A process was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutputStart {
    /// The process.
    pub process: Process,
}

/// A numbered piece of output: `data` where it is UTF-8, else `data_base64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutputChunk {
    /// Its number: grows by one with every chunk of the process.
    pub seq: u64,
    /// Where it came from.
    pub stream: OutputStream,
    /// The text, where it is text; a chunk may end in the middle of a character, and is then none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// The bytes in base 64, where they are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_base64: Option<String>,
}

impl OutputChunk {
    /// The chunk that holds `data`.
    pub fn new(seq: u64, stream: OutputStream, data: &[u8]) -> Self {
        let text = std::str::from_utf8(data).ok().map(str::to_owned);
        Self {
            seq,
            stream,
            data_base64: text.is_none().then(|| BASE64.encode(data)),
            data: text,
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// `Internal` unless it has either text or base 64.
    pub fn bytes(self) -> Result<Bytes> {
        let broken = || {
            let message = "a chunk of output has not exactly one of data and data_base64";
            Error::new(ErrorKind::Internal, "output.decode", message)
        };
        match (self.data, self.data_base64) {
            (Some(text), None) => Ok(text.into()),
            (None, Some(base64)) => {
                decode_base64("data_base64", &base64).map_err(|e| broken().with_source(e))
            }
            (None, None) | (Some(_), Some(_)) => Err(broken()),
        }
    }
}

/// Numbers that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Gap {
    /// The first that is missing.
    pub from: u64,
    /// The last that is missing.
    pub to: u64,
}

/// A process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutputExit {
    /// Its number among the chunks.
    pub seq: u64,
    /// How it ended.
    #[serde(flatten)]
    pub status: ExitStatus,
    /// How long it ran, in milliseconds, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

impl OutputExit {
    /// The end numbered `seq`.
    pub fn new(seq: u64, status: sandbox_core::ExitStatus, duration: Option<Duration>) -> Self {
        Self {
            seq,
            status: status.into(),
            duration_ms: duration.map(millis),
        }
    }
}
