//! The suite every runtime runs: without a network, and among hosts.

mod harness;

mod closed {
    sandbox_testkit::conformance!(crate::harness::WasmHarness::closed());
}

mod networked {
    sandbox_testkit::conformance!(
        crate::harness::WasmHarness::networked(),
        ignore = "needs root, to lay a network around the machine"
    );
}
