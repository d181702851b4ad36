//! The programs of Wasm sandboxes beside those of a Debian host: the same lines must give the same output and status.
//!
//! `cases/` has the lines, one case a paragraph. What they should give is asked of the host each time: its dash,
//! coreutils, findutils, grep, sed, awk, diffutils, tar, gzip, jq and xxd. A host without them fails these tests.

#[path = "../shell/cases.rs"]
mod cases;
#[path = "../shell/reference.rs"]
mod reference;
#[path = "../shell/sandboxed.rs"]
mod sandboxed;

use cases::Case;
use sandboxed::Sandboxed;

/// Where the files of cases are, from the package.
const CASES: &str = "tests/userland/cases";

/// What a case gave: standard output and status.
type Outcome = (String, i32);

/// Runs all cases of a subject in a sandbox and on the host, and shows each difference.
async fn compare(subject: &str) {
    let sandboxed = Sandboxed::new();
    let cases = cases::read(subject);
    let mut differences = String::new();
    for Case { text, .. } in &cases {
        let expected = reference::run("dash", text);
        let (outcome, errors) = sandboxed.run("sh", text).await;
        if outcome != expected {
            differences += &format!(
                "\n{text}\n--- host: {}\n{}--- here: {}\n{}--- errors here:\n{errors}",
                expected.1, expected.0, outcome.1, outcome.0
            );
        }
    }
    assert!(
        differences.is_empty(),
        "{subject}, {} cases:{differences}",
        cases.len()
    );
}

macro_rules! subjects {
    ($($subject:ident)*) => {
        $(#[tokio::test]
        async fn $subject() {
            compare(stringify!($subject)).await;
        })*

        #[test]
        fn every_file_of_cases_is_compared() {
            let known = [$(stringify!($subject)),*, "differences"];
            for subject in cases::subjects() {
                assert!(known.contains(&subject.as_str()), "{subject}");
            }
        }
    };
}

subjects! { awk compare_and_pack data files processes search }

/// What is meant to differ does: else it belongs to the other cases.
#[tokio::test]
async fn known_differences_are_still_there_and_have_reasons() {
    let sandboxed = Sandboxed::new();
    for Case { text, reason } in cases::read("differences") {
        assert!(!reason.is_empty(), "no reason: {text}");
        let (outcome, _) = sandboxed.run("sh", &text).await;
        assert_ne!(outcome, reference::run("dash", &text), "{text}");
    }
}
