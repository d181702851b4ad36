//! What this runtime can do.

use sandbox_core::{Capabilities, EgressCapabilities, LimitCapabilities};

/// What sandboxes can have where at most `workers` of them compute at a time, and where `egress` says
/// whether any may reach the network.
///
/// What is left out is not there: terminals (no job control), users (permission bits are kept and
/// not enforced), binaries of the host's machine, and finding sandboxes again after the process
/// that holds them ended.
pub(crate) fn of(workers: usize, max_disk: u64, egress: bool) -> Capabilities {
    let mut limits = LimitCapabilities::default();
    limits.cpu = true;
    limits.memory = true;
    limits.disk = true;
    limits.pids = true;
    limits.open_files = true;
    // One CPU can be asked for on every machine: it is the default.
    let cpus = u32::try_from(workers).unwrap_or(u32::MAX).max(1);
    limits.max_milli_cpus = Some(cpus.saturating_mul(1000));
    limits.max_disk = Some(max_disk);

    let mut can = Capabilities::default();
    can.pause = true;
    can.stdin = true;
    can.timeout = true;
    can.signals = true;
    can.processes = true;
    can.attach = true;
    can.watch = true;
    can.snapshot = true;
    can.limits = limits;
    can.connect = true;
    can.egress = EgressCapabilities::default();
    can.egress.allow_all = egress;
    can.egress.cidrs = egress;
    can.egress.ports = egress;
    can.egress.domains = egress;
    can.egress.live_update = egress;
    can
}
