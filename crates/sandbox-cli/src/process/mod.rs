//! A process of a sandbox, with this program's standard streams as its own.

mod converse;
mod exit;
mod signals;
mod stdin;
mod terminal;

pub(crate) use converse::{Conversation, Input};
pub(crate) use exit::exit_code;
pub(crate) use signals::Interrupts;
use terminal::RawMode;
pub(crate) use terminal::{is_terminal, size};
