//! What is in the image `base`.

use std::sync::Arc;

use sandbox_core::{
    Command, ErrorKind, ExecOutput, Runtime, Sandbox, SandboxExt, SandboxId, SandboxPath,
    SandboxSpec, Source,
};
use sandbox_runtime_wasm::WasmRuntime;

/// A sandbox, and the runtime that it lives as long as.
type Made = (WasmRuntime, Arc<dyn Sandbox>);

async fn sandbox(image: &str) -> sandbox_core::Result<Made> {
    let runtime = WasmRuntime::builder().max_processes(64).build()?;
    let source = Source::Image(image.to_owned());
    let spec = SandboxSpec::builder(SandboxId::from_random([3; 16]), source).build()?;
    let sandbox = runtime.create(&spec).await?;
    Ok((runtime, sandbox))
}

async fn run(sandbox: &dyn Sandbox, words: &[&str]) -> ExecOutput {
    sandbox
        .exec(Command::argv(words.iter().copied()))
        .await
        .unwrap()
}

#[tokio::test]
async fn its_tree_is_that_of_a_small_linux() {
    let (_runtime, sandbox) = sandbox("base").await.unwrap();
    let listed = run(&*sandbox, &["ls", "/"]).await;
    assert!(listed.status.success(), "{listed:?}");
    let listed = listed.stdout_lossy();
    for name in ["bin", "etc", "home", "root", "tmp", "usr", "var"] {
        assert!(
            listed.lines().any(|line| line == name),
            "{name} in {listed}"
        );
    }
    let passwd = sandbox.read_to_string(&path("/etc/passwd")).await.unwrap();
    assert!(passwd.contains("user:x:1000:1000:"), "{passwd}");
    let mode = run(&*sandbox, &["stat", "-c", "%a %U", "/tmp"]).await;
    assert_eq!(mode.stdout_lossy().trim(), "1777 root");
    let home = run(&*sandbox, &["stat", "-c", "%u:%g", "/home/user"]).await;
    assert_eq!(home.stdout_lossy().trim(), "1000:1000");
}

#[tokio::test]
async fn its_programs_are_found_under_every_usual_path() {
    let (_runtime, sandbox) = sandbox("base").await.unwrap();
    for path in ["true", "/bin/true", "/usr/bin/true"] {
        let ended = run(&*sandbox, &[path]).await;
        assert!(ended.status.success(), "{path}: {ended:?}");
    }
    let env = run(&*sandbox, &["/usr/bin/env", "true"]).await;
    assert!(env.status.success(), "{env:?}");
}

#[tokio::test]
async fn an_image_that_is_not_there_says_which_are() {
    let error = sandbox("no-such-image").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("image"))
    );
    for name in ["base", "python", "javascript"] {
        assert!(error.message().contains(name), "{error}");
    }
}

fn path(path: &str) -> SandboxPath {
    SandboxPath::new(path).unwrap()
}
