//! Limits of descriptors, of what a request may hold, of the whole runtime.

use sandbox_core::{ExitStatus, Resources};

use super::Sandbox;

#[tokio::test]
async fn descriptors_end_at_the_limit_of_open_files() {
    let opens = "(local $errno i32)
        (loop $more
          (local.set $errno (call $dup (i32.const 1) (i32.const 0) (i32.const 16)))
          (br_if $more (i32.eqz (local.get $errno))))
        (call $say_number (local.get $errno))
        (call $say_number (i32.load (i32.const 16)))
        ;; One is free: a pipe needs two, and takes none then.
        (call $must (call $close (i32.const 15)))
        (call $say_number (call $pipe (i32.const 16) (i32.const 20)))
        (call $must (call $dup (i32.const 1) (i32.const 0) (i32.const 16)))
        (call $say_number (call $dup2 (i32.const 1) (i32.const 16)))
        (call $say_number (call $dup (i32.const 1) (i32.const -1) (i32.const 16)))
        (call $say_number (call $dup (i32.const 99) (i32.const 0) (i32.const 16)))";
    let resources = Resources {
        open_files: 16,
        ..Resources::default()
    };
    let sandbox = Sandbox::with(resources, &[("opens", opens)]);
    let finished = sandbox.run(&["opens"]).await;
    assert_eq!(finished.stdout, "33\n15\n33\n8\n28\n8\n", "{finished:?}");
    sandbox.assert_clean();
}

#[tokio::test]
async fn what_waits_in_pipes_counts_as_memory() {
    // Fills pipes until the sandbox has no memory for more: NOBUFS.
    let hoards = "(local $errno i32)
        (loop $more
          (call $must (call $pipe (i32.const 16) (i32.const 20)))
          (local.set $errno (call $write (i32.load (i32.const 20)) (i32.const 0) (i32.const 65536)))
          (br_if $more (i32.eqz (local.get $errno))))
        (call $exit (local.get $errno))";
    let resources = Resources {
        memory: 16 << 20,
        ..Resources::default()
    };
    let sandbox = Sandbox::with(resources, &[("hoards", hoards)]);
    assert_eq!(
        sandbox.run(&["hoards"]).await.status,
        ExitStatus::from_code(42)
    );
    sandbox.assert_clean();
}
