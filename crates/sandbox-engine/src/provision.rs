//! Where sandboxes come from.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use sandbox_core::{Result, Runtime, Sandbox, SandboxSpec};

/// The one way in which the engine obtains a new sandbox, so that something can stand between it and
/// the runtime: a pool of sandboxes made ahead, for example.
#[async_trait]
pub trait Provisioner: fmt::Debug + Send + Sync + 'static {
    /// A running sandbox that is what `spec` says, has its id, and inherits nothing from anybody.
    /// The same promises hold as for [`Runtime::create`], also when the future is dropped: nothing
    /// stays behind, or [`Runtime::recover`] reports it under this id.
    ///
    /// # Errors
    /// As [`Runtime::create`].
    async fn provision(
        &self,
        runtime: &Arc<dyn Runtime>,
        spec: &SandboxSpec,
    ) -> Result<Arc<dyn Sandbox>>;
}

/// Makes every sandbox when it is asked for.
#[derive(Debug, Default, Clone, Copy)]
pub struct OnDemand;

#[async_trait]
impl Provisioner for OnDemand {
    async fn provision(
        &self,
        runtime: &Arc<dyn Runtime>,
        spec: &SandboxSpec,
    ) -> Result<Arc<dyn Sandbox>> {
        runtime.create(spec).await
    }
}
