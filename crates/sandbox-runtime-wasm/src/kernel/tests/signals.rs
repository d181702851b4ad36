//! Signals between processes and from the host.

use sandbox_core::{ExitStatus, Signal};

use super::{Sandbox, command, finish};

#[tokio::test]
async fn a_caught_signal_interrupts_what_waits_and_is_taken_once() {
    let catches = "
        (call $must (call $sigaction (i32.const 15) (i32.const 2)))
        (call $must (call $pipe (i32.const 32) (i32.const 36)))
        (call $say_number (i32.const 0))
        (call $say_number (i32.sub (i32.const 0)
          (call $read (i32.load (i32.const 32)) (i32.const 64) (i32.const 1))))
        (call $must (call $sigtake (i32.const 16)))
        (call $say_number (i32.load (i32.const 16)))
        (call $must (call $sigtake (i32.const 16)))
        (call $say_number (i32.load (i32.const 16)))";
    let sandbox = Sandbox::new(&[("catches", catches)]);
    let process = sandbox.spawn(&["catches"]).await;
    sandbox.until(|_| sandbox.machine.output_bytes() > 0).await;
    process.signal(Signal::TERM).unwrap();
    let finished = finish(&process).await;
    assert_eq!(finished.stdout, "0\n27\n15\n0\n");
    assert_eq!(finished.status, ExitStatus::from_code(0));
}

#[tokio::test]
async fn what_is_ignored_stays_ignored_in_children_and_what_is_caught_does_not() {
    let parent = r#"(data (i32.const 4096) "/bin/child\00") (func $main
        (call $must (call $sigaction (i32.const 1) (i32.const 1)))
        (call $must (call $sigaction (i32.const 2) (i32.const 2)))
        (call $say_number (call $wait (call $spawn (i32.const 4096)))))"#;
    let child = "(call $must (call $getpid (i32.const 16)))
        (call $must (call $kill (i32.load (i32.const 16)) (i32.const 1)))
        (call $must (call $kill (i32.load (i32.const 16)) (i32.const 2)))
        (call $spin)";
    let sandbox = Sandbox::new(&[("parent", parent), ("child", child)]);
    assert_eq!(
        sandbox.run(&["parent"]).await.stdout,
        format!("{}\n", 2 << 8)
    );
}

#[tokio::test]
async fn a_stopped_process_stands_still_until_it_is_continued_or_killed() {
    let sandbox = Sandbox::new(&[(
        "ticks",
        "(loop $more (call $say_number (i32.const 1)) (br $more))",
    )]);
    let process = sandbox.spawn(&["ticks"]).await;
    drop(process.take_output());
    let machine = sandbox.machine.clone();
    sandbox.until(|_| machine.output_bytes() > 1000).await;
    process.signal(Signal::STOP).unwrap();
    sandbox.until(|processes| processes[0].state == 'T').await;
    // What it was at when the signal came may still be on its way.
    let mut last = 0;
    sandbox
        .until(|_| {
            let now = machine.output_bytes();
            std::mem::replace(&mut last, now) == now
        })
        .await;
    process.signal(Signal::CONT).unwrap();
    sandbox.until(|_| machine.output_bytes() > last).await;
    process.signal(Signal::STOP).unwrap();
    process.signal(Signal::KILL).unwrap();
    assert_eq!(process.wait().await, ExitStatus::from_signal(Signal::KILL));
}

#[tokio::test]
async fn a_group_hears_together_and_others_do_not() {
    let parent = r#"(data (i32.const 4096) "/bin/sleeps\00") (func $main
        (local $own i32) (local $other i32)
        (local.set $own (call $spawn (i32.const 4096)))
        (drop (call $request (i32.const 4096)))
        (i32.store (i32.const 1072) (i32.const 1))
        (local.set $other (call $start))
        (call $must (call $getpgid (local.get $other) (i32.const 16)))
        (call $say_number (i32.eq (i32.load (i32.const 16)) (local.get $other)))
        (call $must (call $kill (i32.sub (i32.const 0) (local.get $other)) (i32.const 9)))
        (call $say_number (call $wait (local.get $other)))
        ;; The own group is itself too: it ignores this one.
        (call $must (call $sigaction (i32.const 10) (i32.const 1)))
        (call $must (call $kill (i32.const 0) (i32.const 10)))
        (call $say_number (call $wait (local.get $own)))
        ;; Nobody, init, no signal.
        (call $say_number (call $kill (local.get $own) (i32.const 0)))
        (call $say_number (call $kill (i32.const 1) (i32.const 9)))
        (call $say_number (call $kill (i32.const 1) (i32.const 0)))
        (call $say_number (call $kill (i32.const 0) (i32.const 65)))
        (call $say_number (call $sigaction (i32.const 9) (i32.const 1))))"#;
    let sandbox = Sandbox::new(&[("parent", parent), ("sleeps", "(call $sleep)")]);
    let finished = sandbox.run(&["parent"]).await;
    let expected = format!("1\n{}\n{}\n71\n63\n0\n28\n28\n", 9 << 8, 10 << 8);
    assert_eq!(finished.stdout, expected, "{finished:?}");
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_signal_to_a_command_reaches_its_whole_group() {
    let parent = r#"(data (i32.const 4096) "/bin/sleeps\00") (func $main
        (drop (call $spawn (i32.const 4096)))
        (call $say_number (i32.const 1))
        (drop (call $wait (i32.const -1))))"#;
    let sandbox = Sandbox::new(&[("parent", parent), ("sleeps", "(call $sleep)")]);
    let process = sandbox
        .machine
        .spawn_command(command(&["parent"]))
        .await
        .unwrap();
    sandbox.until(|_| sandbox.machine.output_bytes() > 0).await;
    process.signal(Signal::INT).unwrap();
    assert_eq!(
        finish(&process).await.status,
        ExitStatus::from_signal(Signal::INT)
    );
    sandbox.until(|processes| processes.is_empty()).await;
}
