//! What ends a component that does not end by itself.

use std::time::Duration;

use sandbox_core::{ExitStatus, KillCause, Resources, Signal};

use super::{Sandbox, command, finish};

#[tokio::test]
async fn a_timeout_ends_what_computes_and_what_waits() {
    let sandbox = Sandbox::new();
    for what in ["spin", "sleep", "yes"] {
        let mut endless = command(&[what]);
        endless.timeout = Some(Duration::from_millis(50));
        let process = sandbox.machine.spawn_command(endless).await.unwrap();
        let finished = finish(&process).await;
        assert!(finished.status.timed_out(), "{what}: {:?}", finished.status);
        sandbox.assert_clean();
    }
}

#[tokio::test]
async fn a_signal_ends_it() {
    let sandbox = Sandbox::new();
    for (what, signal) in [("sleep", Signal::TERM), ("spin", Signal::KILL)] {
        let process = sandbox.spawn(&[what]).await;
        process.signal(signal).unwrap();
        let finished = finish(&process).await;
        assert_eq!(finished.status, ExitStatus::from_signal(signal));
        sandbox.assert_clean();
    }
}

#[tokio::test]
async fn memory_ends_at_the_sandbox_s_limit() {
    let resources = Resources {
        memory: 64 << 20,
        ..Resources::default()
    };
    let sandbox = Sandbox::with(resources);
    let finished = sandbox.run(&["allocate"]).await;
    assert_eq!(
        finished.status.cause,
        Some(KillCause::OutOfMemory),
        "{finished:?}"
    );
    sandbox.assert_clean();
    assert_eq!(
        sandbox.says(&["hello"]).await,
        "hello",
        "the sandbox lives on"
    );
}

#[tokio::test]
async fn a_stack_that_is_used_up_is_a_fault_of_the_guest() {
    let sandbox = Sandbox::new();
    let finished = sandbox.run(&["recurse"]).await;
    assert_eq!(finished.status.shell_code(), 139, "{finished:?}");
    sandbox.assert_clean();
}

#[tokio::test]
async fn open_files_end_at_the_limit() {
    let resources = Resources {
        open_files: 100,
        ..Resources::default()
    };
    let sandbox = Sandbox::with(resources);
    for path in ["/bin/probe", "/dev/zero"] {
        // One is the directory that it was given.
        assert_eq!(
            sandbox.says(&["open", path]).await,
            "99 OutOfMemory\n",
            "{path}"
        );
        sandbox.assert_clean();
    }
}

#[tokio::test]
async fn pausing_freezes_it() {
    let sandbox = Sandbox::new();
    let process = sandbox.spawn(&["spin"]).await;
    sandbox.machine.pause().await;
    let used = sandbox.machine.group.cpu_time();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(sandbox.machine.group.cpu_time(), used);
    sandbox.machine.resume();
    process.signal(Signal::KILL).unwrap();
    process.wait().await;
    sandbox.machine.destroy().await;
}
