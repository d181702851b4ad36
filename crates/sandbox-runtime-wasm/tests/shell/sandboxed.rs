//! The shell in a sandbox.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use sandbox_core::{
    Command, MakeDirOptions, Runtime, SandboxExt, SandboxId, SandboxPath, SandboxSpec, Source,
};
use sandbox_runtime_wasm::WasmRuntime;

use crate::Outcome;

/// A runtime for one subject.
pub(crate) struct Sandboxed {
    runtime: WasmRuntime,
    next: AtomicU8,
}

impl Sandboxed {
    pub(crate) fn new() -> Self {
        let runtime = WasmRuntime::builder()
            .workers(1)
            .max_processes(64)
            .build()
            .unwrap();
        Self {
            runtime,
            next: AtomicU8::new(0),
        }
    }

    /// What `shell` makes of `text` in a sandbox of its own, and what it wrote as errors.
    pub(crate) async fn run(&self, shell: &str, text: &str) -> (Outcome, String) {
        let shell = if shell == "dash" { "sh" } else { shell };
        let id = SandboxId::from_random([self.next.fetch_add(1, Ordering::Relaxed); 16]);
        let spec = SandboxSpec::builder(id, Source::Image("base".into()))
            .build()
            .unwrap();
        let sandbox = self.runtime.create(&spec).await.unwrap();
        let home = SandboxPath::new("/tmp/case").unwrap();
        sandbox
            .make_dir(&home, MakeDirOptions::default())
            .await
            .unwrap();
        let command = Command::argv([shell, "-c", text])
            .env("HOME", home.to_string())
            .cwd(home)
            .timeout(Duration::from_secs(120));
        let output = sandbox.exec(command).await.unwrap();
        sandbox.destroy().await.unwrap();
        let outcome = (output.stdout_lossy(), output.status.shell_code());
        (
            outcome,
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }
}
