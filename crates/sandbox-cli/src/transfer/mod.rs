//! Files and directories into a sandbox and out of one.
//!
//! What a sandbox says about its files is not trusted: names, kinds and sizes decide nothing about
//! where something is written here. Everything is written below one directory that is opened once,
//! through handles that no name, no `..` and no link leads out of; links are never made, and
//! set-user-id bits never kept.

mod download;
mod files;
mod local;
mod place;
mod report;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use download::Download;
pub(crate) use files::Files;
pub(crate) use place::Place;
pub(crate) use report::CopyReport;
pub(crate) use upload::Upload;

/// How much is read from a file at once.
const CHUNK: usize = 64 << 10;
