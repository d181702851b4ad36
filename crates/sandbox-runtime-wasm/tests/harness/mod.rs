//! What the conformance suite has to be told about the Wasm runtime.

mod lab;

use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{Runtime, Source};
use sandbox_runtime_wasm::net::NetworkConfig;
use sandbox_runtime_wasm::{WasmBuilder, WasmRuntime};
use sandbox_testkit::conformance::{Harness, NetworkLab};

use lab::{Lab, LabResolver};

/// A harness over a runtime that no other harness has: an engine destroys what it does not know.
#[derive(Debug)]
pub(crate) struct WasmHarness {
    runtime: WasmRuntime,
    names: Option<Arc<LabResolver>>,
}

impl WasmHarness {
    /// Without a network: it needs nothing of the machine.
    pub(crate) fn closed() -> Self {
        let builder = builder().egress(false);
        Self {
            runtime: builder.build().expect("the host lets it start"),
            names: None,
        }
    }

    /// With a network of hosts laid around this machine, which needs root.
    pub(crate) fn networked() -> Self {
        let names = Arc::new(LabResolver::default());
        let mut network = NetworkConfig::default();
        network.resolver = names.clone();
        let builder = builder().network(network);
        Self {
            runtime: builder.build().expect("the host lets it start"),
            names: Some(names),
        }
    }
}

/// Room for few processes: address space for many would be more than one program has, when it holds
/// many runtimes.
fn builder() -> WasmBuilder {
    WasmRuntime::builder().max_processes(512)
}

#[async_trait]
impl Harness for WasmHarness {
    async fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.runtime.clone())
    }

    fn source(&self) -> Source {
        Source::Image("base".to_owned())
    }

    async fn network(&self) -> Option<Box<dyn NetworkLab>> {
        let names = self.names.as_ref()?;
        Some(Box::new(Lab::around(names)))
    }
}
