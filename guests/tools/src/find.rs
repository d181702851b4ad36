//! `find`.

mod actions;
mod parse;
mod printf;
mod tests;

use std::io::Write as _;

use sandbox_applet::{Args, Entry, Failure, Out, Outcome, cwd, entries, reason, text, warn};
use sandbox_guest::files::{self, kind};

use parse::{Expression, Settings};

/// One file that the expression is asked about.
pub struct Subject<'a> {
    pub entry: &'a Entry,
    /// 0 for what the command line names.
    pub depth: usize,
    /// The part of the path that the command line names.
    pub start: &'a str,
}

/// What goes on outside the expression.
pub struct State {
    pub settings: Settings,
    pub out: Out,
    pub failed: u8,
    /// Nothing more is to be looked at.
    pub quit: bool,
    /// The directory at hand is not entered.
    pub prune: bool,
    /// Paths collected for `-exec … +`, by its number.
    pub batches: Vec<actions::Batch>,
    /// When the search began, nanoseconds since 1970.
    pub now_ns: u64,
}

impl State {
    pub fn report(&mut self, message: impl std::fmt::Display) {
        let _ = self.out.flush();
        warn("find", message);
        self.failed = 1;
    }
}

/// Walks directories and evaluates the expression for all in them.
pub fn run(mut args: Args) -> Outcome {
    let words = args.rest(None)?;
    let words = words
        .iter()
        .map(|word| text(word))
        .collect::<Result<Vec<_>, Failure>>()?;
    let parsed = parse::parse(&words)?;
    let mut state = State {
        settings: parsed.settings,
        out: Out::new(),
        failed: 0,
        quit: false,
        prune: false,
        batches: parsed.batches,
        now_ns: u64::try_from(sandbox_applet::time::now()).unwrap_or(0) * 1_000_000_000,
    };
    for start in parsed.starts {
        let follow = state.settings.follow || state.settings.follow_starts;
        match look(&start, follow) {
            Ok(stat) => {
                let entry = Entry {
                    name: crate::files::target::last_part(&start).to_owned(),
                    path: start.clone(),
                    stat,
                };
                visit(&entry, 0, &start, &parsed.expression, &mut state)?;
            }
            Err(error) => state.report(format_args!("'{start}': {}", reason(&error))),
        }
        if state.quit {
            break;
        }
    }
    actions::finish(&mut state)?;
    state.out.finish()?;
    Ok(state.failed)
}

fn look(path: &str, follow: bool) -> std::io::Result<files::Stat> {
    let here = cwd();
    match files::stat(&here, path, follow) {
        // A link that points nowhere is still a link.
        Err(_) if follow => files::stat(&here, path, false),
        found => found,
    }
}

fn visit(
    entry: &Entry,
    depth: usize,
    start: &str,
    expression: &Expression,
    state: &mut State,
) -> Result<(), Failure> {
    let subject = Subject {
        entry,
        depth,
        start,
    };
    let wanted = depth >= state.settings.min_depth;
    let before = wanted && !state.settings.contents_first;
    state.prune = false;
    if before {
        tests::evaluate(expression, &subject, state)?;
    }
    let pruned = state.prune;
    let deeper = state.settings.max_depth.is_none_or(|most| depth < most);
    if entry.stat.is_dir() && deeper && !pruned && !state.quit {
        below(entry, depth, start, expression, state)?;
    }
    if wanted && !before && !state.quit {
        tests::evaluate(expression, &subject, state)?;
    }
    Ok(())
}

fn below(
    entry: &Entry,
    depth: usize,
    start: &str,
    expression: &Expression,
    state: &mut State,
) -> Result<(), Failure> {
    let found = match entries(&entry.path) {
        Ok(found) => found,
        Err(error) => {
            state.report(format_args!("'{}': {}", entry.path, reason(&error)));
            return Ok(());
        }
    };
    for mut inner in found {
        if state.settings.follow && inner.stat.kind() == kind::SYMLINK {
            inner.stat = look(&inner.path, true).unwrap_or(inner.stat);
            // A link to a directory above would be followed for ever.
            if inner.stat.is_dir() && crate::files::copy::within(&inner.path, &entry.path) {
                state.report(format_args!(
                    "File system loop detected; '{}' is a directory above itself",
                    inner.path
                ));
                continue;
            }
        }
        visit(&inner, depth + 1, start, expression, state)?;
        if state.quit {
            break;
        }
    }
    Ok(())
}
