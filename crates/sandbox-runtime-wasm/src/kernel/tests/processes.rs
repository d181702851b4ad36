//! Starting, ending, waiting, replacing.

use std::collections::BTreeMap;

use sandbox_core::{ErrorKind, ExitStatus, ProcessEvent};

use super::{HostCommand, PATIENCE, Sandbox, command, finish};

/// Writes its arguments and its environment, a line each.
const SHOW: &str = r#"(func $main
  (local $at i32)
  (call $must (call $args_get (i32.const 4096) (i32.const 65536)))
  (local.set $at (i32.const 65536))
  (call $lines (local.get $at))
  (memory.fill (i32.const 65536) (i32.const 0) (i32.const 65536))
  (call $must (call $environ_get (i32.const 4096) (i32.const 65536)))
  (call $lines (local.get $at)))
(func $lines (param $at i32)
  (loop $next
    (if (i32.load8_u (local.get $at)) (then
      (call $say (local.get $at))
      (call $say (i32.const 1000))
      (local.set $at (i32.add (i32.add (local.get $at) (call $strlen (local.get $at))) (i32.const 1)))
      (br $next)))))
(data (i32.const 1000) "\n")"#;

/// Says its process id.
const ME: &str = "(call $must (call $getpid (i32.const 16)))
                  (call $say_number (i32.load (i32.const 16)))";

fn program(path: &str, main: &str) -> String {
    format!("(data (i32.const 4096) \"{path}\\00\") (func $main {main})")
}

#[tokio::test]
async fn a_command_ends_with_its_code_after_its_output() {
    let sandbox = Sandbox::new(&[(
        "hi",
        r#"(data (i32.const 4096) "hi\n") (func $main
             (call $must (call $write (i32.const 1) (i32.const 4096) (i32.const 3)))
             (call $must (call $write (i32.const 2) (i32.const 4096) (i32.const 2)))
             (call $exit (i32.const 7)))"#,
    )]);
    let process = sandbox.spawn(&["hi"]).await;
    let output = process.take_output().unwrap();
    assert!(process.take_output().is_none(), "one reader");
    let mut events = Vec::new();
    while let Some(event) = output.next().await {
        events.push(event);
    }
    assert_eq!(events.len(), 3, "{events:?}");
    assert_eq!(events[2], ProcessEvent::Exited(ExitStatus::from_code(7)));
    assert_eq!(process.wait().await, ExitStatus::from_code(7));
    assert_eq!(
        process.wait().await,
        ExitStatus::from_code(7),
        "any number of callers"
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_program_that_returns_ends_with_zero() {
    let sandbox = Sandbox::new(&[("nothing", "")]);
    assert_eq!(
        sandbox.run(&["nothing"]).await.status,
        ExitStatus::from_code(0)
    );
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_command_gets_its_arguments_and_the_environment() {
    let sandbox = Sandbox::new(&[("show", SHOW)]);
    let command = HostCommand {
        env: BTreeMap::from([("A".into(), "b=c".into()), ("PWD".into(), "/lies".into())]),
        cwd: Some("/tmp".into()),
        ..command(&["show", "", "x y"])
    };
    let finished = sandbox.run_command(command).await;
    // The empty argument ends what the guest prints of the list.
    assert_eq!(finished.stdout, "show\nPATH=/bin\nA=b=c\nPWD=/tmp\n");
}

#[tokio::test]
async fn what_cannot_be_started_is_refused_by_field() {
    let sandbox = Sandbox::new(&[("ok", "")]);
    sandbox.put("/bin/text", b"neither", 0o755);
    sandbox.put("/bin/plain", b"", 0o644);
    sandbox.put("/bin/bad", b"\0asm\x01\0\0\0rubbish", 0o755);
    sandbox.put("/bin/stub", b"\0sandbox-program sha256:short\n", 0o755);
    sandbox.put("/bin/orphan", b"#!/bin/missing\n", 0o755);
    sandbox.put("/bin/own", b"#!/bin/own\n", 0o755);
    let cases = [
        ("missing", ErrorKind::NotFound),
        ("/bin/missing", ErrorKind::NotFound),
        ("/bin/ok/x", ErrorKind::NotFound),
        ("./ok", ErrorKind::NotFound),
        ("plain", ErrorKind::PermissionDenied),
        ("/bin", ErrorKind::PermissionDenied),
        ("text", ErrorKind::InvalidSpec),
        ("bad", ErrorKind::InvalidSpec),
        ("stub", ErrorKind::InvalidSpec),
        ("orphan", ErrorKind::NotFound),
        ("own", ErrorKind::NotFound),
    ];
    for (name, kind) in cases {
        let error = sandbox
            .machine
            .spawn_command(command(&[name]))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (kind, Some("command")),
            "{name}: {error}"
        );
    }
    for cwd in ["/missing", "/bin/ok"] {
        let command = HostCommand {
            cwd: Some(cwd.into()),
            ..command(&["ok"])
        };
        let error = sandbox.machine.spawn_command(command).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::NotFound, Some("cwd")),
            "{cwd}"
        );
    }
    let large = "x".repeat(200 << 10);
    let error = sandbox
        .machine
        .spawn_command(command(&["ok", &large]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LimitExceeded);
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_script_runs_its_interpreter_with_its_path_and_arguments() {
    let sandbox = Sandbox::new(&[("show", SHOW)]);
    sandbox.put("/work/script", b"#! /bin/show  -x y\nrest", 0o755);
    sandbox.put("/work/outer", b"#!./script\n", 0o755);
    let lines = |text: &str| text.lines().take(5).map(str::to_owned).collect::<Vec<_>>();
    let finished = sandbox.run(&["./script", "a"]).await;
    let expected = ["/bin/show", "-x y", "./script", "a", "PATH=/bin"];
    assert_eq!(lines(&finished.stdout), expected);
    let finished = sandbox.run(&["./outer", "a"]).await;
    let expected = ["/bin/show", "-x y", "./script", "./outer", "a"];
    assert_eq!(lines(&finished.stdout), expected);
}

#[tokio::test]
async fn a_child_is_waited_for_once() {
    let parent = program(
        "/bin/seven",
        "(local $pid i32)
         (local.set $pid (call $spawn (i32.const 4096)))
         (call $say_number (i32.eq (call $wait (i32.const -1)) (i32.const 7)))
         (call $say_number (i32.eq (i32.load (i32.const 16)) (local.get $pid)))
         ;; No child is left: CHILD.
         (call $say_number (i32.sub (i32.const 0) (call $wait (local.get $pid))))
         ;; Neither is a file that is missing started: NOENT.
         (i32.store8 (i32.const 4097) (i32.const 120))
         (call $say_number (i32.sub (i32.const 0) (call $spawn (i32.const 4096))))",
    );
    let sandbox = Sandbox::new(&[("parent", &parent), ("seven", "(call $exit (i32.const 7))")]);
    let finished = sandbox.run(&["parent"]).await;
    assert_eq!(finished.stdout, "1\n1\n12\n44\n", "{finished:?}");
    sandbox.assert_clean();
}

#[tokio::test]
async fn exec_replaces_the_program_and_keeps_the_process() {
    let execs = program(
        "/bin/me",
        "(call $must (call $getpid (i32.const 16)))
         (call $say_number (i32.load (i32.const 16)))
         (drop (call $request (i32.const 4096)))
         ;; Standard error is closed in the next program.
         (i32.store (i32.const 1060) (i32.const 2))
         (call $must (call $sandbox_exec (i32.const 1024)))
         (unreachable)",
    );
    let me = format!("{ME} (call $exit (call $write (i32.const 2) (i32.const 0) (i32.const 1)))");
    let sandbox = Sandbox::new(&[("execs", &execs), ("me", &me)]);
    let finished = sandbox.run(&["execs"]).await;
    let pids: Vec<_> = finished.stdout.lines().collect();
    assert_eq!(pids.len(), 2);
    assert_eq!(pids[0], pids[1]);
    assert_eq!(finished.status, ExitStatus::from_code(8), "BADF");
    sandbox.assert_clean();
}

#[tokio::test]
async fn an_exec_that_fails_leaves_the_program_running() {
    let execs = program(
        "/bin/missing",
        "(drop (call $request (i32.const 4096)))
         (call $say_number (call $sandbox_exec (i32.const 1024)))",
    );
    let sandbox = Sandbox::new(&[("execs", &execs)]);
    assert_eq!(sandbox.run(&["execs"]).await.stdout, "44\n");
}

#[tokio::test]
async fn a_child_takes_the_state_it_was_handed_once() {
    let parent = program(
        "/bin/child",
        r#"(drop (call $request (i32.const 4096)))
           (i32.store (i32.const 1064) (i32.const 4096))
           (i32.store (i32.const 1068) (i32.const 10))
           (drop (call $wait (call $start)))"#,
    );
    let child = "
        ;; Too small a buffer: RANGE, and the length.
        (call $say_number (call $take_state (i32.const 65536) (i32.const 9) (i32.const 16)))
        (call $say_number (i32.load (i32.const 16)))
        (call $must (call $take_state (i32.const 65536) (i32.const 10) (i32.const 16)))
        (call $say (i32.const 65536))
        (call $must (call $take_state (i32.const 65536) (i32.const 10) (i32.const 16)))
        (call $say_number (i32.load (i32.const 16)))";
    let sandbox = Sandbox::new(&[("parent", &parent), ("child", child)]);
    assert_eq!(
        sandbox.run(&["parent"]).await.stdout,
        "68\n10\n/bin/child0\n"
    );
}

#[tokio::test]
async fn a_child_has_only_the_descriptors_it_was_given() {
    let parent = program(
        "/bin/child",
        "(call $must (call $dup (i32.const 1) (i32.const 10) (i32.const 16)))
         (drop (call $request (i32.const 4096)))
         ;; 1 becomes 7; 0 and 2 are not given.
         (i32.store (i32.const 2048) (i32.const 7)) (i32.store (i32.const 2052) (i32.const 10))
         (i32.store (i32.const 1060) (i32.const 1))
         (call $exit (call $wait (call $start)))",
    );
    let child = "
        (call $must (call $write (i32.const 7) (i32.const 4096) (i32.const 1)))
        (if (i32.ne (call $write (i32.const 1) (i32.const 4096) (i32.const 1)) (i32.const 8))
          (then (call $exit (i32.const 1))))
        (if (i32.ne (call $write (i32.const 10) (i32.const 4096) (i32.const 1)) (i32.const 8))
          (then (call $exit (i32.const 2))))
        (call $exit (i32.const 3))";
    let sandbox = Sandbox::new(&[("parent", &parent), ("child", child)]);
    let finished = sandbox.run(&["parent"]).await;
    assert_eq!(finished.status, ExitStatus::from_code(3), "{finished:?}");
    assert_eq!(finished.stdout, "\0");
}

#[tokio::test]
async fn children_left_behind_go_to_init_and_keep_the_output_open() {
    let parent = program("/bin/child", "(drop (call $spawn (i32.const 4096)))");
    let child = "
        (call $must (call $pipe (i32.const 24) (i32.const 28)))
        (loop $until
          (call $must (call $getppid (i32.const 16)))
          (br_if $until (i32.ne (i32.load (i32.const 16)) (i32.const 1))))
        (call $say_number (i32.load (i32.const 16)))";
    let sandbox = Sandbox::new(&[("parent", &parent), ("child", child)]);
    let process = sandbox.spawn(&["parent"]).await;
    let output = process.take_output().unwrap();
    let first = output.next().await.unwrap();
    assert_eq!(first, ProcessEvent::Exited(ExitStatus::from_code(0)));
    let second = tokio::time::timeout(PATIENCE, output.next())
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(second, ProcessEvent::Output(..)));
    assert!(
        tokio::time::timeout(PATIENCE, output.next())
            .await
            .unwrap()
            .is_none()
    );
    sandbox.until(|processes| processes.is_empty()).await;
    sandbox.assert_clean();
}

#[tokio::test]
async fn input_reaches_a_command_and_its_end_too() {
    // Copies its input to its output.
    let cat = "(local $n i32)
        (loop $next
          (local.set $n (call $read (i32.const 0) (i32.const 65536) (i32.const 8192)))
          (if (i32.gt_s (local.get $n) (i32.const 0)) (then
            (call $must (call $write (i32.const 1) (i32.const 65536) (local.get $n)))
            (br $next))))";
    let sandbox = Sandbox::new(&[("cat", cat)]);
    let command = HostCommand {
        piped_stdin: true,
        ..command(&["cat"])
    };
    let process = sandbox.machine.spawn_command(command).await.unwrap();
    // More than the pipe and the output hold together.
    let input: Vec<u8> = (0..400_000_u32).map(|i| b'a' + (i % 26) as u8).collect();
    let write = async {
        process.write_stdin(input.clone().into()).await.unwrap();
        process.close_stdin();
        process.close_stdin();
    };
    let (finished, ()) = tokio::join!(finish(&process), write);
    assert_eq!(finished.stdout.as_bytes(), input);
    let error = process.write_stdin("x".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    sandbox.assert_clean();
}

#[tokio::test]
async fn the_table_shows_every_process() {
    let parent = program(
        "/bin/child",
        "(drop (call $spawn (i32.const 4096))) (call $sleep)",
    );
    let child = "(call $must (call $setsid)) (call $sleep)";
    let sandbox = Sandbox::new(&[("parent", &parent), ("child", child)]);
    let process = sandbox.spawn(&["parent", "an argument"]).await;
    sandbox
        .until(|processes| processes.len() == 2 && processes[1].session != process.pid())
        .await;
    let rows = sandbox.machine.processes();
    let [parent, child] = &rows[..] else {
        panic!("{rows:?}");
    };
    assert_eq!(parent.argv, ["parent", "an argument"]);
    assert_eq!(
        (parent.parent, parent.group, parent.command),
        (1, parent.pid, true)
    );
    assert_eq!(
        (child.parent, child.group, child.command),
        (parent.pid, child.pid, false)
    );
    assert_eq!(child.argv, ["/bin/child"]);
    assert!(parent.memory >= 4 << 16, "{parent:?}");
    sandbox.machine.destroy().await;
    sandbox.assert_clean();
}
