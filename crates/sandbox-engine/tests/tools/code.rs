//! Code by language.

use std::time::Duration;

use sandbox_core::{ErrorKind, ExecOutput, Exit};
use sandbox_engine::tools::code::{CodeRequest, Language, MAX_CODE_BYTES, run_code};

use crate::local::LocalSandbox;

async fn run(sandbox: &LocalSandbox, language: Language, code: &str) -> ExecOutput {
    let request = CodeRequest::new(language, code);
    run_code(sandbox, &request).await.unwrap()
}

/// Directories that tools left in `/tmp` with this text in a file of theirs.
fn left_behind(text: &str) -> String {
    let found = std::process::Command::new("sh")
        .args([
            "-c",
            "grep -rlF -e \"$1\" /tmp/.sandbox-tool-* 2>/dev/null",
            "sh",
            text,
        ])
        .output()
        .unwrap();
    String::from_utf8(found.stdout).unwrap()
}

#[tokio::test]
async fn python_runs_with_arguments_variables_and_the_modules_beside_it() {
    let sandbox = LocalSandbox::new();
    std::fs::write(sandbox.root().join("helper.py"), "VALUE = 41\n").unwrap();
    let mut request = CodeRequest::new(
        Language::Python,
        "import helper, os, sys\nprint(helper.VALUE + 1, sys.argv[1:], os.environ['X'], __name__)\n\
         sys.stderr.write('oops')\nsys.exit(3)",
    );
    request.arguments = vec!["-x".into(), "a b".into()];
    request.env.insert("X".into(), "y".into());
    let output = run_code(&sandbox, &request).await.unwrap();
    assert_eq!(output.stdout_lossy(), "42 ['-x', 'a b'] y __main__\n");
    assert_eq!(output.stderr_lossy(), "oops");
    assert_eq!(output.status.exit, Exit::Code(3));
}

#[tokio::test]
async fn python_also_finds_modules_where_the_caller_says() {
    let sandbox = LocalSandbox::new();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("theirs.py"), "VALUE = 1\n").unwrap();
    std::fs::write(sandbox.root().join("mine.py"), "VALUE = 2\n").unwrap();
    let code = "import mine, theirs\nprint(mine.VALUE + theirs.VALUE)";
    let mut request = CodeRequest::new(Language::Python, code);
    let path = elsewhere.path().to_str().unwrap();
    request.env.insert("PYTHONPATH".into(), path.into());
    let output = run_code(&sandbox, &request).await.unwrap();
    assert_eq!(output.stdout_lossy(), "3\n", "{}", output.stderr_lossy());
}

#[tokio::test]
async fn python_tracebacks_show_the_line() {
    let sandbox = LocalSandbox::new();
    let output = run(
        &sandbox,
        Language::Python,
        "def f():\n    return 1 // 0\nf()\n",
    )
    .await;
    assert!(
        output.stderr_lossy().contains("return 1 // 0"),
        "{}",
        output.stderr_lossy()
    );
    assert_eq!(output.status.exit, Exit::Code(1));
}

#[tokio::test]
async fn javascript_runs_and_requires_what_is_beside_it() {
    let sandbox = LocalSandbox::new();
    std::fs::write(sandbox.root().join("helper.js"), "exports.value = 41;").unwrap();
    let code = "const h = require('./helper');\nconsole.log(h.value + 1);";
    let output = run(&sandbox, Language::JavaScript, code).await;
    assert_eq!(output.stdout_lossy(), "42\n", "{}", output.stderr_lossy());
    let module =
        "import fs from 'node:fs';\nconsole.log(await Promise.resolve(typeof fs.readFileSync));";
    let output = run(&sandbox, Language::JavaScriptModule, module).await;
    assert_eq!(
        output.stdout_lossy(),
        "function\n",
        "{}",
        output.stderr_lossy()
    );
}

#[tokio::test]
async fn a_shell_script_does_not_lose_its_rest_to_what_reads_standard_input() {
    let sandbox = LocalSandbox::new();
    for language in [Language::Bash, Language::Sh] {
        let output = run(
            &sandbox,
            language,
            "cat\necho \"after $0\" | sed 's/ .*//'\n",
        )
        .await;
        assert_eq!(output.stdout_lossy(), "after\n");
    }
}

#[tokio::test]
async fn the_file_is_private_and_gone_afterwards() {
    let sandbox = LocalSandbox::new();
    let code = "# marker-5f2c91\nstat -c %a \"$0\" \"$(dirname \"$0\")\"";
    let output = run(&sandbox, Language::Sh, code).await;
    assert_eq!(output.stdout_lossy(), "600\n700\n");
    assert_eq!(left_behind("marker-5f2c91"), "");
}

#[tokio::test]
async fn a_time_limit_ends_the_code_and_removes_the_file() {
    let sandbox = LocalSandbox::new();
    let mut request = CodeRequest::new(Language::Sh, "# marker-77aa01\necho begun\nsleep 600");
    request.timeout = Some(Duration::from_millis(300));
    let output = run_code(&sandbox, &request).await.unwrap();
    assert!(output.status.timed_out());
    assert_eq!(output.stdout_lossy(), "begun\n");
    assert_eq!(left_behind("marker-77aa01"), "");
}

#[tokio::test]
async fn a_missing_interpreter_is_named_with_what_to_install() {
    let sandbox = LocalSandbox::with_path("/nonexistent");
    for (language, program) in [
        (Language::Python, "python3"),
        (Language::JavaScript, "node"),
        (Language::Go, "go"),
    ] {
        let request = CodeRequest::new(language, "marker-00c0de");
        let error = run_code(&sandbox, &request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.field(), Some("language"));
        assert!(
            error.message().contains(program) && error.message().contains("install"),
            "{error}"
        );
    }
    assert_eq!(left_behind("marker-00c0de"), "");
}

#[tokio::test]
async fn code_over_the_limit_is_refused() {
    let sandbox = LocalSandbox::new();
    let request = CodeRequest::new(Language::Python, "#".repeat(MAX_CODE_BYTES + 1));
    let error = run_code(&sandbox, &request).await.unwrap_err();
    assert_eq!(error.field(), Some("code"));
}
