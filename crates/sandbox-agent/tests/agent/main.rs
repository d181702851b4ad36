//! The real program, driven through the real client.

mod harness;

mod exec;
