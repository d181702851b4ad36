//! The table that is printed.

use std::io::Write;

/// Rows as they are measured, and what else there is to say.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<String>,
    notes: Vec<String>,
}

impl Table {
    /// A row about times in microseconds, the most that the median should be, and the floor's.
    pub(crate) fn row(&mut self, name: &str, times: &[f64], aim: f64, floor: Option<&[f64]>) {
        let (p50, p99) = (median(times), percentile(times, 0.99));
        let floor = floor.map_or_else(
            || "".into(),
            |floor| {
                let floor = median(floor);
                format!("{floor:.1} ({:.1}×)", p50 / floor)
            },
        );
        let met = if p50 <= aim { "yes" } else { "no" };
        let row = format!("| {name} | {p50:.1} | {p99:.1} | {floor} | {aim:.1} | {met} |");
        self.progress(&row);
        self.rows.push(row);
    }

    /// A line under the table.
    pub(crate) fn note(&mut self, note: String) {
        self.progress(&note);
        self.notes.push(note);
    }

    fn progress(&self, line: &str) {
        let _shown = writeln!(std::io::stderr(), "{line}");
    }

    pub(crate) fn print(&self) {
        let mut out = std::io::stdout().lock();
        let mut line = |line: &str| {
            let _shown = writeln!(out, "{line}");
        };
        line("\nMicroseconds.\n");
        line("| what | p50 | p99 | floor | aim | met |\n|---|---:|---:|---:|---:|---|");
        for row in &self.rows {
            line(row);
        }
        line("");
        for note in &self.notes {
            line(note);
        }
    }
}

pub(crate) fn median(times: &[f64]) -> f64 {
    percentile(times, 0.5)
}

pub(crate) fn percentile(times: &[f64], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let index = (sorted.len() as f64 * share) as usize;
    sorted
        .get(index.min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}
