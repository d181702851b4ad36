//! The caller's organisation: what it may use and has used.

use serde::{Deserialize, Serialize};

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Organization {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// What it may use.
    pub quotas: Quotas,
    /// What it uses.
    pub usage: OrganizationUsage,
}

/// The limits of an organisation; null is no limit.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Quotas {
    /// Sandboxes at once, suspended ones included.
    pub concurrent_sandboxes: Option<u32>,
    /// Thousandths of a CPU of all sandboxes together.
    pub milli_cpus: Option<u64>,
    /// Bytes of memory of all sandboxes together.
    pub memory: Option<u64>,
    /// Seconds that sandboxes run, in a calendar month (UTC).
    pub compute_seconds_per_month: Option<u64>,
    /// Requests a minute.
    pub requests_per_minute: Option<u32>,
}

/// What an organisation uses now, and has used this month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrganizationUsage {
    /// Sandboxes now, suspended ones included.
    pub concurrent_sandboxes: u32,
    /// Thousandths of a CPU that they hold.
    pub milli_cpus: u64,
    /// Bytes of memory that they hold.
    pub memory: u64,
    /// Seconds that sandboxes ran this month.
    pub compute_seconds: u64,
}

/// Which month to tell the usage of.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct UsageQuery {
    /// The month in UTC, such as `2026-01`; without it, the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub month: Option<String>,
}

/// How long an organisation's sandboxes ran in a month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usage {
    /// The month in UTC, such as `2026-01`.
    pub month: String,
    /// Seconds, of each sandbox rounded up, those of destroyed ones included.
    pub compute_seconds: u64,
    /// Seconds there are a month; null: no limit.
    #[serde(default)]
    pub limit_seconds: Option<u64>,
    /// Seconds left; null: no limit.
    #[serde(default)]
    pub remaining_seconds: Option<u64>,
}
