//! What programs do that mean harm, or do not know better.

use std::time::Duration;

use sandbox_core::{Exit, ExitStatus, KillCause, Resources, Signal};

use super::{HostCommand, Sandbox, command, finish};

fn signal(number: i32) -> ExitStatus {
    ExitStatus::from_signal(Signal::new(number).unwrap())
}

#[tokio::test]
async fn a_trap_ends_the_process_as_linux_would() {
    let cases = [
        ("aborts", "(unreachable)", 134),
        ("recurses", "(func $main (call $main))", 139),
        (
            "divides",
            "(drop (i32.div_s (i32.const 1) (i32.load (i32.const 8))))",
            136,
        ),
        ("strays", "(drop (i32.load (i32.const -8)))", 139),
        (
            "misses",
            "(func $main (call_indirect (i32.const 0))) (table 1 funcref)",
            134,
        ),
    ];
    let programs = cases.map(|(name, body, _)| (name, body));
    let sandbox = Sandbox::new(&programs);
    for (name, _, code) in cases {
        let finished = sandbox.run(&[name]).await;
        assert_eq!(finished.status.shell_code(), code, "{name}");
    }
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_module_without_an_entry_or_a_memory_hurts_nobody() {
    let sandbox = Sandbox::new(&[("ok", "")]);
    let modules = [
        ("empty", "(module)"),
        (
            "blind",
            r#"(module
            (import "sandbox_v0" "getpid" (func $getpid (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (func (export "_start") (call $exit (call $getpid (i32.const 0)))))"#,
        ),
        ("typed", r#"(module (func (export "_start") (param i32)))"#),
        (
            "stuck",
            r#"(module (func $start (loop (br 0))) (start $start)
            (func (export "_start")))"#,
        ),
    ];
    for (name, text) in modules {
        let wasm = wat::parse_str(text).unwrap();
        sandbox.put(&format!("/bin/{name}"), &wasm, 0o755);
    }
    assert_eq!(sandbox.run(&["empty"]).await.status.shell_code(), 134);
    assert_eq!(
        sandbox.run(&["blind"]).await.status.shell_code(),
        21,
        "FAULT"
    );
    assert_eq!(sandbox.run(&["typed"]).await.status.shell_code(), 134);
    let command = HostCommand {
        timeout: Some(Duration::from_millis(20)),
        ..command(&["stuck"])
    };
    assert!(
        sandbox.run_command(command).await.status.timed_out(),
        "a start function too"
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_module_that_imports_what_there_is_not_is_refused() {
    let sandbox = Sandbox::new(&[]);
    let wasm = wat::parse_str(r#"(module (import "env" "system" (func)))"#).unwrap();
    sandbox.put("/bin/alien", &wasm, 0o755);
    let error = sandbox
        .machine
        .spawn_command(command(&["alien"]))
        .await
        .unwrap_err();
    assert_eq!(error.field(), Some("command"), "{error}");
}

#[tokio::test]
async fn an_endless_loop_is_killed_by_its_timeout() {
    let sandbox = Sandbox::new(&[("spins", "(call $spin)")]);
    let command = HostCommand {
        timeout: Some(Duration::from_millis(30)),
        ..command(&["spins"])
    };
    let finished = sandbox.run_command(command).await;
    assert_eq!(finished.status.exit, Exit::Signal(Signal::KILL));
    assert!(finished.status.timed_out());
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_timeout_reaches_those_that_left_group_and_session() {
    let flees = r#"(data (i32.const 4096) "/bin/hides\00") (func $main
        (drop (call $spawn (i32.const 4096))))"#;
    let hides = r#"(data (i32.const 4096) "/bin/spins\00") (func $main
        (call $must (call $setsid))
        (drop (call $spawn (i32.const 4096)))
        (call $sleep))"#;
    let sandbox = Sandbox::new(&[
        ("flees", flees),
        ("hides", hides),
        ("spins", "(call $spin)"),
    ]);
    let bystander = sandbox.spawn(&["spins"]).await;
    let command = HostCommand {
        timeout: Some(Duration::from_millis(200)),
        ..command(&["flees"])
    };
    let finished = sandbox.run_command(command).await;
    assert_eq!(finished.status, ExitStatus::from_code(0), "it ended before");
    sandbox.until(|processes| processes.len() == 1).await;
    assert_eq!(
        sandbox.machine.processes()[0].pid,
        bystander.pid(),
        "other commands go on"
    );
    bystander.signal(Signal::KILL).unwrap();
    bystander.wait().await;
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_fork_bomb_stops_at_the_limit_of_processes() {
    // Every process starts itself again until it cannot, then waits for its children.
    let bomb = r#"(data (i32.const 4096) "/bin/bomb\00") (func $main
        (local $errno i32)
        (loop $again
          (local.set $errno (i32.sub (i32.const 0) (call $spawn (i32.const 4096))))
          (br_if $again (i32.lt_s (local.get $errno) (i32.const 0))))
        (if (i32.ne (local.get $errno) (i32.const 6)) (then (call $exit (i32.const 1))))
        (call $sleep))"#;
    let resources = Resources {
        pids: 20,
        ..Resources::default()
    };
    let sandbox = Sandbox::with(resources, &[("bomb", bomb), ("ok", "")]);
    let other = Sandbox::new(&[("ok", "")]);
    let process = sandbox.spawn(&["bomb"]).await;
    sandbox.until(|processes| processes.len() == 20).await;
    let error = sandbox
        .machine
        .spawn_command(command(&["ok"]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), sandbox_core::ErrorKind::LimitExceeded);
    assert_eq!(other.run(&["ok"]).await.status, ExitStatus::from_code(0));
    sandbox.machine.kill_job(process.pid(), None);
    sandbox.until(|processes| processes.is_empty()).await;
    sandbox.assert_clean();
}

#[tokio::test]
async fn who_grows_past_the_memory_limit_and_gives_up_was_killed_for_it() {
    let sandbox = Sandbox::with(
        Resources {
            memory: 16 << 20,
            ..Resources::default()
        },
        &[
            (
                "grows",
                "(loop $more
                (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
              (unreachable)",
            ),
            (
                "copes",
                "(loop $more
                (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
              (call $exit (i32.const 3))",
            ),
        ],
    );
    let process = sandbox.spawn(&["grows"]).await;
    let finished = finish(&process).await;
    assert_eq!(finished.status.exit, Exit::Signal(Signal::KILL));
    assert_eq!(finished.status.cause, Some(KillCause::OutOfMemory));
    assert_eq!(*sandbox.heard.0.lock(), [process.pid()]);
    assert_eq!(
        sandbox.run(&["copes"]).await.status,
        ExitStatus::from_code(3)
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_program_larger_than_the_sandbox_is_killed_for_it() {
    let resources = Resources {
        memory: 16 << 20,
        ..Resources::default()
    };
    let sandbox = Sandbox::with(resources, &[]);
    let wasm = r#"(module (memory (export "memory") 512) (func (export "_start")))"#;
    sandbox.put("/bin/huge", &wat::parse_str(wasm).unwrap(), 0o755);
    let finished = sandbox.run(&["huge"]).await;
    assert_eq!(finished.status.cause, Some(KillCause::OutOfMemory));
    sandbox.assert_clean();
}

#[tokio::test]
async fn bad_pointers_are_an_error_number() {
    let probe = "
        (call $say_number (call $sandbox_spawn (i32.const -1) (i32.const 16)))
        (call $say_number (call $sandbox_spawn (i32.const 1024) (i32.const -1)))
        (call $say_number (call $sandbox_exec (i32.const 262140)))
        (call $say_number (call $sandbox_wait (i32.const -1) (i32.const 0) (i32.const -4) (i32.const 0)))
        (call $say_number (call $pipe (i32.const 16) (i32.const -2)))
        (call $say_number (call $dup (i32.const 1) (i32.const 0) (i32.const 262142)))
        (call $say_number (call $take_state (i32.const -1) (i32.const -1) (i32.const -1)))
        (call $say_number (call $processes (i32.const -1) (i32.const -1) (i32.const 16)))
        ;; A list without its last NUL, one that is no text, a path that is too far.
        (drop (call $request (i32.const 4096)))
        (i32.store (i32.const 1032) (i32.const 0)) (i32.store (i32.const 1036) (i32.const 65535))
        (i32.store8 (i32.const 65534) (i32.const 1))
        (call $say_number (call $sandbox_spawn (i32.const 1024) (i32.const 16)))
        (drop (call $request (i32.const 4096)))
        (i32.store (i32.const 1060) (i32.const -1))
        (call $say_number (call $sandbox_spawn (i32.const 1024) (i32.const 16)))
        (drop (call $request (i32.const 4096)))
        (i32.store (i32.const 1072) (i32.const 4))
        (call $say_number (call $sandbox_spawn (i32.const 1024) (i32.const 16)))
        (drop (call $request (i32.const 4096)))
        (i32.store (i32.const 1064) (i32.const 0)) (i32.store (i32.const 1068) (i32.const -1))
        (call $say_number (call $sandbox_spawn (i32.const 1024) (i32.const 16)))";
    let sandbox = Sandbox::new(&[("probe", probe)]);
    let finished = sandbox.run(&["probe"]).await;
    assert_eq!(
        finished.stdout.split_whitespace().collect::<Vec<_>>(),
        [
            "21", "21", "21", "21", "21", "21", "21", "21", "28", "28", "28", "1"
        ],
        "{finished:?}"
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn destroying_a_sandbox_ends_whatever_state_it_is_in() {
    let parent = r#"(data (i32.const 4096) "/bin/spins\00") (func $main
        (drop (call $spawn (i32.const 4096)))
        (drop (call $spawn (i32.const 4096)))
        (drop (call $wait (i32.const -1))))"#;
    let stops = "(call $must (call $kill (i32.const 0) (i32.const 19)))";
    let programs = [
        ("parent", parent),
        ("spins", "(call $spin)"),
        ("stops", stops),
    ];
    let sandbox = Sandbox::new(&programs);
    let process = sandbox.spawn(&["parent"]).await;
    let stopped = sandbox.spawn(&["stops"]).await;
    sandbox
        .until(|processes| processes.iter().any(|process| process.state == 'T'))
        .await;
    sandbox.machine.pause().await;
    sandbox.machine.destroy().await;
    assert_eq!(process.wait().await, ExitStatus::lost());
    assert_eq!(stopped.wait().await, ExitStatus::lost());
    sandbox.assert_clean();
    assert!(
        sandbox
            .machine
            .spawn_command(command(&["spins"]))
            .await
            .is_err()
    );
    sandbox.machine.destroy().await;
}

#[tokio::test]
async fn a_host_that_does_not_read_blocks_the_writer_and_one_that_left_does_not() {
    let floods = "(loop $more
        (call $must (call $write (i32.const 1) (i32.const 0) (i32.const 65536)))
        (br $more))";
    let sandbox = Sandbox::new(&[("floods", floods)]);
    let process = sandbox.spawn(&["floods"]).await;
    sandbox
        .until(|_| sandbox.machine.output_bytes() >= 64 << 10)
        .await;
    let before = sandbox.machine.output_bytes();
    assert_eq!(before, 64 << 10, "no more than the host's buffer");
    drop(process.take_output());
    sandbox
        .until(|_| sandbox.machine.output_bytes() > 10 << 20)
        .await;
    process.signal(Signal::TERM).unwrap();
    assert_eq!(process.wait().await, signal(15));
    assert!(process.signal(Signal::TERM).is_err(), "it has ended");
    sandbox.assert_clean();
}
