//! The documentation: the API's description, and a page that shows it without reaching anywhere
//! else.

use std::sync::{Arc, LazyLock};

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sandbox_core::{Error, ErrorKind};
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::error::{ApiError, Reason};
use crate::openapi;
use crate::probes::DIALECT;
use crate::route::{Table, open};

pub(crate) fn table() -> Table {
    Table::new(&DIALECT)
        .add(routes!(root), open())
        .add(routes!(description), open())
        .add(routes!(page), open())
        .add(routes!(asset), open())
}

/// To the documentation
#[utoipa::path(
    get, path = "/", tag = "documentation",
    responses((status = 307, description = "The documentation is at `/docs`")),
)]
async fn root() -> impl IntoResponse {
    // Relative, so that it leads there wherever the router is nested.
    (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, "docs")])
}

/// This description
#[utoipa::path(
    get, path = "/openapi.json", tag = "documentation",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = serde_json::Value)),
)]
async fn description() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi::document())
}

/// The documentation as a page
#[utoipa::path(
    get, path = "/docs", tag = "documentation",
    responses((status = 200, description = "The page", content_type = "text/html", body = String)),
)]
async fn page() -> impl IntoResponse {
    ([CSP, type_of("text/html; charset=utf-8")], PAGE)
}

/// What the documentation's page is made of
#[utoipa::path(
    get, path = "/docs/{file}", tag = "documentation",
    params(("file" = String, Path, description = "The file's name")),
    responses((status = 200, description = "The file", content_type = "application/octet-stream", body = Vec<u8>)),
)]
async fn asset(Path(name): Path<String>) -> Result<Response, ApiError> {
    let is_used = ASSETS.contains(&name.as_str());
    let file = is_used.then(|| utoipa_swagger_ui::serve(&name, Arc::clone(&CONFIG)));
    let file = file
        .transpose()
        .map_err(|e| Error::new(ErrorKind::Internal, "api.docs", e.to_string()))?;
    let Some(SwaggerFile {
        bytes,
        content_type,
        ..
    }) = file.flatten()
    else {
        return Err(ApiError::new(
            Reason::NoSuchPath,
            "there is nothing at this path",
        ));
    };
    let day = (
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=86400"),
    );
    let kind = HeaderValue::try_from(content_type);
    let kind = kind.unwrap_or(HeaderValue::from_static("application/octet-stream"));
    Ok(([CSP, day, (CONTENT_TYPE, kind)], bytes.into_owned()).into_response())
}

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from("openapi.json");
    // Nothing leaves for a validator elsewhere, and a key is not kept in the browser.
    Arc::new(config.validator_url("none").persist_authorization(false))
});

/// What of the distribution the page uses.
const ASSETS: [&str; 5] = [
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-initializer.js",
    "favicon-32x32.png",
];

const PAGE: &str = r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; the description itself is <a href="openapi.json">openapi.json</a>.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/swagger-ui-standalone-preset.js"></script>
<script src="docs/swagger-initializer.js"></script>
</body>
</html>
"##;

/// The page runs its own scripts, and reaches nothing but this server.
const CSP: (HeaderName, HeaderValue) = (
    CONTENT_SECURITY_POLICY,
    HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
         img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
);

const fn type_of(kind: &'static str) -> (HeaderName, HeaderValue) {
    (CONTENT_TYPE, HeaderValue::from_static(kind))
}
