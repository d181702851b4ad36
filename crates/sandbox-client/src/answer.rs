//! Reading answers, never more of them than is allowed.

use bytes::{Bytes, BytesMut};
use reqwest::Response;
use sandbox_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use crate::error::{nonsense, transport};

/// The whole body of an answer.
///
/// # Errors
/// `LimitExceeded` over `most` bytes; `Unavailable` when it breaks off.
pub(crate) async fn bounded(
    operation: &'static str,
    mut answer: Response,
    most: usize,
) -> Result<Bytes> {
    let too_long = || {
        let message = format!("the server's answer has more than {most} bytes");
        Err(Error::new(ErrorKind::LimitExceeded, operation, message))
    };
    let expected = answer.content_length().unwrap_or(0);
    if expected > most as u64 {
        return too_long();
    }
    let mut whole = BytesMut::new();
    loop {
        let chunk = answer.chunk().await.map_err(|e| transport(operation, e))?;
        let Some(chunk) = chunk else {
            return Ok(whole.freeze());
        };
        if whole.len() + chunk.len() > most {
            return too_long();
        }
        if whole.is_empty() && chunk.len() as u64 == expected {
            return Ok(chunk);
        }
        whole.extend_from_slice(&chunk);
    }
}

/// What a body in JSON says.
///
/// # Errors
/// `Internal` when it is not what this route answers.
pub(crate) fn json<T: DeserializeOwned>(operation: &'static str, body: &[u8]) -> Result<T> {
    serde_json::from_slice(body)
        .map_err(|e| nonsense(operation, "the server's answer makes no sense").with_source(e))
}
