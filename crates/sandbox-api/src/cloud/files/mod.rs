//! Files: read, write, list, describe and remove them.
//!
//! The path is what follows `files/`, percent-encoded; it starts at the root of the sandbox, so
//! that `files/srv/a%20b` and `files//srv/a%20b` are both `/srv/a b`. It is decoded once. A path
//! that climbs (`..`) is refused however it is spelled, and a file cannot be the root.
//!
//! Reading, writing and listing count as activity of the sandbox, as every use of its files does.

mod content;
mod directories;
mod path;
mod read;
mod schema;
mod sealed;
mod watch;
mod write;

use axum::http::Method;
use axum::routing::{delete, get, put};
use utoipa_axum::routes;

use crate::route::BodyClass::{File, Json, None as NoBody};
use crate::route::Deadline::{Long, Stream};
use crate::route::Repeat::{Once, Repeatable};
use crate::route::{RoutePolicy, Table, read, write};

const READ: RoutePolicy = read(Long);
const WRITE: RoutePolicy = write(File, Long, Repeatable);
// Twice is not the same: what was moved or removed may be there again.
const REMOVE: RoutePolicy = write(NoBody, Long, Once);

pub(super) fn table() -> Table {
    let described = Table::new(&super::DIALECT)
        .add(routes!(read::get_file), READ)
        .add(routes!(write::put_file), WRITE)
        .add(routes!(write::delete_file), REMOVE)
        .add(
            routes!(directories::make_directory),
            write(Json, Long, Repeatable),
        )
        .add(routes!(directories::rename_file), write(Json, Long, Once))
        .add(routes!(watch::watch_files), read(Stream));
    // The root, which the pattern of the path leaves out.
    ["/v1/sandboxes/{id}/files", "/v1/sandboxes/{id}/files/"]
        .into_iter()
        .fold(described, |table, root| {
            table
                .add_spelling(Method::GET, root, get(read::get_file), READ)
                .add_spelling(Method::PUT, root, put(write::put_file), WRITE)
                .add_spelling(Method::DELETE, root, delete(write::delete_file), REMOVE)
        })
}
