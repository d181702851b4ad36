//! What the fake promises beyond the conformance suite: faults, clients that die, virtual time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use sandbox_core::{
    Command, ErrorKind, RecoveredState, Runtime, RuntimeEvent, Sandbox, SandboxExt, SandboxId,
    SandboxSpec, Source,
};
use sandbox_testkit::{Call, FAKE_IMAGE, FakeDaemon, FakeRuntime, Fault, ManualClock, When};

fn spec(number: u8) -> SandboxSpec {
    let id = SandboxId::from_random([number; 16]);
    SandboxSpec::builder(id, Source::Image(FAKE_IMAGE.into()))
        .build()
        .unwrap()
}

async fn sandbox(runtime: &FakeRuntime, number: u8) -> Arc<dyn Sandbox> {
    runtime.create(&spec(number)).await.unwrap()
}

async fn output(sandbox: &Arc<dyn Sandbox>, line: &str) -> String {
    let output = sandbox.exec(Command::shell(line)).await.unwrap();
    assert_eq!(output.stderr_lossy(), "", "{line}");
    output.stdout_lossy()
}

#[tokio::test]
async fn the_shell_knows_lists_pipes_loops_and_expansions() {
    let runtime = FakeRuntime::new();
    let sandbox = sandbox(&runtime, 1).await;
    for (line, expected) in [
        ("echo a; echo b && echo c || echo d", "a\nb\nc\n"),
        ("false && echo no; echo $?", "1\n"),
        ("seq 1 20 | tail -n 3 | head -n 1", "18\n"),
        (
            "i=0; while [ $i -lt 3 ]; do i=$((i+1)); echo $i; done",
            "1\n2\n3\n",
        ),
        (
            "for x in a 'b c' \"d $HOME\"; do echo \"<$x>\"; done",
            "<a>\n<b c>\n<d /root>\n",
        ),
        ("x=$(echo one; echo two); echo \"$x\" | wc -l", "2\n"),
        (
            "if test -d /tmp; then echo dir; else echo none; fi",
            "dir\n",
        ),
        ("(cd /tmp; pwd); pwd", "/tmp\n/\n"),
        (
            "{ echo err >&2; } 2>/dev/null; echo out",
            "out
",
        ),
        ("{ echo a; echo b; } > /tmp/f; cat < /tmp/f", "a\nb\n"),
        ("echo ${x:-unset} ${#HOME}", "unset 5\n"),
        ("sleep 0.01 & wait $!; echo $?", "0\n"),
        (
            "printf 'echo hi $1\\n' > /tmp/s; chmod +x /tmp/s; /tmp/s x",
            "hi x\n",
        ),
        ("printf '%s-%03d|' a 7 b 8", "a-007|b-008|"),
        ("read a b; echo \"$b,$a\"", ",\n"),
    ] {
        assert_eq!(output(&sandbox, line).await, expected, "{line}");
    }
}

#[tokio::test]
async fn a_fault_before_leaves_nothing_and_a_fault_after_leaves_everything() {
    let runtime = FakeRuntime::new();
    let faults = runtime.daemon().faults();
    faults.inject(Fault::fail(
        Call::Create,
        When::Before,
        ErrorKind::Unavailable,
    ));
    faults.inject(Fault::fail(Call::Create, When::After, ErrorKind::Internal).nth(2));
    let error = runtime.create(&spec(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(runtime.daemon().sandboxes().is_empty());
    let error = runtime.create(&spec(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(runtime.daemon().sandboxes().len(), 1);
    assert_eq!(faults.outstanding(), 0);
    let outcomes: Vec<_> = faults
        .calls()
        .into_iter()
        .map(|call| call.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [
            Some(Err(ErrorKind::Unavailable)),
            Some(Err(ErrorKind::Internal))
        ]
    );
}

#[tokio::test]
async fn a_call_that_hangs_goes_on_when_it_is_released() {
    let runtime = FakeRuntime::new();
    let sandbox = sandbox(&runtime, 1).await;
    let faults = runtime.daemon().faults().clone();
    faults.inject(Fault::hang(Call::Pause, When::After));
    let pausing = tokio::spawn(async move { sandbox.pause().await });
    faults.wait_for_hanging(1).await;
    assert!(!pausing.is_finished());
    let states: Vec<_> = runtime
        .daemon()
        .sandboxes()
        .into_values()
        .map(|s| s.state)
        .collect();
    assert_eq!(states, [RecoveredState::Paused]);
    faults.release();
    pausing.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_was_cut_off_changes_nothing_and_the_next_finds_everything() {
    let runtime = FakeRuntime::new();
    let old = sandbox(&runtime, 1).await;
    let daemon = runtime.daemon().clone();
    daemon
        .faults()
        .inject(Fault::hang(Call::Destroy, When::Before));
    let dying = tokio::spawn({
        let old = Arc::clone(&old);
        async move { old.destroy().await }
    });
    daemon.faults().wait_for_hanging(1).await;
    runtime.disconnect();
    assert_eq!(
        dying.await.unwrap().unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    assert_eq!(
        old.pause().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    let found = daemon.connect().recover().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].state, RecoveredState::Running);
    found[0].sandbox.destroy().await.unwrap();
    assert!(daemon.sandboxes().is_empty());
}

#[tokio::test]
async fn time_limits_of_commands_pass_with_the_manual_clock() {
    let clock = ManualClock::new();
    let runtime = FakeDaemon::with_clock(clock.clone()).connect();
    let sandbox = sandbox(&runtime, 1).await;
    let command = Command::shell("sleep 1000").timeout(Duration::from_secs(60));
    let process = sandbox.spawn(command).await.unwrap();
    clock.wait_for_sleepers(2).await;
    clock.advance(Duration::from_secs(59));
    sandbox.pause().await.unwrap();
    clock.advance(Duration::from_secs(600));
    sandbox.resume().await.unwrap();
    clock.wait_for_sleepers(2).await;
    clock.advance(Duration::from_secs(1));
    assert!(process.wait().await.unwrap().timed_out());
}

#[tokio::test]
async fn a_scripted_program_runs_like_any_other() {
    let runtime = FakeRuntime::new();
    runtime.daemon().script("greet", |context| async move {
        let input = context.read_stdin().await;
        context
            .stdout([b"hello ".as_slice(), &input].concat())
            .await;
        context.write_file("/tmp/seen", &input);
        7
    });
    let sandbox = sandbox(&runtime, 1).await;
    assert_eq!(
        output(&sandbox, "printf you | greet; cat /tmp/seen").await,
        "hello youyou"
    );
    let ended = sandbox.exec(Command::argv(["greet"])).await.unwrap();
    assert_eq!(ended.status.shell_code(), 7);
}

#[tokio::test]
async fn what_happens_to_a_sandbox_behind_its_owners_back_is_an_event() {
    let runtime = FakeRuntime::new();
    let daemon = runtime.daemon().clone();
    let mut events = runtime.events();
    let (one, two) = (sandbox(&runtime, 1).await, sandbox(&runtime, 2).await);
    assert!(daemon.crash(one.id()));
    assert!(daemon.vanish(two.id()));
    daemon.go_away();
    assert_eq!(
        runtime.health().await.unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    daemon.come_back();
    let expected = [
        RuntimeEvent::Exited(one.id().clone()),
        RuntimeEvent::Exited(two.id().clone()),
        RuntimeEvent::BackendLost,
        RuntimeEvent::BackendBack,
    ];
    for event in expected {
        assert_eq!(events.next().await.unwrap(), event);
    }
    let found = runtime.recover().await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].state, RecoveredState::Broken);
    assert_eq!(two.stats().await.unwrap_err().kind(), ErrorKind::NotFound);
}
