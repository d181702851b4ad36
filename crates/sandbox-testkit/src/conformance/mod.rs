//! The suite that every runtime passes: what its traits promise, held against what it does.
//!
//! [`conformance!`](crate::conformance!) makes a test of every case. A case needs capabilities; a
//! runtime that does not report one must refuse what needs it, with
//! [`Unsupported`](sandbox_core::ErrorKind::Unsupported) and the field's name, which the test then
//! asserts instead. So no case passes without having driven the runtime one way or the other;
//! [`run_all`] counts which.

mod cases;
mod fake;
mod harness;
mod lab;
mod list;
mod log;
mod need;
mod run;
mod summary;
mod trial;

pub use fake::{FakeHarness, FakeLab};
pub use harness::Harness;
pub use lab::{LAB_GREETING, LabHost, NetworkLab, Probe};
pub use log::LOG_VARIABLE;
pub use need::Need;
pub use run::{Case, run_all, test};
pub use summary::{Outcome, Report, Summary};

crate::__for_each_case! { __conformance_table [] }

/// Every case, in the order of the list from which [`conformance!`](crate::conformance!) is made.
pub fn cases() -> &'static [Case] {
    CASES
}
