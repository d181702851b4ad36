//! Processes that outlive the request that started them.
//!
//! The engine reads a process's output all the time, whether or not anybody wants it, into a
//! bounded ring. Readers come and go, each at its own pace and from the number it wants; one that
//! wants more than the ring still has is told what is missing. One that must not miss anything is
//! [paced](ProcessHandle::read_paced): the process waits for it, as it would for a pipe.

mod handle;
mod id;
mod pace;
mod pump;
mod reader;
mod ring;
mod table;

pub use handle::{ProcessHandle, ProcessOptions, ProcessSelector, ProcessStatus};
pub use id::ProcessId;
pub(crate) use pump::Watch;
pub use reader::{OutputItem, OutputReader};
pub use ring::Chunk;
pub(crate) use table::{ProcessTable, Takeover};
