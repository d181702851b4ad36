//! What became of the cases.

use std::fmt;

use super::Need;

/// How a case ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The runtime was driven and behaved.
    Driven,
    /// The runtime does not report this, and refused it as it must.
    Refused(Vec<Need>),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Driven => f.write_str("driven"),
            Self::Refused(needs) => write!(f, "refused as unsupported: {needs:?}"),
        }
    }
}

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The case, `group::name`.
    pub case: String,
    /// How it ended, or why it failed.
    pub outcome: Result<Outcome, String>,
}

/// What became of many cases; [`Display`](fmt::Display) counts them in one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Every case, in the order they ran.
    pub reports: Vec<Report>,
}

impl Summary {
    /// How many cases drove the runtime.
    pub fn ran(&self) -> usize {
        self.count(|outcome| matches!(outcome, Ok(Outcome::Driven)))
    }

    /// How many cases the runtime refused, as it must, because it does not report what they need.
    pub fn refused(&self) -> usize {
        self.count(|outcome| matches!(outcome, Ok(Outcome::Refused(_))))
    }

    /// How many cases failed.
    pub fn failed(&self) -> usize {
        self.count(Result::is_err)
    }

    fn count(&self, wanted: impl Fn(&Result<Outcome, String>) -> bool) -> usize {
        let wanted = |report: &&Report| wanted(&report.outcome);
        self.reports.iter().filter(wanted).count()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ran, refused, failed) = (self.ran(), self.refused(), self.failed());
        let all = self.reports.len();
        write!(
            f,
            "{all} cases: {ran} driven, {refused} refused as unsupported"
        )?;
        if failed > 0 {
            write!(f, ", {failed} failed")?;
        }
        Ok(())
    }
}
