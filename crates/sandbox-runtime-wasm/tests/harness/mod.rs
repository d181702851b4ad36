//! What the conformance suite has to be told about the Wasm runtime.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use sandbox_core::{Runtime, Source};
use sandbox_runtime_wasm::WasmRuntime;
use sandbox_testkit::conformance::Harness;

/// One runtime for all cases of a process.
#[derive(Debug, Default)]
pub struct WasmHarness(());

impl WasmHarness {
    /// A harness.
    pub fn new() -> Self {
        Self(())
    }
}

fn runtime() -> WasmRuntime {
    static RUNTIME: OnceLock<WasmRuntime> = OnceLock::new();
    let make = || {
        WasmRuntime::builder()
            .build()
            .expect("the host lets it start")
    };
    RUNTIME.get_or_init(make).clone()
}

#[async_trait]
impl Harness for WasmHarness {
    async fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(runtime())
    }

    fn source(&self) -> Source {
        Source::Image("base".to_owned())
    }
}
