//! Pipes between processes.

use sandbox_core::{ExitStatus, Signal};

use super::{Sandbox, command, finish};

/// Two stages joined by a pipe; waits for both and ends with the first one's status.
const PIPELINE: &str = r#"
  (data (i32.const 4096) "/bin/source\00") (data (i32.const 4200) "/bin/sink\00")
  (func $main
    (local $source i32) (local $sink i32)
    (call $must (call $pipe (i32.const 32) (i32.const 36)))
    (drop (call $request (i32.const 4096)))
    (call $give (i32.const 1) (i32.load (i32.const 36)))
    (local.set $source (call $start))
    (drop (call $request (i32.const 4200)))
    (call $give (i32.const 0) (i32.load (i32.const 32)))
    (local.set $sink (call $start))
    (call $must (call $close (i32.load (i32.const 32))))
    (call $must (call $close (i32.load (i32.const 36))))
    (local.set $source (call $wait (local.get $source)))
    (local.set $sink (call $wait (local.get $sink)))
    (call $say_number (local.get $source))
    (call $say_number (local.get $sink)))"#;

/// Writes 300 KB, more than a pipe holds.
const SOURCE: &str = "(local $n i32)
  (memory.fill (i32.const 65536) (i32.const 97) (i32.const 3000))
  (loop $more
    (call $must (call $write (i32.const 1) (i32.const 65536) (i32.const 3000)))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $n) (i32.const 100))))";

/// Counts what it reads.
const SINK: &str = "(local $n i32) (local $sum i32)
  (loop $more
    (local.set $n (call $read (i32.const 0) (i32.const 65536) (i32.const 70000)))
    (local.set $sum (i32.add (local.get $sum) (local.get $n)))
    (br_if $more (i32.gt_s (local.get $n) (i32.const 0))))
  (call $say_number (local.get $sum))";

#[tokio::test]
async fn every_byte_arrives_and_the_end_too() {
    let programs = [("pipeline", PIPELINE), ("source", SOURCE), ("sink", SINK)];
    let sandbox = Sandbox::new(&programs);
    let finished = sandbox.run(&["pipeline"]).await;
    assert_eq!(finished.stdout, "300000\n0\n0\n", "{finished:?}");
    sandbox.assert_clean();
}

#[tokio::test]
async fn writing_where_nobody_reads_kills_the_writer() {
    let sink = "(drop (call $read (i32.const 0) (i32.const 65536) (i32.const 10)))";
    let programs = [("pipeline", PIPELINE), ("source", SOURCE), ("sink", sink)];
    let sandbox = Sandbox::new(&programs);
    let finished = sandbox.run(&["pipeline"]).await;
    assert_eq!(finished.stdout, format!("{}\n0\n", 13 << 8), "{finished:?}");
    sandbox.assert_clean();
}

#[tokio::test]
async fn who_ignores_or_catches_sigpipe_gets_an_error_number() {
    for disposition in [1, 2] {
        let writes = format!(
            "(call $must (call $sigaction (i32.const 13) (i32.const {disposition})))
             (call $must (call $pipe (i32.const 32) (i32.const 36)))
             (call $must (call $close (i32.load (i32.const 32))))
             (call $say_number (call $write (i32.load (i32.const 36)) (i32.const 0) (i32.const 1)))"
        );
        let sandbox = Sandbox::new(&[("writes", &writes)]);
        assert_eq!(sandbox.run(&["writes"]).await.stdout, "64\n");
    }
}

#[tokio::test]
async fn a_process_that_waits_in_a_pipe_can_be_killed() {
    let fills = "(call $must (call $pipe (i32.const 32) (i32.const 36)))
        (loop $more
          (call $must (call $write (i32.load (i32.const 36)) (i32.const 0) (i32.const 4096)))
          (br $more))";
    let sandbox = Sandbox::new(&[("sleeps", "(call $sleep)"), ("fills", fills)]);
    for name in ["sleeps", "fills"] {
        let process = sandbox
            .machine
            .spawn_command(command(&[name]))
            .await
            .unwrap();
        process.signal(Signal::KILL).unwrap();
        let finished = finish(&process).await;
        assert_eq!(
            finished.status,
            ExitStatus::from_signal(Signal::KILL),
            "{name}"
        );
    }
    sandbox.assert_clean();
}

#[tokio::test]
async fn a_shared_end_closes_with_its_last_copy() {
    let shares = "
        (call $must (call $pipe (i32.const 32) (i32.const 36)))
        (call $must (call $dup (i32.load (i32.const 36)) (i32.const 20) (i32.const 40)))
        (call $must (call $close (i32.load (i32.const 36))))
        (call $must (call $write (i32.load (i32.const 40)) (i32.const 0) (i32.const 5)))
        ;; Descriptor 1 takes the place of the last copy.
        (call $must (call $dup2 (i32.const 1) (i32.load (i32.const 40))))
        (call $say_number (call $read (i32.load (i32.const 32)) (i32.const 64) (i32.const 99)))
        (call $say_number (call $read (i32.load (i32.const 32)) (i32.const 64) (i32.const 99)))";
    let sandbox = Sandbox::new(&[("shares", shares)]);
    assert_eq!(sandbox.run(&["shares"]).await.stdout, "5\n0\n");
}
