//! Components that nobody wrote in good faith.

use sandbox_core::ErrorKind;

use super::{Sandbox, command, compile};

fn refused(text: &str) -> String {
    let wasm = wat::parse_str(text).unwrap();
    match compile(&wasm) {
        Ok(_) => panic!("it is refused: {text}"),
        Err(why) => why,
    }
}

/// A component whose `run` is `body`, a function without a result but 0 for success.
fn running(fields: &str, body: &str) -> Vec<u8> {
    let text = format!(
        r#"(component
            {fields}
            (core module $main (func (export "run") (result i32) {body} (i32.const 0)))
            (core instance $main (instantiate $main))
            (func $run (result (result)) (canon lift (core func $main "run")))
            (instance $exported (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $exported)))"#
    );
    wat::parse_str(text).unwrap()
}

#[test]
fn what_is_no_program_is_refused_and_says_why() {
    assert!(refused("(component)").contains("exports no `wasi:cli/run`"));
    let library = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func (export "other") (canon lift (core func $i "f"))))"#;
    assert!(refused(library).contains("exports no `wasi:cli/run`"));
    let wrong = r#"(component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (instance $run (export "run" (func $f)))
        (export "wasi:cli/run@0.2.0" (instance $run)))"#;
    assert!(refused(wrong).contains("not that of WASI 0.2"));
}

#[test]
fn what_it_imports_and_does_not_get_is_named() {
    for import in [
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:cli/environment@9.0.0",
        "acme:secrets/store",
    ] {
        let text = format!("(component (import \"{import}\" (instance (export \"f\" (func)))))");
        let why = refused(&text);
        assert!(why.contains(import), "{import}: {why}");
    }
    let module = r#"(component (import "code" (core module)))"#;
    assert!(refused(module).contains("code") || refused(module).contains("from outside"));
}

#[test]
fn a_function_of_another_type_is_refused() {
    let text = r#"(component
        (import "wasi:cli/environment@0.2.0" (instance
            (export "get-arguments" (func (result u32))))))"#;
    assert!(refused(text).contains("get-arguments"));
}

#[tokio::test]
async fn more_memories_than_a_component_may_have_are_refused() {
    let memory = "(core module $M (memory 1)) ";
    let instances = |count| {
        let instance = |n| format!("(core instance $m{n} (instantiate $M))");
        memory.to_owned() + &(0..count).map(instance).collect::<String>()
    };
    let why = compile(&running(&instances(9), "")).unwrap_err();
    assert!(why.contains("9 memories") && why.contains("8"), "{why}");

    let sandbox = Sandbox::new();
    sandbox.put("/bin/many", &running(&instances(8), ""));
    let finished = run(&sandbox, "/bin/many").await;
    assert!(finished.status.success(), "{finished:?}");
    sandbox.assert_clean();
}

async fn run(sandbox: &Sandbox, path: &str) -> super::Finished {
    let mut command = command(&[]);
    command.argv = vec![path.into()];
    super::finish(&sandbox.machine.spawn_command(command).await.unwrap()).await
}

#[tokio::test]
async fn a_trap_ends_the_component_alone() {
    let sandbox = Sandbox::new();
    sandbox.put("/bin/trap", &running("", "unreachable"));
    let finished = run(&sandbox, "/bin/trap").await;
    assert_eq!(finished.status.shell_code(), 134);
    sandbox.assert_clean();
    assert_eq!(sandbox.says(&["hello"]).await, "hello");
}

#[tokio::test]
async fn a_table_past_the_memory_limit_is_not_made() {
    let sandbox = Sandbox::new();
    // A table of four thousand million elements, asked for and refused.
    let fields = r#"(core module $T (table 1 funcref)
        (func (export "grow") (result i32)
            (table.grow (ref.null func) (i32.const 0x7fffffff))))
        (core instance $t (instantiate $T))"#;
    let text = format!(
        r#"(component {fields}
            (core module $main (import "t" "grow" (func $grow (result i32)))
                (func (export "run") (result i32) (i32.ne (call $grow) (i32.const -1))))
            (core instance $main (instantiate $main (with "t" (instance $t))))
            (func $run (result (result)) (canon lift (core func $main "run")))
            (instance $exported (export "run" (func $run)))
            (export "wasi:cli/run@0.2.0" (instance $exported)))"#
    );
    sandbox.put("/bin/table", &wat::parse_str(text).unwrap());
    let finished = run(&sandbox, "/bin/table").await;
    assert!(finished.status.success(), "{finished:?}");
    sandbox.assert_clean();
}

/// A component that makes handles of a resource of its own, and of the host, without end.
#[tokio::test]
async fn handles_end_at_their_limit() {
    let own = r#"(component
        (type $r (resource (rep i32)))
        (core func $new (canon resource.new $r))
        (core module $main (import "" "new" (func $new (param i32) (result i32)))
            (func (export "run") (result i32)
                (loop $again (drop (call $new (i32.const 1))) (br $again)) (i32.const 0)))
        (core instance $main (instantiate $main
            (with "" (instance (export "new" (func $new))))))
        (func $run (result (result)) (canon lift (core func $main "run")))
        (instance $exported (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $exported)))"#;
    let host = r#"(component
        (import "wasi:io/poll@0.2.0" (instance $poll
            (export "pollable" (type (sub resource)))))
        (alias export $poll "pollable" (type $pollable))
        (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
            (alias outer 1 $pollable (type $p0))
            (export "subscribe-duration" (func (param "when" u64) (result (own $p0))))))
        (core func $subscribe (canon lower (func $clock "subscribe-duration")))
        (core module $main (import "" "subscribe" (func $new (param i64) (result i32)))
            (func (export "run") (result i32)
                (loop $again (drop (call $new (i64.const 1))) (br $again)) (i32.const 0)))
        (core instance $main (instantiate $main
            (with "" (instance (export "subscribe" (func $subscribe))))))
        (func $run (result (result)) (canon lift (core func $main "run")))
        (instance $exported (export "run" (func $run)))
        (export "wasi:cli/run@0.2.0" (instance $exported)))"#;
    let sandbox = Sandbox::new();
    for text in [own, host] {
        sandbox.put("/bin/handles", &wat::parse_str(text).unwrap());
        let finished = run(&sandbox, "/bin/handles").await;
        assert_eq!(finished.status.shell_code(), 134, "{finished:?}");
        sandbox.assert_clean();
        sandbox
            .machine
            .files
            .lock()
            .unlink("/bin/handles", Default::default())
            .unwrap();
    }
}

/// Calls from component to component, each a frame of its own on the one stack.
#[tokio::test]
async fn recursion_through_components_uses_up_the_stack_and_nothing_else() {
    let mut text = String::from("(component ");
    // A component cannot enter itself again; a long chain of them is as deep as it gets.
    text.push_str(
        r#"(component $link
            (import "next" (func $next))
            (core func $lowered (canon lower (func $next)))
            (core module $m (import "" "next" (func $next))
                (func $deep (param i32)
                    (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))
                        (else (call $next))))
                (func (export "f") (call $deep (i32.const 5000))))
            (core instance $i (instantiate $m
                (with "" (instance (export "next" (func $lowered))))))
            (func (export "f") (canon lift (core func $i "f"))))
        (component $last
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func (export "f") (canon lift (core func $i "f"))))
        (instance $l0 (instantiate $last))"#,
    );
    let links = 8;
    for n in 1..=links {
        let before = n - 1;
        text.push_str(&format!(
            "(instance $l{n} (instantiate $link (with \"next\" (func $l{before} \"f\"))))"
        ));
    }
    // Siblings all of them: a component that calls one inside itself is ended for that alone.
    text.push_str(&format!(
        r#"(component $runner
            (import "next" (func $next))
            (core func $lowered (canon lower (func $next)))
            (core module $m (import "" "next" (func $next))
                (func (export "run") (result i32) (call $next) (i32.const 0)))
            (core instance $i (instantiate $m
                (with "" (instance (export "next" (func $lowered))))))
            (func (export "run") (result (result)) (canon lift (core func $i "run"))))
        (instance $runner (instantiate $runner (with "next" (func $l{links} "f"))))
        (export "wasi:cli/run@0.2.0" (instance $runner)))"#
    ));
    let sandbox = Sandbox::new();
    sandbox.put("/bin/chain", &wat::parse_str(&text).unwrap());
    let finished = run(&sandbox, "/bin/chain").await;
    let code = finished.status.shell_code();
    assert!(code == 0 || code == 139, "{finished:?}");
    sandbox.assert_clean();
    assert_eq!(sandbox.says(&["hello"]).await, "hello");
}

#[tokio::test]
async fn what_was_tampered_with_is_refused() {
    let sandbox = Sandbox::new();
    let whole = &*super::PROBE;
    let mut cases = vec![whole[..8].to_vec(), whole[..whole.len() / 2].to_vec()];
    // Every case is a full compilation as far as it gets: a few, spread over the file.
    for part in 1..24 {
        let mut changed = whole.clone();
        let at = whole.len() / 24 * part;
        changed[at] ^= 0xff;
        cases.push(changed);
    }
    for (number, case) in cases.iter().enumerate() {
        let path = format!("/bin/{number}");
        sandbox.put(&path, case);
        let mut command = command(&["hello"]);
        command.argv[0] = path;
        command.timeout = Some(std::time::Duration::from_secs(5));
        match sandbox.machine.spawn_command(command).await {
            // What still is a component may do anything that a component may do.
            Ok(process) => drop(super::finish(&process).await),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{number}: {error}"),
        }
    }
    sandbox.assert_clean();
    assert_eq!(sandbox.says(&["hello"]).await, "hello");
}
