//! Measures ours and the floor in turn and prints both with their ratio.

use std::io::Write;
use std::time::{Duration, Instant};

/// One printed line of the table.
pub(crate) struct Row {
    what: &'static str,
    ours: Vec<Duration>,
    floor: Vec<Duration>,
    /// The ratio to reach: our median over the floor's.
    aim: f64,
}

/// How many rounds of one side are measured before the other's turn. A daemon still cleans up for a
/// while after a `docker exec`; taking turns after every round would bill that to the next one.
const TURN: usize = 10;

/// Takes turns between two measured things, so that a noisy minute meets both.
pub(crate) async fn race<A, B, FutA, FutB>(
    what: &'static str,
    rounds: usize,
    aim: f64,
    mut ours: A,
    mut floor: B,
) -> Row
where
    A: FnMut(usize) -> FutA,
    B: FnMut(usize) -> FutB,
    FutA: Future<Output = Duration>,
    FutB: Future<Output = Duration>,
{
    let mut row = Row {
        what,
        ours: Vec::new(),
        floor: Vec::new(),
        aim,
    };
    for start in (0..rounds).step_by(TURN) {
        let turn = start..rounds.min(start + TURN);
        for round in turn.clone() {
            row.ours.push(ours(round).await);
        }
        for round in turn {
            row.floor.push(floor(round).await);
        }
    }
    row
}

/// How long `work` takes.
pub(crate) async fn timed<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let start = Instant::now();
    let value = work.await;
    (start.elapsed(), value)
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent / 100).min(sorted.len() - 1);
    sorted[index].as_secs_f64() * 1000.0
}

impl Row {
    fn print(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        self.ours.sort_unstable();
        self.floor.sort_unstable();
        let (ours, floor) = (percentile(&self.ours, 50), percentile(&self.floor, 50));
        let ratio = ours / floor;
        let verdict = if ratio <= self.aim { "met" } else { "MISSED" };
        writeln!(
            out,
            "| {:<44} | {ours:>9.2} | {:>9.2} | {floor:>9.2} | {ratio:>7.3} | {:>5.3} | {verdict} |",
            self.what,
            percentile(&self.ours, 99),
            self.aim,
        )
    }
}

/// Prints the table.
pub(crate) fn print(rows: &mut [Row], out: &mut impl Write) -> std::io::Result<()> {
    writeln!(
        out,
        "| {:<44} | {:>9} | {:>9} | {:>9} | {:>7} | {:>5} | |",
        "what (milliseconds)", "p50", "p99", "floor p50", "ratio", "aim"
    )?;
    writeln!(out, "|---|---:|---:|---:|---:|---:|---|")?;
    rows.iter_mut().try_for_each(|row| row.print(out))
}
