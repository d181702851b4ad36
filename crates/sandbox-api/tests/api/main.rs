//! The API over an engine with the fake runtime, asked as a router.

mod docs;
mod openapi;
mod sandboxes;
mod support;
