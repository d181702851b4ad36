//! Routes that count what they did, hang, panic and stream.

use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, StatusCode};
use axum::response::IntoResponse;
use futures_util::{StreamExt, stream};
use sandbox_core::{Error, ErrorKind};
use sandbox_engine::owners::{Quotas, Scope};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa_axum::routes;

use super::support::World;
use crate::cloud;
use crate::config::ApiConfig;
use crate::error::ApiError;
use crate::extract::{FileBody, Json};
use crate::route::{BodyClass, Deadline, Repeat, Table, nowhere, open, read, write};
use crate::state::AppState;

/// What the routes did, and what they wait for.
#[derive(Debug)]
pub(super) struct Doings {
    /// How often something was done.
    pub(super) done: AtomicUsize,
    /// How often something was begun.
    pub(super) begun: AtomicUsize,
    /// What a hanging route waits for.
    pub(super) go: Semaphore,
}

impl Doings {
    pub(super) fn done(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    /// Waits until something was begun `times` times.
    pub(super) async fn begun(&self, times: usize) {
        eventually(|| self.begun.load(Ordering::SeqCst) >= times).await;
    }

    fn note(&self) -> usize {
        self.done.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// Waits until `is_so`, for a minute.
pub(super) async fn eventually(is_so: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to be");
}

pub(super) struct Lab {
    world: World,
    pub(super) doings: Arc<Doings>,
}

impl Deref for Lab {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Lab {
    pub(super) async fn new() -> Self {
        Self::with(ApiConfig::default(), Quotas::default()).await
    }

    pub(super) async fn with(config: ApiConfig, quotas: Quotas) -> Self {
        let mut world = World::with(config.clone(), quotas).await;
        let state = AppState::new(world.engine.clone(), Arc::clone(&world.owners), config);
        let doings = Arc::new(Doings {
            done: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            go: Semaphore::new(0),
        });
        world.router = table()
            .build(&state)
            .layer(Extension(Arc::clone(&doings)))
            .merge(crate::probes::table().build(&state))
            .merge(nowhere(&state, &cloud::DIALECT));
        Self { world, doings }
    }
}

fn table() -> Table {
    use BodyClass::{File, Json as JsonBody, None as NoBody};
    use Deadline::{Long, Stream, Unary};
    use Repeat::{Once, Refused, Repeatable};
    Table::new(&cloud::DIALECT)
        .add(routes!(get_open), open())
        .add(routes!(get_fine), read(Unary))
        .add(routes!(get_panic), read(Unary))
        .add(routes!(get_hang), read(Unary))
        .add(routes!(get_stream), read(Stream))
        .add(routes!(post_stream), write(NoBody, Stream, Refused))
        .add(routes!(post_add), write(JsonBody, Unary, Once))
        .add(routes!(post_fail), write(JsonBody, Unary, Once))
        .add(routes!(post_hang), write(NoBody, Long, Once))
        .add(routes!(post_panic), write(NoBody, Unary, Once))
        .add(routes!(put_file), write(File, Long, Repeatable))
        .add(
            routes!(delete_all),
            crate::route::admin(NoBody, Unary, Repeatable),
        )
}

pub(super) type State = Extension<Arc<Doings>>;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Add {
    inner: Inner,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Inner {
    count: u8,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Added {
    done: usize,
    count: u8,
}

#[utoipa::path(get, path = "/test/open", responses((status = 200)))]
async fn get_open() {}

#[utoipa::path(get, path = "/test/fine", responses((status = 200)))]
async fn get_fine() {}

#[utoipa::path(get, path = "/test/panic", responses((status = 200)))]
async fn get_panic() -> StatusCode {
    panic!("the secret of the house")
}

#[utoipa::path(get, path = "/test/hang", responses((status = 200)))]
async fn get_hang(Extension(doings): State) -> StatusCode {
    doings.begun.fetch_add(1, Ordering::SeqCst);
    doings.go.acquire().await.unwrap().forget();
    StatusCode::OK
}

#[utoipa::path(get, path = "/test/stream", responses((status = 200)))]
async fn get_stream() -> Body {
    let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"first\n"))]);
    Body::from_stream(first.chain(stream::pending()))
}

#[utoipa::path(post, path = "/test/stream", responses((status = 200)))]
async fn post_stream(Extension(doings): State) -> Body {
    doings.note();
    Body::from("once\n")
}

#[utoipa::path(post, path = "/test/add", request_body = Add, responses((status = 201, body = Added)))]
async fn post_add(Extension(doings): State, Json(add): Json<Add>) -> impl IntoResponse {
    let added = Added {
        done: doings.note(),
        count: add.inner.count,
    };
    let header = HeaderName::from_static("x-added");
    (StatusCode::CREATED, [(header, "yes")], Json(added))
}

/// Fails as it is told to, after it did something.
#[utoipa::path(post, path = "/test/fail", request_body = String, responses((status = 201)))]
async fn post_fail(Extension(doings): State, Json(kind): Json<ErrorKind>) -> ApiError {
    doings.note();
    let error = Error::new(kind, "lab.fail", "it failed, and the secret is 42");
    error.with_field("vault").into()
}

#[utoipa::path(post, path = "/test/hang", responses((status = 204)))]
async fn post_hang(Extension(doings): State) -> StatusCode {
    doings.begun.fetch_add(1, Ordering::SeqCst);
    doings.go.acquire().await.unwrap().forget();
    doings.note();
    StatusCode::NO_CONTENT
}

#[utoipa::path(post, path = "/test/panic", responses((status = 204)))]
async fn post_panic(Extension(doings): State) -> StatusCode {
    doings.note();
    panic!("the secret of the house")
}

/// Answers how many bytes came.
#[utoipa::path(put, path = "/test/file", request_body = Vec<u8>, responses((status = 200)))]
async fn put_file(
    Extension(doings): State,
    FileBody(mut body): FileBody,
) -> Result<String, ApiError> {
    doings.begun.fetch_add(1, Ordering::SeqCst);
    let mut bytes = 0;
    while let Some(chunk) = body.next().await {
        bytes += chunk?.len();
    }
    doings.note();
    Ok(bytes.to_string())
}

#[utoipa::path(delete, path = "/test/all", responses((status = 204)))]
async fn delete_all(Extension(doings): State) -> StatusCode {
    doings.note();
    StatusCode::NO_CONTENT
}

#[test]
fn the_policies_are_listed() {
    let routes = table().list();
    let scope = |path| {
        routes
            .iter()
            .find(|route| route.path == path)
            .unwrap()
            .policy
            .scope
    };
    assert_eq!(scope("/test/open"), None);
    assert_eq!(scope("/test/fine"), Some(Scope::Read));
    assert_eq!(scope("/test/add"), Some(Scope::Write));
    assert_eq!(scope("/test/all"), Some(Scope::Admin));
}
