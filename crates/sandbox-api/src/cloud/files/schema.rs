//! What the description says of bodies that no type of the API stands for.
#![expect(dead_code, reason = "these describe what is sent, and are never made")]

use sandbox_api_types::{FileInfo, FileList};
use serde::Serialize;

/// The bytes of a file.
#[derive(Debug, utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(super) struct FileBytes(Vec<u8>);

/// What is told of a file instead of its bytes.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub(super) enum FileDescription {
    /// With `list=true`.
    List(FileList),
    /// With `stat=true`.
    Info(FileInfo),
}
