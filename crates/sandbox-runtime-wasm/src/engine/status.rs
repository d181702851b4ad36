//! How a program's end becomes a process's.

use std::fmt;

use sandbox_core::{ExitStatus, KillCause, Signal};
use wasmtime::Trap;

/// The error with which a host function ends the program: `proc_exit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcessExit(pub(crate) u8);

/// The error with which `exec` leaves the program it replaces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExecRequested;

impl fmt::Display for ProcessExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the program ended with code {}", self.0)
    }
}

impl fmt::Display for ExecRequested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the program makes room for another")
    }
}

impl std::error::Error for ProcessExit {}
impl std::error::Error for ExecRequested {}

/// The end of a process whose program failed with `error`. One that was refused memory before it
/// trapped died of that.
pub(super) fn of_error(error: &wasmtime::Error, starved: bool) -> ExitStatus {
    if let Some(exit) = error.downcast_ref::<ProcessExit>() {
        return ExitStatus::from_code(exit.0);
    }
    if starved {
        return ExitStatus {
            cause: Some(KillCause::OutOfMemory),
            ..ExitStatus::from_signal(Signal::KILL)
        };
    }
    let number = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow | Trap::MemoryOutOfBounds | Trap::HeapMisaligned) => 11,
        Some(Trap::IntegerDivisionByZero | Trap::IntegerOverflow) => 8,
        Some(Trap::BadConversionToInteger) => 8,
        // As on Linux at the limit of CPU time.
        Some(Trap::OutOfFuel) => 24,
        Some(Trap::Interrupt) => 9,
        // An abort, a call through a bad table entry, a failed start.
        Some(_) | None => 6,
    };
    Signal::new(number).map_or(ExitStatus::lost(), ExitStatus::from_signal)
}
