//! Signals, with Linux's numbers.

use std::io;

use crate::errno::check;
use crate::raw;

/// Names and numbers, as `kill -l` says them.
pub const NAMES: [(&str, u32); 31] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// The number of `name`, in any case, with or without `SIG`, or written as a number.
#[must_use]
pub fn number(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse::<u32>() {
        return (number <= 64).then_some(number);
    }
    let bare = match name.get(..3) {
        Some(prefix) if prefix.eq_ignore_ascii_case("SIG") => &name[3..],
        _ => name,
    };
    let found = NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(bare));
    found.map(|&(_, number)| number)
}

/// The name of `number`, without `SIG`.
#[must_use]
pub fn name(number: u32) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|&&(_, known)| known == number)
        .map(|&(name, _)| name)
}

/// What a signal does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Disposition {
    /// What it does to any process.
    Default,
    /// Nothing; children inherit that.
    Ignore,
    /// Is kept for [`take`], and interrupts calls that wait.
    Catch,
}

/// Says what `signal` does from now on. Fails for `KILL` and `STOP`.
pub fn set(signal: u32, disposition: Disposition) -> io::Result<()> {
    let disposition = match disposition {
        Disposition::Default => 0,
        Disposition::Ignore => 1,
        Disposition::Catch => 2,
    };
    check(raw::sigaction(signal, disposition))
}

/// The next caught signal that nobody has taken.
#[must_use]
pub fn take() -> Option<u32> {
    let mut out = 0;
    (raw::sigtake(&mut out) == 0 && out != 0).then_some(out)
}

/// Sends `signal` (0 only asks): to `pid`, 0 = own group, < -1 = group, -1 = all but self and the first process.
pub fn send(pid: i32, signal: u32) -> io::Result<()> {
    check(raw::kill(pid, signal))
}
