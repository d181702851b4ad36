//! The same recipe gives the same receipt; another one does not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sandbox_core::{BoxStream, Command, ErrorKind, Progress, Resources, Result, SandboxPath};

use super::{Deterministic, Outcome, Recipe, Run};
use crate::engine::Engine;
use crate::fs::{Caller, FileSystem, Limits};
use crate::origin::{Catalogue, Origin};
use crate::programs::{Compiler, ModuleLimits, ProgramSet, SandboxPrograms};

/// An image of empty directories: recipes bring their programs.
#[derive(Debug)]
struct Empty(Arc<Compiler<Engine>>);

#[async_trait]
impl Catalogue for Empty {
    async fn origin(&self, _name: &str) -> Result<Arc<Origin>> {
        let by = Caller::default();
        let mut files = FileSystem::new(Limits::default(), by);
        for directory in ["/bin", "/tmp"] {
            files.make_dir(directory, 0o755, by).unwrap();
        }
        Ok(Arc::new(Origin {
            image: files.usage(),
            files: files.snapshot(),
            programs: Arc::new(SandboxPrograms::new(ProgramSet::default(), self.0.clone())),
            env: Arc::default(),
            workdir: SandboxPath::new("/tmp")?,
        }))
    }

    async fn prepare(&self, _name: &str) -> Result<BoxStream<Result<Progress>>> {
        Ok(Box::pin(futures_util::stream::empty()))
    }

    fn image_with(&self, _name: &str) -> Option<&'static str> {
        None
    }
}

fn deterministic() -> Deterministic {
    let engine = Arc::new(Engine::deterministic().unwrap());
    let compiler = Compiler::new(engine.clone(), None, ModuleLimits::default(), 2);
    Deterministic {
        engine,
        images: Arc::new(Empty(Arc::new(compiler))),
    }
}

const PRELUDE: &str = r#"
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "sandbox_v0" "spawn" (func $spawn (param i32 i32) (result i32)))
  (import "sandbox_v0" "wait" (func $wait (param i32 i32 i32 i32) (result i32)))
  (import "sandbox_v0" "pipe" (func $pipe (param i32 i32) (result i32)))
  (memory (export "memory") 4)
  (func $must (param i32) (if (local.get 0) (then unreachable)))
  (func $write (param $fd i32) (param $at i32) (param $len i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $len))
    (call $must (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func $read (param $fd i32) (param $at i32) (param $len i32) (result i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $len))
    (call $must (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.load (i32.const 8)))
"#;

/// Copies its input to its output, then random bytes, then both clocks.
const ECHO: &str = r#"(func $main (local $n i32)
  (loop $more
    (local.set $n (call $read (i32.const 0) (i32.const 1024) (i32.const 512)))
    (if (local.get $n) (then
      (call $write (i32.const 1) (i32.const 1024) (local.get $n))
      (br $more))))
  (call $must (call $random_get (i32.const 1024) (i32.const 16)))
  (call $must (call $clock (i32.const 0) (i64.const 1) (i32.const 1040)))
  (call $must (call $clock (i32.const 1) (i64.const 1) (i32.const 1048)))
  (call $write (i32.const 1) (i32.const 1024) (i32.const 32)))"#;

/// Makes a file. The path is handed on past its slash, as libraries do.
const MAKE: &str = r#"(data (i32.const 99) "/tmp/made")
(func $main
  (call $must (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 8)
    (i32.const 1) (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 16)))
  (call $write (i32.load (i32.const 16)) (i32.const 100) (i32.const 8)))"#;

/// Starts two of the writers, which write to one output, and waits for both.
const PAIR: &str = r#"(data (i32.const 100) "/bin/writer")
(data (i32.const 200) "a\00b\00")
(data (i32.const 300) "\01\00\00\00\01\00\00\00")
(func $start (param $name i32)
  (i32.store (i32.const 1024) (i32.const 100)) (i32.store (i32.const 1028) (i32.const 11))
  (i32.store (i32.const 1032) (local.get $name)) (i32.store (i32.const 1036) (i32.const 2))
  (i32.store (i32.const 1056) (i32.const 300)) (i32.store (i32.const 1060) (i32.const 1))
  (call $must (call $spawn (i32.const 1024) (i32.const 16))))
(func $main
  (call $start (i32.const 200)) (call $start (i32.const 202))
  (call $must (call $wait (i32.const -1) (i32.const 0) (i32.const 16) (i32.const 20)))
  (call $must (call $wait (i32.const -1) (i32.const 0) (i32.const 16) (i32.const 20))))"#;

/// Writes its name again and again, and computes in between.
const WRITER: &str = r#"(func $main (local $n i32) (local $spin i32)
  (call $must (call $args_get (i32.const 1024) (i32.const 2048)))
  (loop $again
    (call $write (i32.const 1) (i32.const 2048) (i32.const 1))
    (local.set $spin (i32.const 0))
    (loop $more
      (local.set $spin (i32.add (local.get $spin) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $spin) (i32.const 60000))))
    (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $n) (i32.const 20)))))"#;

const SPIN: &str = "(func $main (loop $again (br $again)))";

/// Sleeps for an hour and shows the clock.
const SLEEP: &str = r#"(func $main
  (i32.store (i32.const 1024) (i32.const 0))
  (i32.store (i32.const 1040) (i32.const 1))
  (i64.store (i32.const 1048) (i64.const 3600000000000))
  (call $must (call $poll (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 16)))
  (call $must (call $clock (i32.const 1) (i64.const 1) (i32.const 1024)))
  (call $write (i32.const 1) (i32.const 1024) (i32.const 8)))"#;

/// Reads from a pipe to which only it could write.
const WAIT: &str = r#"(func $main
  (call $must (call $pipe (i32.const 16) (i32.const 20)))
  (drop (call $read (i32.load (i32.const 16)) (i32.const 1024) (i32.const 1))))"#;

fn module(body: &str) -> Vec<u8> {
    wat::parse_str(format!(
        "(module {PRELUDE} {body} (export \"_start\" (func $main)))"
    ))
    .unwrap()
}

fn recipe(program: &str) -> Recipe {
    Recipe::new("empty", Command::argv(["/bin/program"]))
        .file(path("/bin/program"), module(program), 0o755)
        .file(path("/bin/writer"), module(WRITER), 0o755)
        .fuel(200_000_000)
}

fn path(path: &str) -> SandboxPath {
    path.parse().unwrap()
}

/// Runs it twice, by runners that share nothing.
async fn twice(recipe: &Recipe) -> Run {
    let one = deterministic().run(recipe).await.unwrap();
    let two = deterministic().run(recipe).await.unwrap();
    assert_eq!(one.receipt.difference(&two.receipt), None);
    assert_eq!(one.receipt, two.receipt);
    assert_eq!(one.stdout, two.stdout);
    one
}

#[tokio::test]
async fn the_same_recipe_gives_the_same_receipt_with_time_and_randomness_in_it() {
    let recipe = recipe(ECHO).stdin("input").seed([7; 32]);
    let run = twice(&recipe).await;
    assert_eq!(run.receipt.outcome, Outcome::Exited(0), "{:?}", run.receipt);
    assert_eq!(run.stdout.len(), 5 + 32);
    assert!(run.stdout.starts_with(b"input"));
    assert_ne!(run.stdout[5..21], [0; 16], "it had random bytes");
    assert!(run.receipt.fuel_used > 0);
    assert_eq!(run.receipt.programs.len(), 1);
    let text = serde_json::to_string(&run.receipt).unwrap();
    let read = serde_json::from_str(&text).unwrap();
    deterministic().verify(&recipe, &read).await.unwrap();
}

#[tokio::test]
async fn whatever_goes_in_otherwise_shows_in_the_receipt() {
    let runner = deterministic();
    let base = recipe(ECHO).stdin("input");
    let receipt = runner.run(&base).await.unwrap().receipt;
    let mut resources = Resources::default();
    resources.memory *= 2;
    for (other, fields) in [
        (base.clone().seed([1; 32]), &["seed"][..]),
        (base.clone().stdin("Input"), &["stdin"]),
        (base.clone().file(path("/tmp/more"), "x", 0o644), &["tree"]),
        (
            base.clone().file(path("/bin/writer"), "x", 0o755),
            &["tree"],
        ),
        (base.clone().fuel(100_000_000), &["fuel_limit"]),
        (base.clone().resources(resources), &["resources"]),
    ] {
        let error = runner.verify(&other, &receipt).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        assert!(fields.contains(&error.field().unwrap()), "{error}");
    }
    // What came out, and was changed afterwards.
    let mut forged = receipt.clone();
    forged.stdout = forged.stderr.clone();
    let error = runner.verify(&base, &forged).await.unwrap_err();
    assert_eq!(error.field(), Some("stdout"));
}

#[tokio::test]
async fn what_a_run_writes_is_in_the_tree_afterwards() {
    let run = twice(&recipe(MAKE)).await;
    assert_eq!(run.receipt.outcome, Outcome::Exited(0));
    assert_ne!(run.receipt.tree, run.receipt.tree_after);
    let files = FileSystem::from_snapshot(&run.tree, Limits::default()).unwrap();
    assert_eq!(files.metadata("/tmp/made", false).unwrap().size, 8);
}

#[tokio::test]
async fn processes_take_turns_in_one_order() {
    let run = twice(&recipe(PAIR)).await;
    assert_eq!(run.receipt.outcome, Outcome::Exited(0), "{:?}", run.receipt);
    let text = String::from_utf8(run.stdout.to_vec()).unwrap();
    assert_eq!(text.len(), 40);
    let turns = text.as_bytes().windows(2).filter(|two| two[0] != two[1]);
    assert!(turns.count() > 2, "they run side by side: {text}");
    assert_eq!(run.receipt.programs.len(), 2);
}

#[tokio::test]
async fn fuel_ends_a_run_and_there_is_a_receipt() {
    let run = twice(&recipe(SPIN).fuel(5_500_000)).await;
    assert_eq!(run.receipt.outcome, Outcome::OutOfFuel);
    assert_eq!(run.receipt.fuel_used, 5_500_000);
    let run = twice(&recipe(PAIR).fuel(3_000_000)).await;
    assert_eq!(run.receipt.outcome, Outcome::OutOfFuel);
}

#[tokio::test]
async fn sleeping_takes_no_time_of_the_host_and_waiting_for_nobody_ends() {
    let run = twice(&recipe(SLEEP)).await;
    assert_eq!(run.receipt.outcome, Outcome::Exited(0), "{:?}", run.receipt);
    let clock = u64::from_le_bytes(run.stdout[..8].try_into().unwrap());
    assert!(
        (3_600_000_000_000..3_601_000_000_000).contains(&clock),
        "{clock}"
    );
    let run = twice(&recipe(WAIT)).await;
    assert_eq!(run.receipt.outcome, Outcome::Stuck);
}

#[tokio::test]
async fn the_host_s_patience_ends_a_run_without_a_receipt() {
    let endless = recipe(SPIN)
        .fuel(u64::MAX >> 1)
        .timeout(Duration::from_millis(200));
    let error = deterministic().run(&endless).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_field() {
    let runner = deterministic();
    for (recipe, field) in [
        (recipe(SPIN).fuel(0), "fuel"),
        (recipe(SPIN).timeout(Duration::ZERO), "timeout"),
        (recipe(SPIN).file(path("/x"), "", 0o10000), "mode"),
        (
            Recipe::new("empty", Command::argv(["/bin/none"])),
            "command",
        ),
    ] {
        let error = runner.run(&recipe).await.unwrap_err();
        assert_eq!(error.field(), Some(field), "{error}");
    }
}
