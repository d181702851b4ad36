//! The section `quotas`.

use sandbox_engine::owners::Quotas;
use serde::{Deserialize, Serialize};

use super::units::Bytes;

/// What the organisation of the first start may use; what is left out has no limit.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QuotasSection {
    pub(crate) concurrent_sandboxes: Option<u32>,
    pub(crate) milli_cpus: Option<u64>,
    pub(crate) memory: Option<Bytes>,
    pub(crate) compute_seconds_per_month: Option<u64>,
    pub(crate) requests_per_minute: Option<u32>,
}

impl QuotasSection {
    /// The quotas as the engine keeps them.
    pub(crate) fn quotas(&self) -> Quotas {
        Quotas {
            concurrent_sandboxes: self.concurrent_sandboxes,
            milli_cpus: self.milli_cpus,
            memory: self.memory.map(|memory| memory.0),
            compute_seconds_per_month: self.compute_seconds_per_month,
            requests_per_minute: self.requests_per_minute,
        }
    }
}
