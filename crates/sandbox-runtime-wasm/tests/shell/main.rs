//! The shell of Wasm sandboxes beside dash and bash: the same lines must give the same output and status.
//!
//! `cases/` has the lines, one case a paragraph. What they should give is asked of the host's shells each time, so
//! nobody's memory of a shell is the measure; a host without them fails these tests.

mod cases;
mod reference;
mod sandboxed;

use cases::Case;
use sandboxed::Sandboxed;

/// Where the files of cases are, from the package.
const CASES: &str = "tests/shell/cases";

/// What a case gave: standard output and status.
type Outcome = (String, i32);

/// Runs all cases of a subject in both shells, and shows each difference.
async fn compare(shell: &str, subject: &str) {
    let sandboxed = Sandboxed::new();
    let cases = cases::read(subject);
    let mut differences = String::new();
    for Case { text, .. } in &cases {
        let expected = reference::run(shell, text);
        let (outcome, errors) = sandboxed.run(shell, text).await;
        if outcome != expected {
            differences +=
                &format!("\n{text}\n  {shell}: {expected:?}\n  here: {outcome:?} {errors:?}\n");
        }
    }
    assert!(
        differences.is_empty(),
        "{subject}, {} cases:{differences}",
        cases.len()
    );
}

macro_rules! subjects {
    ($($shell:ident: $($subject:ident)*;)*) => {
        $($(#[tokio::test]
        async fn $subject() {
            compare(stringify!($shell), stringify!($subject)).await;
        })*)*

        #[test]
        fn every_file_of_cases_is_compared() {
            let known = [$($(stringify!($subject)),*),*, "differences"];
            for subject in cases::subjects() {
                assert!(known.contains(&subject.as_str()), "{subject}");
            }
        }
    };
}

subjects! {
    dash: arithmetic background builtins control errexit globs parameters pipelines redirections syntax traps words;
    bash: bash;
}

/// What is meant to differ from dash does: else it belongs to the other cases.
#[tokio::test]
async fn known_differences_are_still_there_and_have_reasons() {
    let sandboxed = Sandboxed::new();
    for Case { text, reason } in cases::read("differences") {
        assert!(!reason.is_empty(), "no reason: {text}");
        let (outcome, _) = sandboxed.run("sh", &text).await;
        assert_ne!(outcome, reference::run("dash", &text), "{text}");
    }
}
