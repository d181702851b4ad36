//! What is refused before it is compiled, and with what words.

use super::limits::ModuleLimits;
use super::refused::Refused;
use super::scan::{Kind, kind_of, scan};

const PROGRAM: &str = r#"(memory (export "memory") 1) (func (export "_start"))"#;

fn scanned(fields: &str, limits: &ModuleLimits) -> Result<Kind, Refused> {
    let wasm = wat::parse_str(format!("(module {fields})")).unwrap();
    scan(&wasm, limits, &|module, _| module == "here")
}

fn too_large(fields: &str, limits: ModuleLimits) -> (&'static str, u64, u64) {
    match scanned(fields, &limits).unwrap_err() {
        Refused::TooLarge { what, has, limit } => (what, has, limit),
        other => panic!("{other}"),
    }
}

#[test]
fn a_program_is_let_through() {
    let fields = format!(r#"(import "here" "f" (func (param i32))) {PROGRAM}"#);
    let limits = ModuleLimits::default();
    assert_eq!(scanned(&fields, &limits), Ok(Kind::Module));
    let component = wat::parse_str("(component (core module))").unwrap();
    let any = scan(&component, &limits, &|_, _| false);
    assert_eq!(any, Ok(Kind::Component));
    assert_eq!(kind_of(&component), Some(Kind::Component));
    assert_eq!(kind_of(b"\0asm"), None);
}

#[test]
fn an_unknown_import_says_which() {
    for import in [
        r#"(import "env" "abort" (func))"#,
        r#"(import "env" "memory" (memory 1))"#,
    ] {
        let fields = format!("{import} (func (export \"_start\"))");
        let error = scanned(&fields, &ModuleLimits::default()).unwrap_err();
        assert!(matches!(&error, Refused::UnknownImport { module, .. } if module == "env"));
        assert!(error.to_string().contains("from `env`"), "{error}");
    }
}

#[test]
fn each_count_has_a_limit_that_is_named() {
    let default = ModuleLimits::default();
    let few = |change: fn(&mut ModuleLimits)| {
        let mut limits = default;
        change(&mut limits);
        limits
    };
    let functions = format!("(func) (func) {PROGRAM}");
    let found = too_large(&functions, few(|l| l.functions = 2));
    assert_eq!(found, ("functions", 3, 2));
    let tables = format!("(table 1 funcref) (table 1 funcref) {PROGRAM}");
    assert_eq!(too_large(&tables, few(|l| l.tables = 1)), ("tables", 2, 1));
    let memories = format!("(memory 1) {PROGRAM}");
    assert_eq!(too_large(&memories, default), ("memories", 2, 1));
    let locals = format!("(func (local i32 i64 i32 i32)) {PROGRAM}");
    let found = too_large(&locals, few(|l| l.locals = 3));
    assert_eq!(found, ("locals of one function", 4, 3));
    let body = format!("(func {}) {PROGRAM}", "nop ".repeat(200));
    let (what, has, limit) = too_large(&body, few(|l| l.function_bytes = 100));
    assert_eq!((what, limit), ("bytes of one function", 100));
    assert!(has >= 200);
    let globals = format!("{} {PROGRAM}", "(global i32 (i32.const 0))".repeat(20));
    let (what, _, limit) = too_large(&globals, few(|l| l.items = 10));
    assert_eq!((what, limit), ("imports, exports, types and segments", 10));
    let (what, _, limit) = too_large(PROGRAM, few(|l| l.bytes = 10));
    assert_eq!((what, limit), ("bytes", 10));
}

#[test]
fn the_modules_of_a_component_are_counted_together() {
    let module = "(core module (func) (func))";
    let component = wat::parse_str(format!("(component {module} {module})")).unwrap();
    let limits = ModuleLimits {
        functions: 3,
        ..ModuleLimits::default()
    };
    let error = scan(&component, &limits, &|_, _| true).unwrap_err();
    let (what, has, limit) = ("functions", 4, 3);
    assert_eq!(error, Refused::TooLarge { what, has, limit });
}

#[test]
fn a_library_is_no_program() {
    let default = ModuleLimits::default();
    for (fields, why) in [
        (r#"(memory (export "memory") 1)"#, "`_start`"),
        (
            r#"(memory (export "memory") 1) (func (export "_start") (param i32))"#,
            "takes or returns",
        ),
        (r#"(func (export "_start"))"#, "`memory`"),
    ] {
        let error = scanned(fields, &default).unwrap_err();
        assert!(matches!(error, Refused::NoProgram(_)), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn cut_off_and_foreign_bytes_are_malformed() {
    let wasm = wat::parse_str(format!("(module {PROGRAM})")).unwrap();
    let limits = ModuleLimits::default();
    for len in 0..wasm.len() {
        let error = scan(&wasm[..len], &limits, &|_, _| true).unwrap_err();
        let known = matches!(error, Refused::Malformed(_) | Refused::NoProgram(_));
        assert!(known, "{len}: {error}");
    }
    let elf = scan(b"\x7fELF\x02\x01\x01\0\0", &limits, &|_, _| true);
    assert!(matches!(elf, Err(Refused::Malformed(_))));
}
