//! What the store could not read: kept from harm until somebody looks.

use std::sync::Mutex;

use sandbox_core::{Error, ErrorKind, Result, RuntimeName, SandboxId};

use crate::engine::Engine;
use crate::lock::Locked;
use crate::store::{Quarantined, QuarantinedRow};

/// The rows that were set aside.
#[derive(Debug, Default)]
pub(crate) struct Quarantine(Mutex<Vec<Quarantined>>);

impl Quarantine {
    /// Takes over what the store set aside, and says so.
    pub(crate) fn new(rows: Vec<Quarantined>) -> Self {
        for row in &rows {
            tracing::error!(
                number = row.number,
                sandbox = row.sandbox.as_ref().map(SandboxId::as_str),
                reason = row.reason,
                "a row of the store cannot be read and is set aside"
            );
        }
        Self(Mutex::new(rows))
    }

    /// Whether `id` is the sandbox of a row that was set aside, as far as that can be told.
    pub(crate) fn has(&self, id: &SandboxId) -> bool {
        let rows = self.0.locked();
        rows.iter()
            .any(|row| row.row == QuarantinedRow::Sandbox && row.sandbox.as_ref() == Some(id))
    }

    /// Whether what `runtime` has under `id`, and nobody knows, may belong to a row that was set
    /// aside: one of which not even the id can be read may be any.
    pub(crate) fn protects(&self, runtime: &RuntimeName, id: &SandboxId) -> bool {
        let rows = self.0.locked();
        rows.iter().any(|row| {
            row.row == QuarantinedRow::Sandbox
                && row.runtime.as_ref().is_none_or(|name| name == runtime)
                && row.sandbox.as_ref().is_none_or(|of| of == id)
        })
    }
}

impl Engine {
    /// The rows of the store that could not be read when an engine started, oldest first. They are
    /// set aside as they are; the engine starts without them, answers nothing about their
    /// sandboxes, and leaves what the runtime has of those alone. While there is one of which not
    /// even the id can be read, its runtime's orphans stay.
    pub fn quarantined(&self) -> Vec<Quarantined> {
        self.core.quarantine.0.locked().clone()
    }

    /// Throws a row away that was set aside. What the runtime still has of its sandbox is an orphan
    /// from then on, and removed.
    ///
    /// # Errors
    /// `NotFound` with field `number`; what the store fails with.
    pub async fn discard_quarantined(&self, number: u64) -> Result<()> {
        self.core.check_open()?;
        let is_kept = |row: &Quarantined| row.number == number;
        if !self.core.quarantine.0.locked().iter().any(is_kept) {
            let message = format!("no row {number} is set aside");
            let error = Error::new(ErrorKind::NotFound, "engine.discard_quarantined", message);
            return Err(error.with_field("number"));
        }
        self.core.store.discard_quarantined(number).await?;
        self.core.quarantine.0.locked().retain(|row| !is_kept(row));
        for slot in self.core.slots.values() {
            slot.look_again.notify_one();
        }
        Ok(())
    }
}
