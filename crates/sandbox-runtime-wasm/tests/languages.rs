//! The images of languages, pulled from the package registries where they are published.
//!
//! Each test is ignored unless asked for: it needs those registries the first time, and then what
//! was pulled. Without them it fails, and says which one does not answer.

use std::sync::Arc;

use bytes::Bytes;
use sandbox_core::{
    Command, ExecOutput, ExitStatus, Resources, Runtime, Sandbox, SandboxExt, SandboxId,
    SandboxPath, SandboxSpec, Source, WriteOptions, byte_stream,
};
use sandbox_runtime_wasm::WasmRuntime;

struct Made {
    _runtime: WasmRuntime,
    sandbox: Arc<dyn Sandbox>,
}

async fn sandbox(image: &str) -> Made {
    let runtime = WasmRuntime::builder().max_processes(64).build().unwrap();
    let source = Source::Image(image.to_owned());
    let resources = Resources {
        memory: 256 << 20,
        ..Resources::default()
    };
    let spec = SandboxSpec::builder(SandboxId::from_random([5; 16]), source).resources(resources);
    let made = runtime.create(&spec.build().unwrap()).await;
    let sandbox = made.unwrap_or_else(|error| panic!("{}", error.report()));
    Made {
        _runtime: runtime,
        sandbox,
    }
}

impl Made {
    async fn run(&self, words: &[&str]) -> ExecOutput {
        let command = Command::argv(words.iter().copied());
        self.sandbox.exec(command).await.unwrap()
    }

    /// What it prints, when it goes well.
    async fn says(&self, words: &[&str]) -> String {
        let output = self.run(words).await;
        assert!(output.status.success(), "{words:?}: {output:?}");
        output.stdout_lossy().trim_end().to_owned()
    }

    async fn hears(&self, words: &[&str], input: &'static str) -> String {
        let command = Command::argv(words.iter().copied());
        let input = Bytes::from_static(input.as_bytes());
        let output = self.sandbox.exec_with_input(command, input).await.unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        output.stdout_lossy().trim_end().to_owned()
    }

    async fn write(&self, path: &str, text: &'static str) {
        let path = SandboxPath::new(path).unwrap();
        let bytes = byte_stream(Bytes::from_static(text.as_bytes()));
        let written = self.sandbox.write(&path, bytes, WriteOptions::default());
        written.await.unwrap();
    }
}

#[tokio::test]
#[ignore = "pulls from a package registry"]
async fn python_runs_code_files_modules_and_standard_input() {
    let python = sandbox("python").await;
    assert_eq!(python.says(&["python3", "-c", "print(2+2)"]).await, "4");
    assert_eq!(python.says(&["python", "--version"]).await, "Python 3.14.8");
    assert_eq!(
        python
            .hears(&["python3", "-"], "print('from', 'input')")
            .await,
        "from input"
    );
    python
        .write(
            "/root/s.py",
            "import sys; print(sys.argv[1:], __file__); sys.exit(7)",
        )
        .await;
    let script = python.run(&["python3", "s.py", "a", "b"]).await;
    assert_eq!(script.stdout_lossy(), "['a', 'b'] s.py\n");
    assert_eq!(script.status, ExitStatus::from_code(7));
    let failed = python.run(&["python3", "-c", "1/0"]).await;
    assert_eq!(failed.status, ExitStatus::from_code(1));
    assert!(
        failed.stderr_lossy().contains("ZeroDivisionError"),
        "{failed:?}"
    );
    let json = python
        .hears(&["python3", "-m", "json.tool", "--compact"], r#"{"a": 1}"#)
        .await;
    assert_eq!(json, r#"{"a":1}"#);
}

#[tokio::test]
#[ignore = "pulls from a package registry"]
async fn python_has_its_library_its_directory_and_its_environment() {
    let python = sandbox("python").await;
    assert_eq!(
        python
            .says(&["python3", "-c", "import os; print(os.getcwd())"])
            .await,
        "/root"
    );
    let modules = "import json, re, os, sys, pathlib, hashlib, sqlite3, csv, datetime, decimal, \
        asyncio, subprocess, tempfile, urllib.parse, zlib; \
        print(hashlib.sha256(b'abc').hexdigest()[:8], re.sub('a', 'b', 'aaa'))";
    assert_eq!(
        python.says(&["python3", "-c", modules]).await,
        "ba7816bf bbb"
    );
    let files = "import pathlib; p = pathlib.Path('f.txt'); p.write_text('text'); \
        print(p.resolve(), p.read_text(), sorted(x.name for x in pathlib.Path('/').iterdir())[0])";
    assert_eq!(
        python.says(&["python3", "-c", files]).await,
        "/root/f.txt text bin"
    );
    let base = "import sqlite3; c = sqlite3.connect(':memory:'); \
        print(c.execute('select 40 + 2').fetchone()[0])";
    assert_eq!(python.says(&["python3", "-c", base]).await, "42");
    let command = Command::argv(["python3", "-c", "import os; print(os.environ['WHO'])"]);
    let output = python.sandbox.exec(command.env("WHO", "me")).await.unwrap();
    assert_eq!(output.stdout_lossy(), "me\n", "{output:?}");
}

/// What was initialised ahead is the same for everybody; what is random must not be.
#[tokio::test]
#[ignore = "pulls from a package registry"]
async fn each_python_has_randomness_of_its_own() {
    let python = sandbox("python").await;
    let code = "import random, uuid, secrets, tempfile, os; \
        print(random.random(), uuid.uuid4(), secrets.token_hex(8), tempfile.mktemp(), os.urandom(8).hex())";
    let (one, other) = (
        python.says(&["python3", "-c", code]).await,
        python.says(&["python3", "-c", code]).await,
    );
    for (one, other) in one.split(' ').zip(other.split(' ')) {
        assert_ne!(one, other);
    }
}

#[tokio::test]
#[ignore = "pulls from a package registry"]
async fn javascript_runs_code_files_modules_and_timers() {
    let node = sandbox("javascript").await;
    assert_eq!(
        node.says(&["node", "-e", "console.log(1 + 1, { a: [1, 2] })"])
            .await,
        "2 { a: [ 1, 2 ] }"
    );
    assert_eq!(
        node.says(&["node", "-p", "[1,2].map(x => x * 2)"]).await,
        "[ 2, 4 ]"
    );
    assert_eq!(
        node.hears(&["node", "-"], "console.log('from', 'input')")
            .await,
        "from input"
    );
    let later =
        "setTimeout(() => console.log('b'), 5); (async () => { await null; console.log('a') })()";
    assert_eq!(node.says(&["node", "-e", later]).await, "a\nb");
    node.write("/root/m.mjs", "import fs from 'node:fs'; import { join } from 'path'; \
        fs.writeFileSync('f', 'text'); console.log(fs.readFileSync('f', 'utf8'), join('a', '..', 'b'))").await;
    assert_eq!(node.says(&["node", "m.mjs"]).await, "text b");
    node.write(
        "/root/c.js",
        "console.log(require('os').platform(), process.argv.slice(2), __filename); process.exit(3)",
    )
    .await;
    let script = node.run(&["node", "c.js", "x"]).await;
    assert_eq!(
        script.stdout_lossy(),
        "linux [ 'x' ] /root/c.js\n",
        "{script:?}"
    );
    assert_eq!(script.status, ExitStatus::from_code(3));
    let failed = node
        .run(&["node", "-e", "throw new Error('as a test')"])
        .await;
    assert_eq!(failed.status, ExitStatus::from_code(1));
    assert!(failed.stderr_lossy().contains("as a test"), "{failed:?}");
}
