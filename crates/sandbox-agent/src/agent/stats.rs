//! What the sandbox uses, from the files its control group shows inside it, or from `/proc`.

use std::fs;
use std::time::Duration;

use sandbox_core::Stats;

use super::procfs;

const V2: &str = "/sys/fs/cgroup";
const V1_MEMORY: &str = "/sys/fs/cgroup/memory";
const V1_CPU: &str = "/sys/fs/cgroup/cpuacct";
const V1_PIDS: &str = "/sys/fs/cgroup/pids";

/// Limits above this are how version 1 says that there is none.
const NO_LIMIT: u64 = 1 << 62;

/// What the sandbox uses now. What cannot be found out is zero.
pub(super) fn collect() -> Stats {
    let mut stats = if exists(&format!("{V2}/memory.current")) {
        from_v2()
    } else if exists(&format!("{V1_MEMORY}/memory.usage_in_bytes")) {
        from_v1()
    } else {
        from_processes()
    };
    if stats.memory_limit >= NO_LIMIT {
        stats.memory_limit = 0;
    }
    if let Some((used, all)) = disk() {
        stats.disk = Some(used);
        stats.disk_limit = Some(all);
    }
    let (received, sent) = network(&read("/proc/net/dev"));
    stats.network_received = received;
    stats.network_sent = sent;
    stats
}

fn exists(path: &str) -> bool {
    fs::metadata(path).is_ok()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// A file with one number; `max` is none.
fn number(path: &str) -> u64 {
    read(path).trim().parse().unwrap_or(0)
}

/// A number of a file with lines of a name and a number.
fn field(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .find(|(found, _)| *found == name)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

fn from_v2() -> Stats {
    let memory = read(&format!("{V2}/memory.stat"));
    let inactive = field(&memory, "inactive_file");
    let cpu = read(&format!("{V2}/cpu.stat"));
    let mut stats = Stats::default();
    stats.cpu_time = Duration::from_micros(field(&cpu, "usage_usec"));
    stats.memory = number(&format!("{V2}/memory.current")).saturating_sub(inactive);
    stats.memory_limit = number(&format!("{V2}/memory.max"));
    stats.memory_cache = field(&memory, "file");
    stats.pids = pids(&format!("{V2}/pids.current"));
    stats
}

fn from_v1() -> Stats {
    let memory = read(&format!("{V1_MEMORY}/memory.stat"));
    let inactive = field(&memory, "total_inactive_file");
    let used = number(&format!("{V1_MEMORY}/memory.usage_in_bytes"));
    let mut stats = Stats::default();
    stats.cpu_time = Duration::from_nanos(number(&format!("{V1_CPU}/cpuacct.usage")));
    stats.memory = used.saturating_sub(inactive);
    stats.memory_limit = number(&format!("{V1_MEMORY}/memory.limit_in_bytes"));
    stats.memory_cache = field(&memory, "total_cache");
    stats.pids = pids(&format!("{V1_PIDS}/pids.current"));
    stats
}

fn pids(path: &str) -> u32 {
    match u32::try_from(number(path)) {
        Ok(0) | Err(_) => u32::try_from(procfs::pids().len()).unwrap_or(u32::MAX),
        Ok(count) => count,
    }
}

fn from_processes() -> Stats {
    let mut stats = Stats::default();
    for stat in procfs::pids().into_iter().filter_map(procfs::stat) {
        stats.cpu_time += stat.cpu_time();
        stats.memory += stat.memory();
        stats.pids += 1;
    }
    stats
}

#[expect(unsafe_code, reason = "statvfs is a C function")]
fn disk() -> Option<(u64, u64)> {
    let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: the path ends with a zero, and the kernel fills the structure; zeros are a valid one.
    let stat = unsafe {
        if libc::statvfs(c"/".as_ptr(), stat.as_mut_ptr()) != 0 {
            return None;
        }
        stat.assume_init()
    };
    let used = stat.f_blocks.saturating_sub(stat.f_bfree);
    let block = stat.f_frsize;
    Some((
        used.saturating_mul(block),
        stat.f_blocks.saturating_mul(block),
    ))
}

/// Bytes received and sent over every interface but the loopback.
fn network(table: &str) -> (u64, u64) {
    let mut sums = (0u64, 0u64);
    for line in table.lines() {
        let Some((name, counters)) = line.split_once(':') else {
            continue;
        };
        if name.trim() == "lo" {
            continue;
        }
        let counters: Vec<u64> = counters
            .split_whitespace()
            .map(|text| text.parse().unwrap_or(0))
            .collect();
        sums.0 = sums
            .0
            .saturating_add(counters.first().copied().unwrap_or(0));
        sums.1 = sums.1.saturating_add(counters.get(8).copied().unwrap_or(0));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_does_not_count_as_network() {
        let table = "Inter-|   Receive                 |  Transmit\n \
            face |bytes    packets errs drop fifo frame compressed multicast|bytes packets\n    \
            lo: 500 5 0 0 0 0 0 0 500 5 0 0 0 0 0 0\n  \
            eth0: 1200 9 0 0 0 0 0 0 3400 8 0 0 0 0 0 0\n";
        assert_eq!(network(table), (1200, 3400));
        assert_eq!(network("garbage: x"), (0, 0));
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "file 10\ninactive_file 7\ntotal_inactive_file 5\n";
        assert_eq!(field(text, "inactive_file"), 7);
        assert_eq!(field(text, "missing"), 0);
    }
}
