//! `/proc`, as far as this program reads it.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;
use std::time::Duration;

use sandbox_core::ProcessInfo;

/// The most bytes of a command line that are shown.
const MAX_ARGUMENTS: u64 = 4 * 1024;
/// The most arguments of a command line that are shown: empty ones cost a reader far more than the
/// byte they are.
const MAX_ARGUMENT_COUNT: usize = 256;

/// A process as `/proc/PID/stat` has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) pid: i32,
    pub(super) parent: i32,
    state: char,
    cpu_ticks: u64,
    resident_pages: u64,
}

impl Stat {
    /// Whether it has ended and only waits for its parent to notice.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    pub(super) fn cpu_time(&self) -> Duration {
        Duration::from_millis(self.cpu_ticks.saturating_mul(1000) / ticks_per_second())
    }

    pub(super) fn memory(&self) -> u64 {
        self.resident_pages.saturating_mul(page_size())
    }
}

/// The ids of all processes.
pub(super) fn pids() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect()
}

/// What there is to know about a process's place and use; `None` when it is gone.
pub(super) fn stat(pid: i32) -> Option<Stat> {
    let bytes = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse_stat(&String::from_utf8_lossy(&bytes))
}

fn parse_stat(text: &str) -> Option<Stat> {
    let pid = text.split(' ').next()?.parse().ok()?;
    // The name may contain anything, a closing parenthesis included.
    let (_, rest) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let number = |index: usize| fields.get(index)?.trim().parse::<u64>().ok();
    Some(Stat {
        pid,
        parent: fields.get(1)?.parse().ok()?,
        state: fields.first()?.chars().next()?,
        cpu_ticks: number(11)?.saturating_add(number(12)?),
        resident_pages: number(21)?,
    })
}

/// A process as clients see it; `None` when it is gone, or has ended.
pub(super) fn info(pid: i32) -> Option<ProcessInfo> {
    let stat = stat(pid).filter(|stat| !stat.is_dead())?;
    let uid = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    let mut arguments = Vec::new();
    let file = fs::File::open(format!("/proc/{pid}/cmdline")).ok()?;
    file.take(MAX_ARGUMENTS).read_to_end(&mut arguments).ok()?;
    let argv = arguments
        .strip_suffix(b"\0")
        .unwrap_or(&arguments)
        .split(|byte| *byte == 0)
        .take(MAX_ARGUMENT_COUNT)
        .map(|argument| String::from_utf8_lossy(argument).into_owned());
    let argv = if arguments.is_empty() {
        Vec::new()
    } else {
        argv.collect()
    };
    let pid = u32::try_from(pid).ok()?;
    let parent = u32::try_from(stat.parent).unwrap_or(0);
    let mut info = ProcessInfo::new(pid, parent, argv);
    info.uid = uid;
    info.memory = stat.memory();
    info.cpu_time = stat.cpu_time();
    Some(info)
}

fn page_size() -> u64 {
    static SIZE: OnceLock<u64> = OnceLock::new();
    *SIZE.get_or_init(|| configured(libc::_SC_PAGESIZE, 4096))
}

fn ticks_per_second() -> u64 {
    static TICKS: OnceLock<u64> = OnceLock::new();
    *TICKS.get_or_init(|| configured(libc::_SC_CLK_TCK, 100))
}

#[expect(unsafe_code, reason = "sysconf is a C function")]
fn configured(name: i32, default: u64) -> u64 {
    // SAFETY: sysconf touches no memory of ours.
    let value = unsafe { libc::sysconf(name) };
    u64::try_from(value)
        .ok()
        .filter(|value| *value > 0)
        .unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_does_not_move_the_fields() {
        let tail = "S 7 9 9 0 -1 4194560 100 0 0 0 30 12 0 0 20 0 1 0 100 1000 250 184467";
        for name in ["sh", "a) Z 1 (b", "", ") ) )"] {
            let stat = parse_stat(&format!("42 ({name}) {tail}")).unwrap();
            assert_eq!((stat.pid, stat.parent, stat.state), (42, 7, 'S'));
            assert_eq!((stat.cpu_ticks, stat.resident_pages), (42, 250));
        }
        for bad in ["", "42", "42 (sh", "42 (sh) S", "x (sh) S 1"] {
            assert_eq!(parse_stat(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn this_process_is_in_the_table() {
        let own = std::process::id() as i32;
        assert!(pids().contains(&own));
        let info = info(own).unwrap();
        assert!(!info.argv.is_empty() && info.memory > 0);
    }
}
