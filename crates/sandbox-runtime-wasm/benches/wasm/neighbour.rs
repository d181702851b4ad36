//! A sandbox beside a thousand that compute without end.

use std::sync::Arc;

use sandbox_core::{Command, Result, Sandbox};
use sandbox_runtime_wasm::WasmRuntime;

use crate::table::{Table, median};
use crate::{Ids, exec, image};

const GREEDY: usize = 1000;
const ROUNDS: usize = 300;

/// A small command's latency alone and in company; the aim is at most twice.
pub(crate) async fn measure(table: &mut Table, runtime: &WasmRuntime, ids: &Ids) -> Result<()> {
    let good = ids.create(runtime, image("base")).await?;
    let command = || Command::shell("echo hi");
    let alone = exec(&good, command(), "hi\n", ROUNDS).await?;
    let mut greedy: Vec<Arc<dyn Sandbox>> = Vec::with_capacity(GREEDY);
    for _ in 0..GREEDY {
        let sandbox = ids.create(runtime, image("base")).await?;
        sandbox.spawn(Command::shell("while :; do :; done")).await?;
        greedy.push(sandbox);
    }
    let beside = exec(&good, command(), "hi\n", ROUNDS).await?;
    let aim = 2.0 * median(&alone);
    let name = format!("exec of a builtin beside {GREEDY} endless loops");
    table.row(&name, &beside, aim, Some(&alone));
    for sandbox in greedy {
        sandbox.destroy().await?;
    }
    good.destroy().await
}
