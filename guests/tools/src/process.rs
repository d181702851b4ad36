//! Programs that start, stop and measure programs.

pub mod env;
pub mod kill;
pub mod run;
pub mod time;
pub mod timeout;
pub mod wrap;
pub mod xargs;
