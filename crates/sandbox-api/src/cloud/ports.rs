//! Connections to the ports of a sandbox.

mod tunnel;

use std::num::NonZeroU16;

use axum::extract::State;
use axum::response::Response;
use sandbox_core::Sandbox;
use utoipa_axum::routes;

use super::live::Live;
use super::upgrade::Upgrade;
use crate::error::ApiError;
use crate::extract::Path;
use crate::route::BodyClass::None as NoBody;
use crate::route::Deadline::Stream;
use crate::route::Repeat::Refused;
use crate::route::{Table, write};
use crate::state::AppState;

pub(super) fn table() -> Table {
    // It changes what is in the sandbox as much as a command would.
    let policy = write(NoBody, Stream, Refused);
    Table::new(&super::DIALECT).add(routes!(connect_port), policy)
}

/// Connect to a port
///
/// A WebSocket that is a TCP connection to a port of the sandbox, on any of its addresses: binary
/// messages are bytes, each way at the pace of the other end. The text message
/// `{"type":"close_write"}` says that its sender sends no more, and leaves the other way open; when
/// both have, or the client closes, the connection ends. What goes wrong is told as
/// `{"type":"error",…}`.
#[utoipa::path(
    get, path = "/v1/sandboxes/{id}/ports/{port}/connect", tag = "ports",
    params(
        ("id" = String, Path, description = "The sandbox's id"),
        ("port" = u16, Path, description = "The port, 1 to 65535"),
    ),
    responses(
        (status = 101, description = "The connection"),
        (status = 409, description = "The sandbox does not run"),
        (status = 503, description = "Nothing listens on the port"),
    ),
)]
async fn connect_port(
    State(state): State<AppState>,
    Live(sandbox): Live,
    Path((_, port)): Path<(String, String)>,
    upgrade: Upgrade,
) -> Result<Response, ApiError> {
    let port: NonZeroU16 = port
        .parse()
        .map_err(|_| ApiError::invalid("port", "must be 1 to 65535"))?;
    let connection = sandbox.handle()?.connect(port.get()).await?;
    let every = state.config().ping_interval;
    Ok(upgrade.on_upgrade(move |socket, ended| tunnel::run(socket, connection, ended, every)))
}
