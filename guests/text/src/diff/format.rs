use std::ops::Range;

use sandbox_applet::{Failure, Out};
use similar::DiffOp;

use super::Side;
use super::options::Options;
use sandbox_applet::time;

/// Two files and their lines.
pub struct Pair<'a> {
    pub from: &'a Side,
    pub to: &'a Side,
    pub old: &'a [&'a [u8]],
    pub new: &'a [&'a [u8]],
    pub options: &'a Options,
}

/// A line after its mark.
fn line(mark: &str, text: &[u8], out: &mut Out) -> Result<(), Failure> {
    out.put(mark)?;
    out.put(text)?;
    if text.ends_with(b"\n") {
        Ok(())
    } else {
        out.put("\n\\ No newline at end of file\n")
    }
}

/// `3` or `3,5`, from 1; of no lines, the one before.
fn numbers(range: &Range<usize>) -> String {
    match range.len() {
        0 => range.start.to_string(),
        1 => (range.start + 1).to_string(),
        _ => format!("{},{}", range.start + 1, range.end),
    }
}

/// The output without options.
pub fn normal(pair: &Pair<'_>, ops: &[DiffOp], out: &mut Out) -> Result<(), Failure> {
    for op in ops {
        let (old, new) = (op.old_range(), op.new_range());
        let letter = match op {
            DiffOp::Equal { .. } => continue,
            DiffOp::Delete { .. } => 'd',
            DiffOp::Insert { .. } => 'a',
            DiffOp::Replace { .. } => 'c',
        };
        out.line(format!("{}{letter}{}", numbers(&old), numbers(&new)))?;
        for text in &pair.old[old] {
            line("< ", text, out)?;
        }
        if letter == 'c' {
            out.line("---")?;
        }
        for text in &pair.new[new] {
            line("> ", text, out)?;
        }
    }
    Ok(())
}

/// The name of a side and its time, or its label.
fn title(pair: &Pair<'_>, side: usize) -> String {
    if let Some(label) = pair.options.labels.get(side) {
        return label.clone();
    }
    let side = if side == 0 { pair.from } else { pair.to };
    let time = time::Civil::new(side.stat.map_or(0, |stat| stat.mtime_ns)).full();
    format!("{}\t{time}", side.path)
}

fn span(ops: &[DiffOp]) -> (Range<usize>, Range<usize>) {
    let first = ops
        .first()
        .map_or((0, 0), |op| (op.old_range().start, op.new_range().start));
    let last = ops
        .last()
        .map_or((0, 0), |op| (op.old_range().end, op.new_range().end));
    (first.0..last.0, first.1..last.1)
}

/// `-u`
pub fn unified(pair: &Pair<'_>, ops: Vec<DiffOp>, out: &mut Out) -> Result<(), Failure> {
    out.line(format!("--- {}", title(pair, 0)))?;
    out.line(format!("+++ {}", title(pair, 1)))?;
    let numbers = |range: &Range<usize>| match range.len() {
        1 => (range.start + 1).to_string(),
        0 => format!("{},0", range.start),
        length => format!("{},{length}", range.start + 1),
    };
    for group in similar::group_diff_ops(ops, pair.options.context) {
        let (old, new) = span(&group);
        out.line(format!("@@ -{} +{} @@", numbers(&old), numbers(&new)))?;
        for op in group {
            if let DiffOp::Equal { .. } = op {
                for text in &pair.old[op.old_range()] {
                    line(" ", text, out)?;
                }
                continue;
            }
            for text in &pair.old[op.old_range()] {
                line("-", text, out)?;
            }
            for text in &pair.new[op.new_range()] {
                line("+", text, out)?;
            }
        }
    }
    Ok(())
}

/// `-c`
pub fn context(pair: &Pair<'_>, ops: Vec<DiffOp>, out: &mut Out) -> Result<(), Failure> {
    out.line(format!("*** {}", title(pair, 0)))?;
    out.line(format!("--- {}", title(pair, 1)))?;
    for group in similar::group_diff_ops(ops, pair.options.context) {
        let (old, new) = span(&group);
        out.line("***************")?;
        out.line(format!("*** {} ****", numbers(&old)))?;
        if group
            .iter()
            .any(|op| matches!(op, DiffOp::Delete { .. } | DiffOp::Replace { .. }))
        {
            for op in &group {
                let mark = match op {
                    DiffOp::Equal { .. } => "  ",
                    DiffOp::Replace { .. } => "! ",
                    _ => "- ",
                };
                for text in &pair.old[op.old_range()] {
                    line(mark, text, out)?;
                }
            }
        }
        out.line(format!("--- {} ----", numbers(&new)))?;
        if group
            .iter()
            .any(|op| matches!(op, DiffOp::Insert { .. } | DiffOp::Replace { .. }))
        {
            for op in &group {
                let mark = match op {
                    DiffOp::Equal { .. } => "  ",
                    DiffOp::Replace { .. } => "! ",
                    _ => "+ ",
                };
                for text in &pair.new[op.new_range()] {
                    line(mark, text, out)?;
                }
            }
        }
    }
    Ok(())
}
