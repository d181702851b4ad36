//! What is seen in real programs.

use super::habit::Habit;
use super::{ABSOLUTE, Paths, below, mark};
use crate::wasi::tests::program;

#[test]
fn a_stripped_program_of_the_library_keeps_its_directory_in_a_variable() {
    let wasm = program("sandbox-guest-tests");
    let habit = Habit::of(&wasm).unwrap();
    assert_eq!(habit.paths, Paths::Absolute);
    assert!(habit.variable.is_some());
}

#[test]
fn a_program_without_the_library_keeps_none() {
    let wasm = program("plain");
    let habit = Habit::of(&wasm).unwrap();
    assert_eq!((habit.paths, habit.variable), (Paths::Given, None));
    assert_eq!(*mark(&wasm).unwrap(), wasm, "and is left as it is");
}

#[test]
fn a_mark_is_an_export_more_and_made_once() {
    let wasm = program("sandbox-guest-tests");
    let marked = mark(&wasm).unwrap();
    let variable = Habit::of(&wasm).unwrap().variable.unwrap();
    let exported = exported_constant(&marked, ABSOLUTE);
    assert_eq!(exported, Some(variable));
    assert_eq!(mark(&marked).unwrap(), marked);
}

/// The value of the constant global that is exported as `name`.
fn exported_constant(wasm: &[u8], name: &str) -> Option<u32> {
    use wasmparser::{Operator, Parser, Payload};
    let (mut globals, mut wanted) = (Vec::new(), None);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.unwrap() {
            Payload::GlobalSection(section) => {
                for global in section {
                    let init = global.unwrap().init_expr;
                    globals.push(match init.get_operators_reader().read().unwrap() {
                        Operator::I32Const { value } => Some(value as u32),
                        _ => None,
                    });
                }
            }
            Payload::ExportSection(section) => {
                let mut exports = section.into_iter().map(|export| export.unwrap());
                wanted = exports
                    .find(|export| export.name == name)
                    .map(|export| export.index);
            }
            _ => {}
        }
    }
    globals.get(wanted? as usize).copied().flatten()
}

#[test]
fn what_is_no_module_is_an_error() {
    assert!(mark(b"").is_err());
    assert!(mark(b"\0asm\x01\0\0\0\x06\x05\xFF").is_err());
    let wasm = program("sandbox-guest-tests");
    for end in [9, 100, wasm.len() / 2, wasm.len() - 1] {
        // Whatever comes of it, nothing panics.
        let _ = mark(&wasm[..end]);
    }
}

#[test]
fn relative_paths_go_below() {
    assert_eq!(below("/tmp", "a/b"), "/tmp/a/b");
    assert_eq!(below("/tmp/", "../b"), "/tmp/../b");
    assert_eq!(below("/tmp", "/a"), "/a");
    assert_eq!(below("/", "a"), "a");
}
