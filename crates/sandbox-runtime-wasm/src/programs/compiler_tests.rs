//! Where code comes from, and how often anything is compiled, with a compiler that only counts.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use super::compiler::{Backend, Compiled, Compiler, Source};
use super::digest::Digest;
use super::disk::DiskCache;
use super::limits::ModuleLimits;
use super::pool::Asker;
use super::program::Program;
use super::refused::Refused;
use super::scan::Kind;
use crate::fs::Contents;

/// "Compiles" by putting a word in front; can be made to wait.
#[derive(Debug, Default)]
struct Counting {
    compiled: AtomicUsize,
    closed: Mutex<bool>,
    opened: Condvar,
    at_gate: AtomicUsize,
}

impl Counting {
    fn set_closed(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.opened.notify_all();
    }

    fn compiled(&self) -> usize {
        self.compiled.load(Ordering::SeqCst)
    }
}

impl Backend for Counting {
    type Code = Arc<Vec<u8>>;

    fn engine(&self) -> Digest {
        Digest::of(b"counting")
    }

    fn provides(&self, module: &str, _: &str) -> bool {
        module == "here"
    }

    fn compile(&self, _: Kind, wasm: &[u8]) -> Result<Vec<u8>, Refused> {
        self.at_gate.fetch_add(1, Ordering::SeqCst);
        let mut closed = self.closed.lock().unwrap();
        while *closed {
            closed = self.opened.wait(closed).unwrap();
        }
        drop(closed);
        self.compiled.fetch_add(1, Ordering::SeqCst);
        assert!(!contains(wasm, b"panic"), "as a test");
        Ok([b"code of ", wasm].concat())
    }

    fn load(&self, _: Kind, code: Compiled<'_>) -> Result<Self::Code, Refused> {
        let bytes = match code {
            Compiled::File(path) => fs::read(path).unwrap(),
            Compiled::Bytes(bytes) => bytes.to_vec(),
        };
        match bytes.starts_with(b"code of ") {
            true => Ok(Arc::new(bytes)),
            false => Err(Refused::Broken("no code".to_owned())),
        }
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

struct Fixture {
    backend: Arc<Counting>,
    compiler: Arc<Compiler<Counting>>,
}

fn fixture(disk: Option<PathBuf>) -> Fixture {
    let backend = Arc::new(Counting::default());
    let open = |root: PathBuf| DiskCache::open(&root, backend.engine(), 1 << 30).unwrap();
    let limits = ModuleLimits {
        bytes: 10_000,
        ..ModuleLimits::default()
    };
    let compiler = Compiler::new(backend.clone(), disk.map(open), limits, 2);
    let compiler = Arc::new(compiler);
    Fixture { backend, compiler }
}

/// A program with a custom section of this name, so that it differs from others.
fn module(name: &str) -> Vec<u8> {
    let text = format!(
        r#"(module (memory (export "memory") 1) (func (export "_start")) (@custom "{name}" ""))"#
    );
    wat::parse_str(text).unwrap()
}

fn file(bytes: &[u8]) -> Source {
    Source::File(Contents::from(bytes))
}

impl Fixture {
    async fn code(&self, source: &Source) -> Result<Arc<Vec<u8>>, Refused> {
        self.compiler.code(Asker(1), source.clone()).await
    }
}

#[tokio::test]
async fn a_file_is_compiled_once_and_equal_bytes_are_the_same_module() {
    let fixture = fixture(None);
    let (one, equal) = (file(&module("one")), file(&module("one")));
    let code = fixture.code(&one).await.unwrap();
    assert_eq!(*code, [b"code of ", module("one").as_slice()].concat());
    for source in [&one, &equal, &one] {
        assert!(Arc::ptr_eq(&fixture.code(source).await.unwrap(), &code));
    }
    assert_eq!(fixture.backend.compiled(), 1);
    assert!(fixture.compiler.ready(&one).is_some());
    assert!(
        fixture.compiler.ready(&file(&module("one"))).is_none(),
        "not known yet"
    );
    fixture.code(&file(&module("other"))).await.unwrap();
    assert_eq!(fixture.backend.compiled(), 2);
}

#[tokio::test]
async fn another_process_takes_the_code_from_disk() {
    let root = tempfile::tempdir().unwrap();
    let program = Source::Program(Arc::new(Program::owned("p", module("p"))));
    for (compiled, source) in [(1, &program), (0, &program), (0, &file(&module("p")))] {
        let fixture = fixture(Some(root.path().to_owned()));
        fixture.code(source).await.unwrap();
        assert_eq!(fixture.backend.compiled(), compiled);
    }
    // What is there is whole, and still no code.
    let disk = DiskCache::open(root.path(), Counting::default().engine(), 1 << 30).unwrap();
    let entry = disk.lock(Digest::of(&module("p"))).unwrap();
    entry.store(b"of another age").unwrap();
    drop(entry);
    let fixture = fixture(Some(root.path().to_owned()));
    fixture.code(&program).await.unwrap();
    assert_eq!(fixture.backend.compiled(), 1, "compiled again");
}

#[tokio::test]
async fn those_who_want_the_same_wait_for_one_compilation() {
    let fixture = fixture(None);
    fixture.backend.set_closed(true);
    let asked: Vec<_> = (0..4)
        .map(|asker| {
            let compiler = fixture.compiler.clone();
            let source = file(&module("same"));
            tokio::spawn(async move { compiler.code(Asker(asker), source).await })
        })
        .collect();
    while fixture.backend.at_gate.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    fixture.backend.set_closed(false);
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    assert_eq!(fixture.backend.compiled(), 1);
}

#[tokio::test]
async fn who_gives_up_waiting_costs_no_compilation() {
    let fixture = fixture(None);
    fixture.backend.set_closed(true);
    let running = tokio::spawn({
        let compiler = fixture.compiler.clone();
        async move { compiler.code(Asker(1), file(&module("first"))).await }
    });
    while fixture.backend.at_gate.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let mut given_up = Box::pin(fixture.compiler.code(Asker(1), file(&module("second"))));
    let polled = futures_util::poll!(&mut given_up);
    assert!(polled.is_pending());
    drop(given_up);
    fixture.backend.set_closed(false);
    running.await.unwrap().unwrap();
    fixture.code(&file(&module("third"))).await.unwrap();
    assert_eq!(fixture.backend.compiled(), 2);
}

#[tokio::test]
async fn what_is_refused_stays_refused_without_work() {
    let fixture = fixture(None);
    let text = r#"(module (import "env" "f" (func)) (memory (export "memory") 1)
        (func (export "_start")))"#;
    let source = file(&wat::parse_str(text).unwrap());
    let error = fixture.code(&source).await.unwrap_err();
    let (module, name) = ("env".to_owned(), "f".to_owned());
    assert_eq!(error, Refused::UnknownImport { module, name });
    assert_eq!(fixture.compiler.ready(&source).unwrap().unwrap_err(), error);
    let large = fixture.code(&file(&[0; 10_001])).await.unwrap_err();
    assert!(
        matches!(large, Refused::TooLarge { what: "bytes", .. }),
        "{large}"
    );
    let script = fixture.code(&file(b"#!/bin/sh")).await.unwrap_err();
    assert!(matches!(script, Refused::Malformed(_)), "{script}");
    assert_eq!(fixture.backend.compiled(), 0);
}

#[tokio::test]
async fn an_image_may_bring_what_a_tenant_may_not() {
    let fixture = fixture(None);
    let large = wat::parse_str(format!(
        r#"(module (memory (export "memory") 1) (func (export "_start")) (@custom "{}" ""))"#,
        "n".repeat(10_000)
    ));
    let large = large.unwrap();
    assert!(fixture.code(&file(&large)).await.is_err());
    let program = Source::Program(Arc::new(Program::owned("p", large)));
    fixture.code(&program).await.unwrap();
}

#[tokio::test]
async fn a_compiler_that_panics_is_an_error_and_can_be_asked_again() {
    let fixture = fixture(None);
    let error = fixture.code(&file(&module("panic"))).await.unwrap_err();
    assert!(matches!(error, Refused::Broken(_)), "{error}");
    fixture.code(&file(&module("fine"))).await.unwrap();
}

#[tokio::test]
async fn modules_of_tenants_are_forgotten_in_time_and_those_of_images_are_not() {
    let fixture = fixture(None);
    let program = Source::Program(Arc::new(Program::owned("p", module("p"))));
    let first = file(&module("first"));
    fixture.code(&program).await.unwrap();
    fixture.code(&first).await.unwrap();
    for index in 0..64 {
        fixture
            .code(&file(&module(&index.to_string())))
            .await
            .unwrap();
    }
    assert!(fixture.compiler.ready(&program).is_some());
    assert!(fixture.compiler.ready(&first).is_none());
}
