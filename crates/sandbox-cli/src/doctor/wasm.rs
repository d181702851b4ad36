//! Sandboxes inside this process.

use sandbox_core::{Runtime, Source};

use super::check::Check;
use crate::config::WasmSection;

/// Starts a runtime as `config` describes it, and looks at it.
pub(super) async fn checks(config: &WasmSection) -> Vec<Check> {
    let fix = "see the section [wasm] of examples/sandbox.toml; Docker needs none of it";
    let runtime = match config.builder().build() {
        Ok(runtime) => runtime,
        Err(error) => return vec![Check::failed("wasm", &error, fix)],
    };
    let mut checks = Vec::new();
    match runtime.health().await {
        Ok(health) => {
            checks.push(Check::ok("wasm", health.version));
            let notes = health.notes.into_iter();
            checks.extend(notes.map(|note| Check::warning("wasm", note, "raise that limit")));
        }
        Err(error) => checks.push(Check::failed("wasm", &error, fix)),
    }
    let base = Source::Image("base".to_owned());
    if let Err(error) = runtime.prepare(&base).await {
        checks.push(Check::failed("wasm image base", &error, fix));
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::super::check::Status;
    use super::*;

    #[tokio::test]
    async fn it_works_here_and_a_bad_setting_is_named() {
        let checks = super::checks(&WasmSection::default()).await;
        assert!(
            checks.iter().all(|check| check.status != Status::Failed),
            "{checks:?}"
        );
        let wrong = WasmSection {
            max_processes: 0,
            ..WasmSection::default()
        };
        let checks = super::checks(&wrong).await;
        assert_eq!(checks[0].status, Status::Failed);
        assert!(checks[0].found.contains("max_processes"), "{checks:?}");
    }
}
