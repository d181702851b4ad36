//! What an idle sandbox takes of the host's memory.

use sandbox_core::Result;
use sandbox_runtime_wasm::WasmRuntime;

use crate::table::Table;
use crate::{Ids, image};

const SANDBOXES: usize = 10_000;

pub(crate) async fn measure(table: &mut Table, runtime: &WasmRuntime, ids: &Ids) -> Result<()> {
    let before = resident();
    let mut sandboxes = Vec::with_capacity(SANDBOXES);
    for _ in 0..SANDBOXES {
        sandboxes.push(ids.create(runtime, image("base")).await?);
    }
    let each = resident().saturating_sub(before) as f64 / SANDBOXES as f64 / 1024.0;
    table.note(format!(
        "{each:.1} KiB each for {SANDBOXES} idle sandboxes (aim: 4)"
    ));
    for sandbox in sandboxes {
        sandbox.destroy().await?;
    }
    Ok(())
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0) * rustix::param::page_size()
}
