//! What is listed: processes, templates, snapshots.

use sandbox_api_types::{Process, ProcessStatus, Snapshot, SystemProcess, Template};

use super::egress::policy;
use super::units::{bytes, command, cpus, exit, or_none, time};
use crate::output::{Plain, Table};

/// Processes that the server watches.
pub(crate) fn processes(all: &[Process]) -> Table {
    let mut table = Table::new(["ID", "PID", "TAG", "STARTED", "STATUS", "COMMAND"]);
    for one in all {
        let status = match (one.status, &one.exit) {
            (ProcessStatus::Running, _) => "running".to_owned(),
            (ProcessStatus::Exited, Some(status)) => format!("exited {}", exit(status)),
            (ProcessStatus::Exited, None) => "exited".to_owned(),
        };
        table.row([
            one.id.clone(),
            one.pid.to_string(),
            or_none(&one.tag),
            time(&one.started_at),
            status,
            command(&one.command),
        ]);
    }
    table
}

/// Everything that runs in a sandbox.
pub(crate) fn system_processes(all: &[SystemProcess]) -> Table {
    let mut table = Table::new(["PID", "PARENT", "UID", "MEMORY", "CPU", "COMMAND"]);
    for one in all {
        table.row([
            one.pid.to_string(),
            one.parent.to_string(),
            one.uid.to_string(),
            bytes(one.memory),
            format!("{:.1} s", one.cpu_time_ms as f64 / 1000.0),
            one.argv.join(" "),
        ]);
    }
    table
}

/// Templates.
pub(crate) fn templates(all: &[Template]) -> Table {
    let mut table = Table::new(["NAME", "RUNTIME", "FROM", "CPUS", "MEMORY"]);
    for one in all {
        table.row([
            one.name.to_string(),
            or_none(&one.runtime),
            from(one),
            cpus(one.resources.milli_cpus.into()),
            bytes(one.resources.memory),
        ]);
    }
    table
}

/// One template, a line a field.
pub(crate) fn template(one: &Template) -> Vec<String> {
    let start = one.start.as_ref().map(command);
    let fields = [
        ("name", one.name.to_string()),
        ("runtime", or_none(&one.runtime)),
        ("from", from(one)),
        ("cpus", cpus(one.resources.milli_cpus.into())),
        ("memory", bytes(one.resources.memory)),
        ("disk", one.resources.disk.map(bytes).unwrap_or_default()),
        ("processes", one.resources.pids.to_string()),
        ("workdir", or_none(&one.workdir)),
        ("user", or_none(&one.user)),
        ("start", start.unwrap_or_default()),
        ("egress", policy(&one.egress).join("; ")),
    ];
    let shown = fields.into_iter().filter(|(_, value)| !value.is_empty());
    shown
        .map(|(name, value)| format!("{name:<10} {}", Plain(&value)))
        .collect()
}

fn from(one: &Template) -> String {
    match (&one.image, &one.snapshot) {
        (Some(image), _) => image.clone(),
        (None, Some(snapshot)) => snapshot.to_string(),
        (None, None) => String::new(),
    }
}

/// Snapshots.
pub(crate) fn snapshots(all: &[Snapshot]) -> Table {
    let mut table = Table::new(["ID", "OF", "RUNTIME", "TAKEN"]);
    for one in all {
        table.row([
            one.id.to_string(),
            one.sandbox_id.to_string(),
            one.runtime.to_string(),
            time(&one.created_at),
        ]);
    }
    table
}
