//! The holder in real network namespaces: packets are sent, and arrive or do not.
//!
//! Every test makes two namespaces joined by a veth pair: the sandbox's, with the holder in it, and
//! the world's, which owns every address the tests send to. They need root and `ip`, and are
//! ignored otherwise: run them with `cargo nextest run --run-ignored all`.

mod alarms;
mod control;
mod equality;
mod evasion;
mod frames;
mod lookups;
mod reach;
mod support;
