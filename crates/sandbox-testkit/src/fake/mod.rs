//! A runtime in memory: real file trees, scripted processes, a network of its own, and faults on
//! order.

mod applets;
mod daemon;
mod faults;
mod file_api;
mod image;
mod kernel;
mod network;
mod runtime;
mod sandbox;
mod script;
mod shell;
mod time;
mod tree;
mod users;
mod world;

use sandbox_core::Capabilities;

pub use daemon::{FakeDaemon, FakeSandboxInfo};
pub use faults::{Call, Fault, Faults, LoggedCall, MAX_LOGGED_CALLS, When};
pub use image::FAKE_IMAGE;
pub use network::{FakeHost, FakeNetwork, FakeService};
pub use runtime::FakeRuntime;
pub use script::ScriptContext;

/// What a fake can do unless it is told otherwise: everything but native binaries.
pub fn everything() -> Capabilities {
    let mut can = Capabilities::default();
    can.pause = true;
    can.pty = true;
    can.stdin = true;
    can.timeout = true;
    can.signals = true;
    can.processes = true;
    can.attach = true;
    can.users = true;
    can.watch = true;
    can.connect = true;
    can.snapshot = true;
    can.recover = true;
    can.limits.cpu = true;
    can.limits.memory = true;
    can.limits.disk = true;
    can.limits.pids = true;
    can.limits.open_files = true;
    can.egress.allow_all = true;
    can.egress.cidrs = true;
    can.egress.ports = true;
    can.egress.domains = true;
    can.egress.live_update = true;
    can
}
