//! The layers around routes that are made for the purpose.

mod bodies;
mod edge;
mod files;
mod gate;
mod idempotency;
mod lab;
mod share;

#[path = "../../../tests/api/support.rs"]
#[expect(dead_code, reason = "the tests outside use what these do not")]
mod support;
