//! What an adapted module does.

use wasmtime::{Caller, Engine, Linker, Module, Store};

use super::adapt::adapt;
use super::manifest::{Adapt, Step, StepKind, Stub};

/// Runs `_start` with these arguments; answers the exit code, and what `seen` was told.
fn run(wasm: &[u8], args: &'static [&'static str]) -> (Option<i32>, Vec<String>) {
    #[derive(Default)]
    struct Host {
        code: Option<i32>,
        seen: Vec<String>,
    }
    const WASI: &str = "wasi_snapshot_preview1";
    let engine = Engine::default();
    let mut linker = Linker::<Host>::new(&engine);
    let memory =
        |caller: &mut Caller<'_, Host>| caller.get_export("memory").unwrap().into_memory().unwrap();
    let put = move |caller: &mut Caller<'_, Host>, at: i32, value: i32| {
        let memory = memory(caller);
        memory
            .write(caller, at as usize, &value.to_le_bytes())
            .unwrap();
    };
    let sizes = move |mut caller: Caller<'_, Host>, count: i32, bytes: i32| {
        let len: usize = args.iter().map(|arg| arg.len() + 1).sum();
        put(&mut caller, count, args.len() as i32);
        put(&mut caller, bytes, len as i32);
        0
    };
    let get = move |mut caller: Caller<'_, Host>, argv: i32, mut at: i32| {
        for (index, arg) in args.iter().enumerate() {
            put(&mut caller, argv + 4 * index as i32, at);
            let memory = memory(&mut caller);
            let text = [arg.as_bytes(), b"\0"].concat();
            memory.write(&mut caller, at as usize, &text).unwrap();
            at += text.len() as i32;
        }
        0
    };
    let exit = |mut caller: Caller<'_, Host>, code: i32| -> wasmtime::Result<()> {
        caller.data_mut().code = Some(code);
        Err(wasmtime::format_err!("exit"))
    };
    let see = move |mut caller: Caller<'_, Host>, at: i32| {
        let memory = memory(&mut caller);
        let bytes = &memory.data(&caller)[at as usize..];
        let len = bytes.iter().position(|byte| *byte == 0).unwrap();
        let text = String::from_utf8(bytes[..len].to_vec()).unwrap();
        caller.data_mut().seen.push(text);
    };
    linker.func_wrap(WASI, "args_sizes_get", sizes).unwrap();
    linker.func_wrap(WASI, "args_get", get).unwrap();
    linker.func_wrap(WASI, "proc_exit", exit).unwrap();
    linker.func_wrap("host", "see", see).unwrap();
    let module = Module::new(&engine, wasm).unwrap();
    let mut store = Store::new(&engine, Host::default());
    let instance = linker.instantiate(&mut store, &module).unwrap();
    let start = instance
        .get_typed_func::<(), ()>(&mut store, "_start")
        .unwrap();
    let ended = start.call(&mut store, ());
    assert_eq!(ended.is_err(), store.data().code.is_some(), "{ended:?}");
    let host = store.into_data();
    (host.code, host.seen)
}

fn step(function: &str, kind: StepKind, args: &[&str]) -> Step {
    Step {
        function: function.to_owned(),
        kind,
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
    }
}

#[test]
fn a_result_becomes_the_exit_code_and_a_stub_answers() {
    let library = wat::parse_str(
        r#"(module
            (import "host" "see" (func $see (param i32)))
            (import "gone" "a" (func $a (param i32 i64) (result i32)))
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (import "gone" "b" (func $b (result i32)))
            (memory (export "memory") 1)
            (table 3 funcref) (elem (i32.const 0) $run $b $see)
            (data (i32.const 8) "text\00")
            (type $number (func (result i32)))
            (func $run (export "run") (result i32)
                (call $see (i32.const 8))
                (i32.add (call $a (i32.const 1) (i64.const 2))
                    (call_indirect (type $number) (i32.const 1)))))"#,
    );
    let stub = |name: &str, answer| Stub {
        module: "gone".to_owned(),
        name: name.to_owned(),
        answer,
    };
    let how = Adapt {
        start: vec![step("run", StepKind::Exit, &[])],
        stub: vec![stub("a", 40), stub("b", 2)],
    };
    let adapted = adapt(&library.unwrap(), &how).unwrap();
    assert_eq!(run(&adapted, &[]), (Some(42), vec!["text".to_owned()]));
}

#[test]
fn a_main_gets_the_programs_arguments_behind_those_of_the_step() {
    let library = wat::parse_str(
        r#"(module
            (import "host" "see" (func $see (param i32)))
            (memory (export "memory") 1)
            (global $top (mut i32) (i32.const 1024))
            (func (export "malloc") (param i32) (result i32)
                (global.get $top)
                (global.set $top (i32.and (i32.const -8)
                    (i32.add (i32.const 15) (i32.add (global.get $top) (local.get 0))))))
            (func (export "begin")
                (i32.store8 (i32.const 9) (i32.const 98)) (call $see (i32.const 9)))
            (func (export "main") (param $argc i32) (param $argv i32) (result i32)
                (loop $next
                    (call $see (i32.load (local.get $argv)))
                    (local.set $argv (i32.add (local.get $argv) (i32.const 4)))
                    (br_if $next (local.tee $argc (i32.sub (local.get $argc) (i32.const 1)))))
                (i32.load (local.get $argv))))"#,
    );
    let how = Adapt {
        start: vec![
            step("begin", StepKind::Call, &[]),
            step("main", StepKind::Main, &["--std", "/main.mjs"]),
        ],
        stub: Vec::new(),
    };
    let adapted = adapt(&library.unwrap(), &how).unwrap();
    let (code, seen) = run(&adapted, &["node", "-e", "1 + 1"]);
    assert_eq!(code, None);
    assert_eq!(seen, ["b", "node", "--std", "/main.mjs", "-e", "1 + 1"]);
}

#[test]
fn a_manifest_that_does_not_fit_is_said() {
    let library = wat::parse_str(r#"(module (memory (export "memory") 1))"#).unwrap();
    let how = Adapt {
        start: vec![step("run", StepKind::Exit, &[])],
        stub: Vec::new(),
    };
    let error = adapt(&library, &how).unwrap_err();
    assert!(error.message().contains("`run`"), "{error}");
    assert!(adapt(b"\0asm\x01\0\0\0\xff", &Adapt::default()).is_err());
}
