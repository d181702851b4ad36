//! What many test processes did, in one file.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use super::{Outcome, Report, Summary};

/// The variable that names the file to which every conformance test adds a line.
///
/// Test runners start a process for each test, so nobody but a file sees them all. Remove it
/// before a run, and read it with [`Summary::from_log`] after.
pub const LOG_VARIABLE: &str = "SANDBOX_CONFORMANCE_LOG";

const DRIVEN: &str = "driven";
const REFUSED: &str = "refused";
const FAILED: &str = "failed";

/// Adds a line to the log, if there is one.
///
/// # Panics
/// When the log cannot be written: a count that misses cases would be wrong.
pub(super) fn note(suite: &str, case: &str, outcome: &Result<Outcome, String>) {
    let Some(path) = std::env::var_os(LOG_VARIABLE) else {
        return;
    };
    let line = line(suite, case, outcome);
    if let Err(error) = append(Path::new(&path), &line) {
        panic!("{LOG_VARIABLE}: {}: {error}", path.display());
    }
}

/// One line in one write, so that lines of several processes do not mix.
fn append(path: &Path, line: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.append(true).create(true).open(path)?;
    file.write_all(line.as_bytes())
}

fn line(suite: &str, case: &str, outcome: &Result<Outcome, String>) -> String {
    let (word, detail) = match outcome {
        Ok(Outcome::Driven) => (DRIVEN, String::new()),
        Ok(Outcome::Refused(needs)) => {
            let needs: Vec<&str> = needs.iter().map(|need| need.name()).collect();
            (REFUSED, needs.join(" "))
        }
        Err(why) => (FAILED, why.replace(['\n', '\t'], " ")),
    };
    format!("{suite}\t{case}\t{word}\t{detail}\n")
}

impl Summary {
    /// The summaries in the text of a log, by suite: the path of the module in which
    /// [`conformance!`](crate::conformance!) stands. Lines that are none of a log are left out.
    pub fn from_log(text: &str) -> BTreeMap<String, Self> {
        let mut suites = BTreeMap::<String, Self>::new();
        for line in text.lines() {
            let mut columns = line.splitn(4, '\t');
            let (Some(suite), Some(case), Some(word), Some(detail)) = (
                columns.next(),
                columns.next(),
                columns.next(),
                columns.next(),
            ) else {
                continue;
            };
            let outcome = match word {
                DRIVEN => Ok(Outcome::Driven),
                REFUSED => Ok(Outcome::Refused(
                    detail.split(' ').filter_map(super::Need::named).collect(),
                )),
                FAILED => Err(detail.to_owned()),
                _ => continue,
            };
            let case = case.to_owned();
            let summary = suites.entry(suite.to_owned()).or_default();
            summary.reports.push(Report { case, outcome });
        }
        suites
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::Need;

    #[test]
    fn a_log_says_what_was_noted() {
        let outcomes = [
            Ok(Outcome::Driven),
            Ok(Outcome::Refused(vec![Need::Pty, Need::AllowAll])),
            Err("left\n\tright".to_owned()),
        ];
        let text: String = outcomes
            .iter()
            .enumerate()
            .map(|(number, outcome)| line("mine", &format!("group::{number}"), outcome))
            .collect();
        let suites = Summary::from_log(&format!("{text}half a line"));
        let mine = &suites["mine"];
        assert_eq!(
            mine.to_string(),
            "3 cases: 1 driven, 1 refused as unsupported, 1 failed"
        );
        assert_eq!(mine.reports[1].outcome, outcomes[1]);
        assert_eq!(mine.reports[2].outcome, Err("left  right".to_owned()));
    }
}
