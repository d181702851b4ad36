//! Programs: what an image brings, what a tenant uploads, and the code that becomes of them.
//!
//! A [`Program`] of an image stands in the tree as a stub that names its digest. A tenant's own
//! module is known by its bytes. Both become code through one `Compiler`: from memory, from the
//! cache on disk, or compiled on a few threads that sandboxes share fairly.

mod compiler;
mod digest;
mod disk;
mod known;
mod limits;
mod pool;
mod program;
mod refused;
mod sandbox;
mod scan;

#[cfg(test)]
mod compiler_tests;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod scan_tests;

pub(crate) use compiler::{Backend, Compiled, Compiler, Source};
pub use digest::{Digest, NotADigest};
pub(crate) use disk::DiskCache;
pub use limits::ModuleLimits;
pub(crate) use pool::Asker;
pub use program::{MAX_STUB_BYTES, Program, ProgramSet, stub_digest};
pub use refused::Refused;
pub(crate) use sandbox::SandboxPrograms;
pub use scan::{Kind, kind_of};
