//! What was used, and what may be.

use sandbox_api_types::{Organization, Usage};

use super::units::{bytes, cpus};
use crate::output::Plain;

/// The usage of a month and what there is now, a line each.
pub(crate) fn usage(organization: &Organization, usage: &Usage) -> Vec<String> {
    let (quotas, now) = (&organization.quotas, &organization.usage);
    let of = |used: String, limit: Option<String>| match limit {
        Some(limit) => format!("{used} of {limit}"),
        None => format!("{used} (no limit)"),
    };
    let lines = [
        ("organisation", Plain(&organization.name).to_string()),
        (
            "sandboxes",
            of(
                now.concurrent_sandboxes.to_string(),
                quotas.concurrent_sandboxes.map(|limit| limit.to_string()),
            ),
        ),
        (
            "cpus",
            of(cpus(now.milli_cpus), quotas.milli_cpus.map(cpus)),
        ),
        ("memory", of(bytes(now.memory), quotas.memory.map(bytes))),
        (
            "seconds",
            format!(
                "{} in {}",
                of(
                    usage.compute_seconds.to_string(),
                    usage.limit_seconds.map(|limit| limit.to_string()),
                ),
                Plain(&usage.month)
            ),
        ),
    ];
    lines
        .into_iter()
        .map(|(name, value)| format!("{name:<12} {value}"))
        .collect()
}
