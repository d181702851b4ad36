//! What one look found.

use sandbox_core::Error;
use serde::Serialize;

use crate::output::{Plain, line_of};

/// Whether something works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// It does.
    Ok,
    /// Less well than it could.
    Warning,
    /// It does not.
    Failed,
}

/// One look.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    /// At what.
    pub(super) name: &'static str,
    /// Whether it works.
    pub(super) status: Status,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
}

impl Check {
    /// It works.
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            found: found.into(),
            fix: None,
        }
    }

    /// It works less well than it could.
    pub(super) fn warning(
        name: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            name,
            status: Status::Warning,
            found: found.into(),
            fix: Some(fix.into()),
        }
    }

    /// It does not work.
    pub(super) fn failed(name: &'static str, error: &Error, fix: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Failed,
            found: line_of(error),
            fix: Some(fix.into()),
        }
    }

    /// It works, or else is a warning with what to do.
    pub(super) fn works(
        name: &'static str,
        works: bool,
        found: [&str; 2],
        fix: impl Into<String>,
    ) -> Self {
        match works {
            true => Self::ok(name, found[0]),
            false => Self::warning(name, found[1], fix),
        }
    }
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// The looks, in order.
    pub(super) checks: Vec<Check>,
}

impl Report {
    /// Whether nothing failed.
    pub(super) fn works(&self) -> bool {
        self.checks
            .iter()
            .all(|check| check.status != Status::Failed)
    }

    /// For a person.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for check in &self.checks {
            let mark = match check.status {
                Status::Ok => "ok  ",
                Status::Warning => "warn",
                Status::Failed => "FAIL",
            };
            lines.push(format!("{mark}  {}: {}", check.name, Plain(&check.found)));
            if let Some(fix) = &check.fix {
                lines.push(format!("      {}", Plain(fix)));
            }
        }
        lines
    }
}
