//! Guest programs in WAT.

/// What every program imports, and what it can call.
///
/// Memory: 0 to 1023 is scratch, 1024 the request of `$spawn`, 2048 its descriptors, 4096 the
/// program's own data, 65536 on free.
const PRELUDE: &str = r#"
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
  (import "sandbox_v0" "spawn" (func $sandbox_spawn (param i32 i32) (result i32)))
  (import "sandbox_v0" "exec" (func $sandbox_exec (param i32) (result i32)))
  (import "sandbox_v0" "take_state" (func $take_state (param i32 i32 i32) (result i32)))
  (import "sandbox_v0" "wait" (func $sandbox_wait (param i32 i32 i32 i32) (result i32)))
  (import "sandbox_v0" "pipe" (func $pipe (param i32 i32) (result i32)))
  (import "sandbox_v0" "dup" (func $dup (param i32 i32 i32) (result i32)))
  (import "sandbox_v0" "dup2" (func $dup2 (param i32 i32) (result i32)))
  (import "sandbox_v0" "kill" (func $kill (param i32 i32) (result i32)))
  (import "sandbox_v0" "getpid" (func $getpid (param i32) (result i32)))
  (import "sandbox_v0" "getppid" (func $getppid (param i32) (result i32)))
  (import "sandbox_v0" "getpgid" (func $getpgid (param i32 i32) (result i32)))
  (import "sandbox_v0" "setsid" (func $setsid (result i32)))
  (import "sandbox_v0" "sigaction" (func $sigaction (param i32 i32) (result i32)))
  (import "sandbox_v0" "sigtake" (func $sigtake (param i32) (result i32)))
  (import "sandbox_v0" "processes" (func $processes (param i32 i32 i32) (result i32)))
  (memory (export "memory") 4)

  ;; Writes bytes to a descriptor; the error number.
  (func $write (param $fd i32) (param $ptr i32) (param $len i32) (result i32)
    (i32.store (i32.const 0) (local.get $ptr))
    (i32.store (i32.const 4) (local.get $len))
    (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
  ;; Reads bytes from a descriptor; how many, negative for an error number.
  (func $read (param $fd i32) (param $ptr i32) (param $len i32) (result i32)
    (local $errno i32)
    (i32.store (i32.const 0) (local.get $ptr))
    (i32.store (i32.const 4) (local.get $len))
    (local.set $errno (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (local.get $errno) (then (return (i32.sub (i32.const 0) (local.get $errno)))))
    (i32.load (i32.const 8)))
  ;; Ends with a code of its own where the error number is not 0.
  (func $must (param $errno i32)
    (if (local.get $errno)
      (then (call $exit (i32.add (i32.const 100) (local.get $errno))))))
  (func $strlen (param $ptr i32) (result i32)
    (local $len i32)
    (loop $next
      (if (i32.load8_u (i32.add (local.get $ptr) (local.get $len)))
        (then (local.set $len (i32.add (local.get $len) (i32.const 1))) (br $next))))
    (local.get $len))
  ;; Writes the string at a pointer.
  (func $say (param $ptr i32)
    (call $must (call $write (i32.const 1) (local.get $ptr) (call $strlen (local.get $ptr)))))
  ;; Writes a number and a line feed to standard output.
  (func $say_number (param $n i32)
    (local $at i32)
    (local.set $at (i32.const 63))
    (i32.store8 (i32.const 63) (i32.const 10))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
      (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
      (br_if $digit (local.get $n)))
    (call $must (call $write (i32.const 1) (local.get $at)
      (i32.sub (i32.const 64) (local.get $at)))))
  ;; Puts together a request for the program of this path, its only argument, with descriptors 0,
  ;; 1 and 2 of ours.
  (func $request (param $path i32) (result i32)
    (memory.fill (i32.const 1024) (i32.const 0) (i32.const 52))
    (i32.store (i32.const 1024) (local.get $path))
    (i32.store (i32.const 1028) (call $strlen (local.get $path)))
    (i32.store (i32.const 1032) (local.get $path))
    (i32.store (i32.const 1036) (i32.add (call $strlen (local.get $path)) (i32.const 1)))
    (i32.store (i32.const 2048) (i32.const 0)) (i32.store (i32.const 2052) (i32.const 0))
    (i32.store (i32.const 2056) (i32.const 1)) (i32.store (i32.const 2060) (i32.const 1))
    (i32.store (i32.const 2064) (i32.const 2)) (i32.store (i32.const 2068) (i32.const 2))
    (i32.store (i32.const 1056) (i32.const 2048))
    (i32.store (i32.const 1060) (i32.const 3))
    (i32.const 1024))
  ;; Lets the next `$start` give this as descriptor 0, 1 or 2 of the child.
  (func $give (param $child i32) (param $own i32)
    (i32.store (i32.add (i32.const 2052) (i32.mul (local.get $child) (i32.const 8)))
      (local.get $own)))
  ;; Starts what was put together; the process id, negative for an error number.
  (func $start (result i32)
    (local $errno i32)
    (local.set $errno (call $sandbox_spawn (i32.const 1024) (i32.const 16)))
    (if (local.get $errno) (then (return (i32.sub (i32.const 0) (local.get $errno)))))
    (i32.load (i32.const 16)))
  (func $spawn (param $path i32) (result i32)
    (drop (call $request (local.get $path)))
    (call $start))
  ;; Waits for a child; its status, negative for an error number.
  (func $wait (param $pid i32) (result i32)
    (local $errno i32)
    (local.set $errno (call $sandbox_wait (local.get $pid) (i32.const 0) (i32.const 16) (i32.const 20)))
    (if (local.get $errno) (then (return (i32.sub (i32.const 0) (local.get $errno)))))
    (i32.load (i32.const 20)))
  (func $spin (loop $again (br $again)))
  ;; Waits until somebody writes to or closes a pipe that nobody has: for ever.
  (func $sleep
    (call $must (call $pipe (i32.const 24) (i32.const 28)))
    (drop (call $read (i32.load (i32.const 24)) (i32.const 512) (i32.const 1))))
"#;

/// A module of the prelude and `body`, which is either statements of its start function or, when
/// it begins with `(func` or `(data`, fields of the module that define `$main`.
pub(super) fn module(body: &str) -> Vec<u8> {
    let body = body.trim();
    let fields = if body.starts_with("(func") || body.starts_with("(data") {
        body.to_owned()
    } else {
        format!("(func $main {body})")
    };
    let text = format!("(module {PRELUDE} {fields} (export \"_start\" (func $main)))");
    wat::parse_str(&text).unwrap()
}
