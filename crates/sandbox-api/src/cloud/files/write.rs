//! Writing and removing files.

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sandbox_api_types::{DeleteQuery, FILE_SIZE, FileInfo, WriteQuery};
use sandbox_core::Sandbox;

use super::path::FilePath;
use super::schema::FileBytes;
use super::sealed::unsealed;
use crate::cloud::live::Live;
use crate::error::ApiError;
use crate::extract::{FileBody, Json, Query};

/// Upload a file
///
/// The body is the file, byte for byte, at most 100 MB. The file is replaced whole: when the upload
/// fails or breaks off, what was there is unchanged. Missing directories on the way are made.
#[utoipa::path(
    put, path = "/v1/sandboxes/{id}/files/{*path}", tag = "files",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("path" = String, Path, description = "The file's path from the root, percent-encoded"),
        WriteQuery,
    ),
    request_body(content = FileBytes, content_type = "application/octet-stream"),
    responses(
        (status = 204, description = "It is written",
            headers(("X-File-Size" = u64, description = "The file's size in bytes"))),
        (status = 200, description = "It is written, with `info=true`", body = FileInfo),
        (status = 400, description = "The path is the root or climbs, or the body has more than 100 MB"),
        (status = 409, description = "The sandbox does not run, or a directory is in the way"),
    ),
)]
pub(super) async fn put_file(
    Live(sandbox): Live,
    path: FilePath,
    Query(query): Query<WriteQuery>,
    FileBody(body): FileBody,
) -> Result<Response, ApiError> {
    let path = path.below_root()?;
    let shows_info = query.info;
    let body = match query.sealed {
        true => unsealed(body),
        false => body,
    };
    let info = sandbox.handle()?.write(&path, body, query.into()).await?;
    let size = HeaderValue::from(info.size);
    let mut response = match shows_info {
        true => Json(FileInfo::from(info)).into_response(),
        false => StatusCode::NO_CONTENT.into_response(),
    };
    response.headers_mut().insert(FILE_SIZE, size);
    Ok(response)
}

/// Remove a file
///
/// A link itself, never what it leads to; a directory that is not empty only with
/// `recursive=true`.
#[utoipa::path(
    delete, path = "/v1/sandboxes/{id}/files/{*path}", tag = "files",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("path" = String, Path, description = "The file's path from the root, percent-encoded"),
        DeleteQuery,
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "There is no such file"),
        (status = 409, description = "The sandbox does not run, or the directory is not empty"),
    ),
)]
pub(super) async fn delete_file(
    Live(sandbox): Live,
    path: FilePath,
    Query(query): Query<DeleteQuery>,
) -> Result<StatusCode, ApiError> {
    let path = path.below_root()?;
    sandbox.handle()?.remove(&path, query.recursive).await?;
    Ok(StatusCode::NO_CONTENT)
}
