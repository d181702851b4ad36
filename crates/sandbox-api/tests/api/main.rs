//! The API over an engine with the fake runtime, asked as a router.

mod sandboxes;
mod support;
