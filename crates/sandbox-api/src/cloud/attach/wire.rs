//! Messages as they go over the WebSocket.

use axum::extract::ws::Message;
use sandbox_api_types::{ClientMessage, OutputFrame, ServerMessage};
use sandbox_engine::process::{OutputItem, ProcessHandle};

use crate::cloud::output::exit;
use crate::error::ApiError;
use crate::extract::parse_json;

/// A text message of the client.
///
/// # Errors
/// `InvalidSpec` naming its field, or `message`.
pub(super) fn parse(text: &str) -> Result<ClientMessage, ApiError> {
    parse_json(text.as_bytes(), "message")
}

/// A text message of the server.
pub(super) fn text(message: &ServerMessage) -> Message {
    // A map with text for keys and nothing that can fail: this is for the compiler.
    let text = serde_json::to_string(message).unwrap_or_else(|error| {
        tracing::error!(%error, "a message cannot be written");
        r#"{"type":"error","error":{"code":"internal","message":"a message cannot be written"},"fatal":false}"#.to_owned()
    });
    Message::Text(text.into())
}

/// What `process` said, as a message.
pub(super) fn item(process: &ProcessHandle, item: OutputItem) -> Message {
    match item {
        OutputItem::Output(chunk) => {
            let frame = OutputFrame {
                stream: chunk.stream.into(),
                seq: chunk.seq,
                data: chunk.data,
            };
            Message::Binary(frame.encode())
        }
        OutputItem::Gap { from, to } => {
            text(&ServerMessage::Gap(sandbox_api_types::Gap { from, to }))
        }
        OutputItem::Exited { seq, status } => {
            text(&ServerMessage::Exited(exit(process, seq, status)))
        }
    }
}
