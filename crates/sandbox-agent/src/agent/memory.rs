//! Whether the kernel killed something because memory ran out.

use std::fs;
use std::time::{Duration, Instant};

/// Kills come in groups; ends this close to a new one are put down to it too.
const GROUP: Duration = Duration::from_millis(50);

/// Counts the kernel's kills.
#[derive(Debug)]
pub(super) struct MemoryRanOut {
    file: Option<&'static str>,
    seen: u64,
    last: Option<Instant>,
}

impl MemoryRanOut {
    pub(super) fn new() -> Self {
        let files = [
            "/sys/fs/cgroup/memory.events",
            "/sys/fs/cgroup/memory/memory.oom_control",
        ];
        let file = files.into_iter().find(|path| kills(path).is_some());
        let seen = file.and_then(kills).unwrap_or(0);
        Self {
            file,
            seen,
            last: None,
        }
    }

    /// Whether there has been a kill since it was asked last, or just before.
    pub(super) fn happened(&mut self) -> bool {
        let now = self.file.and_then(kills).unwrap_or(self.seen);
        if now > self.seen {
            self.seen = now;
            self.last = Some(Instant::now());
        }
        self.last.is_some_and(|last| last.elapsed() < GROUP)
    }
}

fn kills(path: &str) -> Option<u64> {
    parse(&fs::read_to_string(path).ok()?)
}

fn parse(text: &str) -> Option<u64> {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter(|(name, _)| *name == "oom_kill")
        .find_map(|(_, count)| count.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_cgroups_are_read() {
        let v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n";
        let v2 = "low 0\nhigh 0\nmax 12\noom 4\noom_kill 4\noom_group_kill 0\n";
        assert_eq!(parse(v1), Some(3));
        assert_eq!(parse(v2), Some(4));
        assert_eq!(parse("oom_kill_disable 0\n"), None);
    }
}
