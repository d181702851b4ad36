//! Sandboxes.

use sandbox_api_types::{Sandbox, SandboxMode};

use super::egress::policy;
use super::units::{bytes, cpus, or_none, time};
use crate::output::{Plain, Table};

/// Sandboxes as a table.
pub(crate) fn sandboxes(all: &[Sandbox]) -> Table {
    let mut table = Table::new(["ID", "STATUS", "FROM", "CPUS", "MEMORY", "CREATED", "ENDS"]);
    for one in all {
        let status = match one.available {
            true => one.status.to_string(),
            false => format!("{}?", one.status),
        };
        table.row([
            one.id.to_string(),
            status,
            from(one),
            cpus(one.resources.milli_cpus.into()),
            bytes(one.resources.memory),
            time(&one.created_at),
            ends(one),
        ]);
    }
    table
}

/// One sandbox, a line a field.
pub(crate) fn sandbox(one: &Sandbox) -> Vec<String> {
    let mut fields = vec![
        ("id", one.id.to_string()),
        ("status", one.status.to_string()),
        ("from", from(one)),
        ("runtime", one.runtime.to_string()),
        ("cpus", cpus(one.resources.milli_cpus.into())),
        ("memory", bytes(one.resources.memory)),
        ("disk", one.resources.disk.map(bytes).unwrap_or_default()),
        ("processes", one.resources.pids.to_string()),
        ("created", time(&one.created_at)),
        ("last used", time(&one.last_activity_at)),
        ("ends", ends(one)),
        ("ran", format!("{} s", one.usage_seconds)),
        ("workdir", or_none(&one.workdir)),
        ("user", or_none(&one.user)),
        ("hostname", or_none(&one.hostname)),
    ];
    if let Some(failure) = &one.failure {
        fields.push(("failure", format!("{}: {}", failure.code, failure.message)));
    }
    if !one.available {
        fields.push(("available", "no: its runtime does not answer".to_owned()));
    }
    let shown = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let mut lines: Vec<String> = shown
        .map(|(name, value)| format!("{name:<10} {}", Plain(&value)))
        .collect();
    let metadata = one.metadata.iter();
    lines.extend(
        metadata
            .map(|(name, value)| format!("{:<10} {}={}", "metadata", Plain(name), Plain(value))),
    );
    let egress = policy(&one.egress).into_iter();
    lines.extend(egress.map(|line| format!("{:<10} {line}", "egress")));
    lines
}

fn from(one: &Sandbox) -> String {
    match (&one.template, &one.image, &one.snapshot) {
        (Some(template), _, _) => template.to_string(),
        (None, Some(image), _) => image.clone(),
        (None, None, Some(snapshot)) => snapshot.to_string(),
        (None, None, None) => String::new(),
    }
}

fn ends(one: &Sandbox) -> String {
    match (one.mode, &one.expires_at, one.idle_timeout_seconds) {
        (SandboxMode::Persistent, _, Some(idle)) => format!("never (idle after {idle} s)"),
        (_, Some(at), _) => time(at),
        (_, None, _) => String::new(),
    }
}
