//! What the program says: for people as lines and tables, for programs as JSON.

mod escape;
mod failure;
mod json;
mod printer;
mod progress;
mod table;

pub(crate) use escape::Plain;
pub(crate) use failure::{Failure, line_of};
pub(crate) use json::to_terminal_json;
pub(crate) use printer::{Printer, is_broken_pipe, output_gone};
pub(crate) use progress::{Bar, Spinner};
pub(crate) use table::Table;
