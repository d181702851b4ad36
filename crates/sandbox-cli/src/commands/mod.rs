//! One module a command: parse, call, print.

mod run;

pub(crate) use run::{interrupted, run};
