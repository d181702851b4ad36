//! Directories, and moving things between them.

use axum::http::StatusCode;
use sandbox_api_types::{DirectoryCreated, MakeDirectory, Rename};
use sandbox_core::Sandbox;

use crate::cloud::live::Live;
use crate::error::ApiError;
use crate::extract::Json;

/// Make a directory
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/directories", tag = "files",
    params(("id" = String, Path, description = "The sandbox's id")),
    request_body = MakeDirectory,
    responses(
        (status = 201, description = "It was made", body = DirectoryCreated),
        (status = 200, description = "It was there", body = DirectoryCreated),
        (status = 409, description = "The sandbox does not run, or something else is in the way"),
    ),
)]
pub(super) async fn make_directory(
    Live(sandbox): Live,
    Json(request): Json<MakeDirectory>,
) -> Result<(StatusCode, Json<DirectoryCreated>), ApiError> {
    let (path, options) = request.into_core();
    let created = sandbox.handle()?.make_dir(&path, options).await?;
    let status = match created {
        true => StatusCode::CREATED,
        false => StatusCode::OK,
    };
    Ok((status, Json(DirectoryCreated { created })))
}

/// Move a file or a directory
///
/// A file, or an empty directory of the same kind, that is at the new place is replaced.
#[utoipa::path(
    post, path = "/v1/sandboxes/{id}/rename", tag = "files",
    params(("id" = String, Path, description = "The sandbox's id")),
    request_body = Rename,
    responses(
        (status = 204, description = "It is moved"),
        (status = 404, description = "There is no such file, or no directory to move it to"),
        (status = 409, description = "The sandbox does not run, or what is there cannot be replaced"),
    ),
)]
pub(super) async fn rename_file(
    Live(sandbox): Live,
    Json(Rename { from, to }): Json<Rename>,
) -> Result<StatusCode, ApiError> {
    sandbox.handle()?.rename(&from, &to).await?;
    Ok(StatusCode::NO_CONTENT)
}
