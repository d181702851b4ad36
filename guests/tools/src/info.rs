//! Programs about the system, its users and processes.

pub mod id;
pub mod ps;
pub mod system;
pub mod which;
