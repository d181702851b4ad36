//! What this runtime has beyond what every runtime has.

use std::sync::Arc;

use futures_util::StreamExt;
use sandbox_core::egress::{EgressMode, EgressRules};
use sandbox_core::{
    Command, ErrorKind, RecoveredState, Resources, Runtime, Sandbox, SandboxExt, SandboxId,
    SandboxPath, SandboxSpec, SandboxSpecBuilder, Source, WriteOptions, byte_stream,
};
use sandbox_runtime_wasm::{WasmBuilder, WasmRuntime};

fn builder() -> WasmBuilder {
    WasmRuntime::builder().workers(1).max_processes(64)
}

fn id(number: u8) -> SandboxId {
    SandboxId::from_random([number; 16])
}

fn spec(number: u8) -> SandboxSpecBuilder {
    SandboxSpec::builder(id(number), Source::Image("base".into()))
}

async fn make(runtime: &WasmRuntime, spec: SandboxSpecBuilder) -> Arc<dyn Sandbox> {
    runtime.create(&spec.build().unwrap()).await.unwrap()
}

fn file() -> SandboxPath {
    SandboxPath::new("/root/file").unwrap()
}

async fn write(sandbox: &Arc<dyn Sandbox>, text: &'static str) {
    sandbox.write_all(&file(), text.into()).await.unwrap();
}

async fn read(sandbox: &Arc<dyn Sandbox>) -> String {
    sandbox.read_to_string(&file()).await.unwrap()
}

#[tokio::test]
async fn forks_share_the_files_of_a_moment_and_nothing_after_it() {
    let runtime = builder().build().unwrap();
    let sandbox = make(&runtime, spec(1).env("KEY", "value")).await;
    write(&sandbox, "then").await;
    let forks = runtime.fork(sandbox.id(), 3).unwrap();
    assert_eq!(forks.len(), 3);
    write(&sandbox, "now").await;
    write(&forks[0], "mine").await;
    assert_eq!(read(&sandbox).await, "now");
    assert_eq!(read(&forks[0]).await, "mine");
    for fork in &forks[1..] {
        assert_eq!(read(fork).await, "then");
        assert_eq!(fork.spec().env(), sandbox.spec().env());
        assert_eq!(fork.stats().await.unwrap().pids, 0);
    }
    sandbox.destroy().await.unwrap();
    assert_eq!(read(&forks[1]).await, "then");
    assert_eq!(runtime.recover().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_fork_has_the_policy_that_is_in_force_and_not_the_first() {
    let runtime = builder().build().unwrap();
    let sandbox = make(&runtime, spec(1).egress(EgressRules::allow_all())).await;
    sandbox.set_egress(&EgressRules::deny_all()).await.unwrap();
    let forks = runtime.fork_as(sandbox.id(), [id(2)]).unwrap();
    assert_eq!(forks[0].id(), &id(2));
    assert_eq!(forks[0].spec().egress().mode(), EgressMode::DenyAll);
}

#[tokio::test]
async fn forks_are_made_all_or_none_and_guarded_as_others_are() {
    let runtime = builder().max_sandboxes(4).build().unwrap();
    let sandbox = make(&runtime, spec(1)).await;
    let exist = async || runtime.recover().await.unwrap().len();
    for (ids, kind, field) in [
        (vec![id(2), id(1)], ErrorKind::Conflict, "id"),
        (vec![id(2), id(2)], ErrorKind::Conflict, "id"),
        (
            (2..=5).map(id).collect(),
            ErrorKind::LimitExceeded,
            "sandboxes",
        ),
    ] {
        let refused = runtime.fork_as(sandbox.id(), ids).unwrap_err();
        assert_eq!((refused.kind(), refused.field()), (kind, Some(field)));
        assert_eq!(exist().await, 1);
    }
    let refused = runtime.fork(sandbox.id(), usize::MAX).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
    let refused = runtime.fork(&id(9), 1).unwrap_err();
    assert_eq!(
        (refused.kind(), refused.field()),
        (ErrorKind::NotFound, Some("id"))
    );
    let forks = runtime.fork(sandbox.id(), 3).unwrap();
    let removed = forks[0].remove(&SandboxPath::root(), true).await;
    assert_eq!(removed.unwrap_err().kind(), ErrorKind::InvalidSpec);
    let more = runtime.create(&spec(8).build().unwrap()).await.unwrap_err();
    assert_eq!(
        (more.kind(), more.field()),
        (ErrorKind::LimitExceeded, Some("sandboxes"))
    );
    sandbox.pause().await.unwrap();
    let refused = runtime.fork(sandbox.id(), 0).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn what_is_removed_makes_room_again() {
    let runtime = builder().max_sandboxes(1).max_snapshots(1).build().unwrap();
    let sandbox = make(&runtime, spec(1)).await;
    let snapshot = sandbox.snapshot().await.unwrap();
    let refused = sandbox.snapshot().await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.field()),
        (ErrorKind::LimitExceeded, Some("snapshot"))
    );
    runtime.remove_snapshot(&snapshot).await.unwrap();
    sandbox.snapshot().await.unwrap();
    sandbox.destroy().await.unwrap();
    make(&runtime, spec(1)).await;
}

#[tokio::test]
async fn a_disk_counts_what_is_beyond_the_image_also_after_a_snapshot() {
    let runtime = builder().build().unwrap();
    let disk = |bytes| Resources {
        disk: Some(bytes),
        ..Resources::default()
    };
    let sandbox = make(&runtime, spec(1).resources(disk(4 << 20))).await;
    let held = sandbox.stats().await.unwrap();
    assert_eq!((held.disk, held.disk_limit), (Some(0), Some(4 << 20)));
    let body = || byte_stream(vec![b'x'; 3 << 20]);
    sandbox
        .write(&file(), body(), WriteOptions::default())
        .await
        .unwrap();
    let snapshot = Source::Snapshot(sandbox.snapshot().await.unwrap());
    let small = spec(2).source(snapshot.clone()).resources(disk(2 << 20));
    let refused = runtime.create(&small.build().unwrap()).await.unwrap_err();
    let told = (refused.kind(), refused.field());
    assert_eq!(told, (ErrorKind::LimitExceeded, Some("resources.disk")));
    let copy = make(&runtime, spec(2).source(snapshot).resources(disk(4 << 20))).await;
    assert!(copy.stats().await.unwrap().disk.unwrap() >= 3 << 20);
    let more = SandboxPath::new("/root/more").unwrap();
    let refused = copy
        .write(&more, body(), WriteOptions::default())
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::LimitExceeded);
}

#[tokio::test]
async fn a_working_directory_is_made_and_a_file_there_is_refused() {
    let runtime = builder().build().unwrap();
    let path = |text: &str| SandboxPath::new(text).unwrap();
    let sandbox = make(&runtime, spec(1).workdir(path("/srv/app"))).await;
    assert!(sandbox.exists(&path("/srv/app")).await.unwrap());
    let wrong = spec(2).workdir(path("/etc/passwd")).build().unwrap();
    let refused = runtime.create(&wrong).await.unwrap_err();
    assert_eq!(
        (refused.kind(), refused.field()),
        (ErrorKind::InvalidSpec, Some("workdir"))
    );
    assert_eq!(runtime.recover().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_exists_is_found_in_its_state_and_by_its_id() {
    let runtime = builder().build().unwrap();
    let sandbox = make(&runtime, spec(1)).await;
    sandbox.pause().await.unwrap();
    let found = runtime.recover().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (&found[0].id, found[0].state),
        (sandbox.id(), RecoveredState::Paused)
    );
    let again = runtime.get(sandbox.id()).unwrap();
    again.resume().await.unwrap();
    write(&sandbox, "x").await;
    assert_eq!(read(&again).await, "x");
    again.destroy().await.unwrap();
    assert_eq!(
        runtime.get(sandbox.id()).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[tokio::test]
async fn what_was_begun_before_the_end_ends_with_an_error_and_leaves_nothing() {
    let runtime = builder().build().unwrap();
    let sandbox = make(&runtime, spec(1)).await;
    let body = byte_stream(vec![b'x'; 2 << 20]);
    sandbox
        .write(&file(), body, WriteOptions::default())
        .await
        .unwrap();
    let mut content = sandbox.read(&file(), Default::default()).await.unwrap();
    content.body.next().await.unwrap().unwrap();
    let mut watched = sandbox
        .watch(&SandboxPath::new("/root").unwrap(), Default::default())
        .await
        .unwrap();
    sandbox.destroy().await.unwrap();
    let error = content.body.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(content.body.next().await.is_none());
    assert!(watched.next().await.is_none());
}

#[tokio::test]
async fn compiled_code_is_kept_where_it_was_said() {
    let directory = tempfile::tempdir().unwrap();
    let cache = directory.path().join("cache");
    let runtime = builder().cache_dir(&cache).build().unwrap();
    let sandbox = make(&runtime, spec(1)).await;
    let output = sandbox.exec(Command::shell("echo hi")).await.unwrap();
    assert_eq!(output.stdout_lossy(), "hi\n");
    let compiled = std::fs::read_dir(cache.join("compiled")).unwrap();
    assert!(compiled.count() > 0);
}

#[tokio::test]
async fn a_program_over_the_limit_of_the_builder_is_refused() {
    let runtime = builder().max_module_bytes(7).build().unwrap();
    let sandbox = make(&runtime, spec(1)).await;
    let options = WriteOptions {
        mode: Some(0o755),
        ..WriteOptions::default()
    };
    let module = byte_stream(&b"\0asm\x01\0\0\0"[..]);
    sandbox.write(&file(), module, options).await.unwrap();
    let refused = sandbox.spawn(Command::argv([file().as_str()])).await;
    let refused = refused.unwrap_err();
    let told = (refused.kind(), refused.field());
    assert_eq!(told, (ErrorKind::LimitExceeded, Some("command")));
}

#[tokio::test]
async fn events_end_with_the_runtime() {
    let runtime = builder().build().unwrap();
    let mut events = runtime.events();
    drop(runtime);
    assert_eq!(events.next().await, None);
}

#[test]
fn settings_out_of_range_are_named() {
    let refused = |builder: WasmBuilder| {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidSpec);
        assert!(error.message().contains("must be from"), "{error}");
        error.field().unwrap_or_default().to_owned()
    };
    assert_eq!(refused(builder().workers(0)), "workers");
    assert_eq!(refused(builder().max_sandboxes(0)), "max_sandboxes");
    assert_eq!(refused(builder().max_processes(0)), "max_processes");
    assert_eq!(refused(builder().max_module_bytes(0)), "max_module_size");
    assert_eq!(refused(builder().max_disk(1)), "max_disk");
    assert_eq!(refused(builder().default_disk(1 << 40)), "default_disk");
}
