//! What handlers take: each part of a request, checked, or refused by name.
//!
//! [`Caller`] is who asks, [`SandboxRef`] the caller's sandbox of the path, [`Path`], [`Query`] and
//! [`Json`] what was sent, [`FileBody`] raw bytes as they come, and
//! [`Creation`] the one way in which a request makes a sandbox.

mod body;
mod caller;
mod creation;
mod json;
mod named;
mod path;
mod query;
mod request_id;
mod sandbox;
mod secret;

pub use body::FileBody;
pub use caller::Caller;
pub(crate) use creation::Claimed;
pub use creation::Creation;
pub use json::Json;
pub(crate) use json::parse as parse_json;
pub use path::Path;
pub use query::Query;
pub use request_id::RequestId;
pub use sandbox::SandboxRef;
pub(crate) use secret::ShownOnce;
