#![doc = include_str!("../README.md")]

mod answer;
mod api;
mod attachment;
mod builder;
mod call;
mod client;
mod error;
mod key;
mod limits;
mod port;
mod remote;
mod retry;
mod route;
mod socket;
mod sse;
mod tls;

pub use api::{ExecStream, FileDownload, SandboxCalls};
pub use attachment::{Attachment, AttachmentEvent, AttachmentInput, AttachmentOutput};
pub use builder::ClientBuilder;
pub use client::Client;
pub use limits::Limits;
pub use remote::{REMOTE_METADATA, RemoteConfig, RemoteRuntime};
pub use retry::RetryPolicy;
pub use sandbox_api_types as types;
pub use sse::EventStream;
