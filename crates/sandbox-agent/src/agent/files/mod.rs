//! Files of the sandbox.

mod failure;
mod info;
mod lines;
mod list;
mod make_dir;
mod moved;
mod place;
mod read;
mod remove;
mod tree;
mod write;

pub(super) use failure::{at, refuse};
pub(super) use info::{lossy_name, stat};
pub(super) use lines::Lines;
pub(super) use moved::rename;
pub(super) use read::{FileRead, end};
pub(super) use write::{FileWrite, Temporary};
