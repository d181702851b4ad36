//! Server-Sent Events: a name and a JSON body each.

use sandbox_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Something that comes as a Server-Sent Event.
pub trait SseEvent: Sized {
    /// The name (`event:`) and the JSON body (`data:`, one line).
    ///
    /// # Errors
    /// `Internal` when the body cannot be written as JSON.
    fn encode(&self) -> Result<(&'static str, String)>;

    /// Reads an event. `None` for a name that is not known: a newer server may have more.
    ///
    /// # Errors
    /// `Internal` when the body is not what the name promises.
    fn decode(name: &str, data: &str) -> Result<Option<Self>>;
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| {
        let message = "an event cannot be written as JSON";
        Error::new(ErrorKind::Internal, "sse.encode", message).with_source(e)
    })
}

pub(crate) fn from_json<T: DeserializeOwned>(name: &str, data: &str) -> Result<T> {
    serde_json::from_str(data).map_err(|e| {
        let message = format!("the body of the event {name:?} makes no sense");
        Error::new(ErrorKind::Internal, "sse.decode", message).with_source(e)
    })
}

/// Implements [`SseEvent`] for an enum of named variants with one body each.
macro_rules! sse_events {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl crate::SseEvent for $type {
            fn encode(&self) -> sandbox_core::Result<(&'static str, String)> {
                match self {
                    $(Self::$variant(body) => Ok(($name, crate::sse::to_json(body)?)),)+
                }
            }

            fn decode(name: &str, data: &str) -> sandbox_core::Result<Option<Self>> {
                match name {
                    $($name => crate::sse::from_json($name, data).map(|body| Some(Self::$variant(body))),)+
                    _ => Ok(None),
                }
            }
        }
    };
}
pub(crate) use sse_events;
