//! Making a source ready before it is needed.

use sandbox_core::{BoxStream, Progress, Result};

use crate::resolve::Resolved;
use crate::snapshots::check_source;
use crate::{CreateRequest, Engine};

impl Engine {
    /// Makes ready what a sandbox of `request` would be made from, on the runtime that would make
    /// it, so that the next [`create`](Self::create) does not wait for it. Nothing is admitted and
    /// nothing counts. The stream says how far it is and ends when it is done, or with the error;
    /// whether the runtime goes on when it is dropped is the runtime's business.
    ///
    /// # Errors
    /// As [`create`](Self::create), up to admission; as
    /// [`Runtime::prepare`](sandbox_core::Runtime::prepare).
    pub async fn prepare(&self, request: &CreateRequest) -> Result<BoxStream<Result<Progress>>> {
        self.core.check_open()?;
        let resolved = Resolved::new(&self.core, request)?;
        check_source(&self.core, request, &resolved.slot.name).await?;
        resolved.slot.runtime.prepare(resolved.spec.source()).await
    }
}
