//! Running cases.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::FutureExt;
use sandbox_core::Result;

use super::trial::Trial;
use super::{Harness, Need, Outcome, Report, Summary};

pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// One case of the suite.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What it is about.
    pub group: &'static str,
    /// The behaviour it holds a runtime to.
    pub name: &'static str,
    /// What it needs the runtime to report.
    pub needs: &'static [Need],
    pub(super) run: for<'a> fn(&'a Trial) -> Running<'a>,
}

/// How much longer than its harness's patience a whole case may take.
const CASE_PATIENCE: u32 = 6;

impl Case {
    /// Runs the case: drives the runtime, or asserts that it refuses what it does not report.
    ///
    /// # Errors
    /// Why it failed. Whatever it made has been destroyed.
    pub async fn run(&self, harness: Arc<dyn Harness>) -> Result<Outcome, String> {
        let limit = harness.patience() * CASE_PATIENCE;
        let trial = match AssertUnwindSafe(Trial::new(harness)).catch_unwind().await {
            Ok(trial) => trial,
            Err(panic) => return Err(message(panic.as_ref())),
        };
        let work = tokio::time::timeout(limit, self.work(&trial));
        let outcome = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(Ok(outcome))) => Ok(outcome),
            Ok(Ok(Err(error))) => Err(format!("{error} ({error:?})")),
            Ok(Err(_)) => Err(format!("took longer than {limit:?}")),
            Err(panic) => Err(message(panic.as_ref())),
        };
        let cleaned = AssertUnwindSafe(trial.clean_up()).catch_unwind().await;
        let cleaned = match cleaned {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(format!("cleaning up: {error} ({error:?})")),
            Err(panic) => Err(format!("cleaning up: {}", message(panic.as_ref()))),
        };
        outcome.and_then(|outcome| cleaned.map(|()| outcome))
    }

    async fn work(&self, trial: &Trial) -> Result<Outcome> {
        let missing: Vec<Need> = self
            .needs
            .iter()
            .copied()
            .filter(|need| !need.is_reported(trial.can()))
            .collect();
        for need in &missing {
            need.assert_refused(trial).await?;
        }
        if missing.is_empty() {
            (self.run)(trial).await?;
            return Ok(Outcome::Driven);
        }
        Ok(Outcome::Refused(missing))
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panicked").to_owned()
}

/// Runs every case of [`cases`](super::cases) in order, one after the other.
pub async fn run_all(harness: Arc<dyn Harness>) -> Summary {
    let mut summary = Summary::default();
    for case in super::cases() {
        let outcome = case.run(Arc::clone(&harness)).await;
        let case = format!("{}::{}", case.group, case.name);
        summary.reports.push(Report { case, outcome });
    }
    summary
}

/// Runs one case by name in a multi-threaded Tokio runtime of its own: what a test that
/// [`conformance!`](crate::conformance!) makes does.
///
/// # Panics
/// When the case fails.
#[doc(hidden)]
pub fn test<H: Harness + 'static>(
    module: &str,
    group: &str,
    name: &str,
    harness: impl FnOnce() -> H,
) {
    let case = super::cases()
        .iter()
        .find(|case| case.group == group && case.name == name)
        .unwrap_or_else(|| panic!("there is no case {group}::{name}"));
    // Before any other thread: a harness may move this one to another network, and those that it
    // starts are there then.
    let harness = Arc::new(harness());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("no Tokio runtime: {error}"));
    let outcome = runtime.block_on(case.run(harness));
    runtime.shutdown_background();
    // The module of the test is the suite's, and the group's below it.
    let suite = module.rsplit_once("::").map_or(module, |(suite, _)| suite);
    super::log::note(suite, &format!("{group}::{name}"), &outcome);
    match outcome {
        Ok(outcome) => {
            use std::io::Write;
            // Captured by the test runner's own rules; a closed output is no failure of the case.
            let _ = writeln!(std::io::stdout(), "conformance {group}::{name}: {outcome}");
        }
        Err(why) => panic!("{group}::{name}: {why}"),
    }
}
