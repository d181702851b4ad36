//! The suite every runtime runs.

mod harness;

sandbox_testkit::conformance!(crate::harness::WasmHarness::new());
