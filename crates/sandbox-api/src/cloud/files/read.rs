//! What is in a file or a directory.

use axum::response::{IntoResponse, Response};
use sandbox_api_types::{FileInfo, FileList, FileQuery};
use sandbox_core::{Result, Sandbox, SandboxPath};

use super::content;
use super::path::FilePath;
use super::schema::{FileBytes, FileDescription};
use crate::cloud::live::Live;
use crate::error::ApiError;
use crate::extract::{Json, Query, RequestId, SandboxRef};

/// The most entries that one answer lists.
const MAX_LIST: u32 = 100_000;

/// Download a file
///
/// Answers its bytes as they are, and its attributes as headers `X-File-…`; links are followed. With
/// `list=true` the entries of a directory instead, as JSON, and with `stat=true` the attributes of
/// what is there, a link's own. A download that breaks off breaks the connection: a body that ends
/// is whole.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/files/{*path}", tag = "files",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("path" = String, Path, description = "The file's path from the root, percent-encoded"),
        FileQuery,
    ),
    responses(
        (status = 200, description = "The file's bytes; a `FileList` with `list=true`, a `FileInfo` with `stat=true`",
            content(
                (FileBytes = "application/octet-stream"),
                (FileDescription = "application/json"),
            )),
        (status = 404, description = "There is no such file"),
        (status = 409, description = "The sandbox does not run, or the path is no regular file"),
    ),
)]
pub(super) async fn get_file(
    Live(sandbox): Live,
    path: FilePath,
    Query(query): Query<FileQuery>,
    request_id: RequestId,
) -> Result<Response, ApiError> {
    query.check()?;
    if query.list {
        return list(&sandbox, &path.0, &query).await;
    }
    if query.stat {
        let info = sandbox.handle()?.stat(&path.0).await?;
        return Ok(Json(FileInfo::from(info)).into_response());
    }
    let path = path.below_root()?;
    let options = query.read_options();
    let content = sandbox.handle()?.read(&path, options).await?;
    Ok(content::answer(content, options, &request_id))
}

async fn list(
    sandbox: &SandboxRef,
    path: &SandboxPath,
    query: &FileQuery,
) -> Result<Response, ApiError> {
    let options = query.list_options();
    if options.limit > MAX_LIST {
        return Err(ApiError::invalid(
            "limit",
            format!("must be at most {MAX_LIST}"),
        ));
    }
    let entries = sandbox.handle()?.list(path, options).await?;
    let files = entries.into_iter().map(FileInfo::from).collect();
    Ok(Json(FileList { files }).into_response())
}
