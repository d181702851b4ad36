//! Images of the Wasm runtime.

use super::units::bytes;
use crate::commands::ImageRow;
use crate::output::Table;

/// Images as a table.
pub(crate) fn images(all: &[ImageRow]) -> Table {
    let mut table = Table::new(["NAME", "VERSION", "STATUS", "SIZE", "WHAT IT IS"]);
    for one in all {
        let status = match (one.bytes, one.pulled) {
            (None, _) => "built in",
            (Some(_), true) => "pulled",
            (Some(_), false) => "to pull",
        };
        table.row([
            one.name.clone(),
            one.version.clone(),
            status.to_owned(),
            one.bytes.map(bytes).unwrap_or_default(),
            one.summary.clone(),
        ]);
    }
    table
}
