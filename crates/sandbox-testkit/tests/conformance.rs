//! The fake passes the whole suite, and refuses all of it that it is told it cannot do.

use std::sync::Arc;

use sandbox_core::Capabilities;
use sandbox_testkit::conformance::{FakeHarness, cases, run_all};
use sandbox_testkit::{FakeDaemon, everything};

mod fake {
    sandbox_testkit::conformance!(sandbox_testkit::conformance::FakeHarness::default());
}

/// As little as any sandbox can have, limits aside: those have no default that asks for none.
fn little() -> Capabilities {
    let mut little = Capabilities::default();
    little.limits = everything().limits;
    little.limits.disk = false;
    little
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_runtime_does_not_report_it_must_refuse() {
    let harness = FakeHarness::new(FakeDaemon::with_capabilities(little()));
    let daemon = harness.daemon().clone();
    let summary = run_all(Arc::new(harness)).await;
    let failed: Vec<_> = summary
        .reports
        .iter()
        .filter(|r| r.outcome.is_err())
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let expected = cases()
        .iter()
        .filter(|case| case.needs.iter().any(|need| !need.is_reported(&little())))
        .count();
    assert_eq!(summary.refused(), expected);
    assert_eq!(summary.ran(), cases().len() - expected);
    assert!(daemon.sandboxes().is_empty());
    let line = summary.to_string();
    let expected = format!(
        "{} cases: {} driven, {expected} refused as unsupported",
        cases().len(),
        cases().len() - expected
    );
    assert_eq!(line, expected);
}

#[test]
fn the_suite_is_as_large_as_it_says() {
    assert!(cases().len() >= 120, "{}", cases().len());
    let mut names: Vec<_> = cases().iter().map(|case| (case.group, case.name)).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases().len(), "a name is used twice");
}
