//! The kernel's interface, as far as the standard library leaves it out.

pub(super) mod fd;
pub(super) mod poller;
pub(super) mod raw;
pub(super) mod signal;
