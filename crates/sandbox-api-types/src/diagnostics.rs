//! Whether a sandbox really works.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a check of a sandbox found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Diagnostics {
    /// Whether no check failed.
    pub healthy: bool,
    /// Each check by name (`filesystem`, `runtime`, `network`): `ok`, `failed: why` or
    /// `skipped: why`.
    pub checks: BTreeMap<String, String>,
}
