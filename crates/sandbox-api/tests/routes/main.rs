//! What holds for every route there is, and for the server around them.

mod docs;
mod matrix;
mod once;
mod openapi;
mod origins;
mod probes;
mod serve;

#[path = "../api/support.rs"]
#[expect(
    dead_code,
    reason = "shared with the tests of single routes, which use more of it"
)]
mod support;
