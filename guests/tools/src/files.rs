//! Programs about files and directories.

pub mod chmod;
pub mod copy;
pub mod cp;
pub mod du;
pub mod install;
pub mod ln;
pub mod ls;
pub mod mkdir;
pub mod mktemp;
pub mod mv;
pub mod names;
pub mod rm;
pub mod stat;
pub mod target;
pub mod touch;
pub mod truncate;
pub mod version;
