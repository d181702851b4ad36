//! What the conformance suite has to be told about the Wasm runtime.

mod lab;

use std::sync::Arc;
use std::thread;

use async_trait::async_trait;
use sandbox_core::{Runtime, Source};
use sandbox_runtime_wasm::{WasmBuilder, WasmRuntime};
use sandbox_testkit::conformance::{Harness, NetworkLab};

use lab::Lab;

/// A harness over a runtime that no other harness has: an engine destroys what it does not know.
#[derive(Debug)]
pub(crate) struct WasmHarness {
    runtime: WasmRuntime,
    lab: Option<Lab>,
}

impl WasmHarness {
    /// Without a network: it needs nothing of the machine.
    pub(crate) fn closed() -> Self {
        let builder = builder().egress(false);
        Self {
            runtime: builder.build().expect("the host lets it start"),
            lab: None,
        }
    }

    /// With a network, and hosts in it where the case is about them; those need root.
    pub(crate) fn networked() -> Self {
        let about_reaching = thread::current()
            .name()
            .is_some_and(|name| name.contains("::egress::") || name.contains("reach"));
        // Before the runtime: its threads are where the one that makes it is.
        let lab = about_reaching.then(Lab::enter);
        let mut builder = builder();
        if let Some(lab) = &lab {
            builder = builder.network(lab.config());
        }
        Self {
            runtime: builder.build().expect("the host lets it start"),
            lab,
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
        let lab = self.lab.clone()?;
        Some(Box::new(lab))
    }
}
