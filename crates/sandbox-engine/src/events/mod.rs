//! What happened, as one numbered stream.

mod kind;
mod subscription;

pub use kind::{Event, EventKind, NewEvent};
pub use subscription::{EventFilter, EventItem, Subscription};
