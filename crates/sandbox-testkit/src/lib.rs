#![doc = include_str!("../README.md")]

mod clock;
pub mod conformance;
mod fake;
mod lock;
#[cfg(feature = "netlab")]
pub mod netlab;

pub use clock::ManualClock;
pub use fake::{
    Call, FAKE_IMAGE, FakeDaemon, FakeHost, FakeNetwork, FakeRuntime, FakeSandboxInfo, FakeService,
    Fault, Faults, LoggedCall, MAX_LOGGED_CALLS, ScriptContext, When, everything,
};
