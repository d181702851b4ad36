//! What the conformance suite has to be told about the Wasm runtime.

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{Runtime, Source};
use sandbox_runtime_wasm::WasmRuntime;
use sandbox_testkit::conformance::Harness;

/// A harness over a runtime of this process.
#[derive(Debug)]
pub(crate) struct WasmHarness {
    runtime: WasmRuntime,
}

impl WasmHarness {
    /// Over a runtime that no other harness has: an engine destroys what it does not know.
    pub(crate) fn new() -> Self {
        Self { runtime: runtime() }
    }
}

/// A runtime with room for few processes: address space for many would be more than one program
/// has, when it holds many runtimes.
fn runtime() -> WasmRuntime {
    let builder = WasmRuntime::builder().max_processes(512);
    builder.build().expect("the host lets it start")
}

#[async_trait]
impl Harness for WasmHarness {
    async fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.runtime.clone())
    }

    fn source(&self) -> Source {
        Source::Image("base".to_owned())
    }
}
