//! The `cloud` dialect: REST under `/v1`, the one that the project's own client speaks.
//!
//! # Where the contract is silent
//!
//! - A sandbox that was destroyed is shown for a while, and whatever would use it is answered 409,
//!   as with one that failed; an id that nobody ever had is 404. A list without a status leaves out
//!   what is on its way out.
//! - A command in a sandbox that is being created (`wait: false`) waits until that runs, and so does
//!   waking it. A keepalive is 409 until then, and never shortens: `timeout` does.
//! - Without a template there is no policy to inherit: a sandbox of an image or a snapshot that
//!   names none may connect to nothing.
//! - An answer holds 8 MiB of a command's output, and says when there was more; streams and
//!   processes have no such limit.
//! - `diagnostics` is a GET that runs commands, and takes a key that may.
//! - The root of a sandbox can be listed and described, and not written, read or removed (400).
//!   `..` is refused in every encoding, and never resolved.
//! - A watch, a download and a connection to a port keep a persistent sandbox awake while they last;
//!   `events`, `stats` and `egress` do not.
//! - Another organisation's sandbox is 403; its snapshots and keys are 404, as if there were none.
//! - The last API key that works and may manage keys cannot be revoked, and a key that ends makes
//!   none that ends later. A stream ends soon after the key that opened it is revoked or
//!   expires; a request that was let in is answered.
//! - Of a runtime's backend only `ok`, `failing` or `unanswered` is told.
//!
//! # Adding a route
//!
//! 1. Write the handler in a module named after its resource, with `#[utoipa::path]`. The path
//!    there is the one it is served at, whole:
//!
//!    ```text
//!    #[utoipa::path(
//!        get, path = "/v1/sandboxes/{id}", tag = "sandboxes",
//!        params(("id" = String, Path, description = "The sandbox")),
//!        responses((status = 200, body = Sandbox)),
//!    )]
//!    async fn get_sandbox(sandbox: SandboxRef) -> Result<Json<Sandbox>, ApiError> { … }
//!    ```
//!
//!    The first line of its doc comment becomes the operation's summary, the rest its description.
//!    Answers of the shared layers (400, 401, 403, 404, 429, 500 …) are added to every operation by
//!    the table; state only what the route itself answers.
//! 2. Add one line to the module's `table()`:
//!
//!    ```text
//!    .add(routes!(get_sandbox), read(Unary))
//!    .add(routes!(exec), write(Json, Long, Once))
//!    ```
//!
//!    `read`, `write` and `admin` of `route.rs` are the scopes; then the [body](crate::BodyClass), the [time](crate::Deadline), and what an
//!    [idempotency key](crate::Repeat) means. The gate does the rest: the handler can rely on an
//!    authenticated [`Caller`](crate::Caller) of the scope, a bounded body and a bounded time.
//! 3. A new module is merged in `table` below.
//!
//! Handlers parse, call the engine, map, and nothing else. They take their state as
//! `State<AppState>`; what they take from the request is in [`extract`](crate::extract); they
//! answer `Result<_, ApiError>`, and `?` turns a [`sandbox_core::Error`] into the right status.
//! A stream of events is `sse::answer(events, &request_id)`, and what goes wrong inside of one
//! `sse::error_body`. It ends by itself when the server shuts down or its key is
//! none any more; a WebSocket watches what it is given for that. A sandbox is made with [`Creation`](crate::extract::Creation) alone.
//!
//! The tests of the crate run every listed route without a key, with a wrong, revoked and too small
//! one, and with another organisation's sandbox, and hold the answers against the policy.

mod attach;
mod create;
mod detached;
mod diagnostics;
mod egress;
mod errors;
mod events;
mod exec;
mod feeding;
mod files;
mod keys;
mod lifecycle;
mod live;
mod organization;
mod output;
mod ports;
mod prepare;
mod processes;
mod runtimes;
mod sandboxes;
mod snapshots;
mod sse;
mod system;
mod templates;
mod upgrade;

use axum::Router;

use crate::dialect::Dialect;
use crate::route::{RouteInfo, Table, nowhere};
use crate::state::AppState;

pub(crate) use errors::render;

pub(crate) static DIALECT: Dialect = Dialect {
    name: "cloud",
    is_limited: true,
    render,
};

pub(crate) fn table() -> Table {
    Table::new(&DIALECT)
        .merge(sandboxes::table())
        .merge(lifecycle::table())
        .merge(exec::table())
        .merge(processes::table())
        .merge(attach::table())
        .merge(system::table())
        .merge(diagnostics::table())
        .merge(files::table())
        .merge(egress::table())
        .merge(ports::table())
        .merge(events::table())
        .merge(snapshots::table())
        .merge(templates::table())
        .merge(prepare::table())
        .merge(runtimes::table())
        .merge(organization::table())
        .merge(keys::table())
}

/// Every route of the dialect.
pub fn routes() -> Vec<RouteInfo> {
    table().list()
}

/// The dialect alone, for embedders who mount no other.
pub fn router(state: &AppState) -> Router {
    table().build(state).merge(nowhere(state, &DIALECT))
}
