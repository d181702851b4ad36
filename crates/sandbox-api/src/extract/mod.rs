//! What handlers take: each part of a request, checked, or refused by name.
//!
//! [`Caller`] is who asks, [`SandboxRef`] the caller's sandbox of the path, [`Path`], [`Query`] and
//! [`Json`] what was sent, and [`FileBody`] raw bytes as they come.

mod body;
mod caller;
mod json;
mod named;
mod path;
mod query;
mod sandbox;

pub use body::FileBody;
pub use caller::Caller;
pub use json::Json;
pub use path::Path;
pub use query::Query;
pub use sandbox::SandboxRef;
