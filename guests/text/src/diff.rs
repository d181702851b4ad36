//! `diff` and `cmp`.

mod cmp;
mod format;
mod options;
mod tree;

use std::borrow::Cow;
use std::io::Read as _;
use std::path::Path;

use sandbox_applet::{Args, Failure, Out, Outcome, cwd, join, open, reason, warn};
use sandbox_guest::files::{self, Stat};
use similar::{Algorithm, DiffOp};

pub use cmp::run as cmp;
use options::{Layout, Options};

/// Shows how files differ: 0 not at all, 1 somehow, 2 trouble.
pub fn run(mut args: Args) -> Outcome {
    let name = args.name();
    let trouble = |failure: Failure| failure.with_code(2);
    let (options, from, to) = Options::parse(&mut args).map_err(trouble)?;
    let mut differ = Differ {
        options: &options,
        out: Out::new(),
        name,
        differs: false,
        failed: false,
        in_tree: false,
    };
    differ.pair(&from, &to).map_err(trouble)?;
    differ.out.finish().map_err(trouble)?;
    Ok(match (differ.failed, differ.differs) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    })
}

struct Differ<'a> {
    options: &'a Options,
    out: Out,
    name: &'static str,
    differs: bool,
    failed: bool,
    /// What is compared was found in directories, not named.
    in_tree: bool,
}

/// One of the two files.
struct Side {
    path: String,
    stat: Option<Stat>,
    content: Vec<u8>,
}

impl Differ<'_> {
    /// Compares what the command line names: a file is compared with the one of its name in a directory.
    fn pair(&mut self, from: &str, to: &str) -> Result<(), Failure> {
        let is_dir = |path: &str| {
            path != "-" && files::stat(&cwd(), path, true).is_ok_and(|stat| stat.is_dir())
        };
        let inside = |dir: &str, file: &str| {
            let name = Path::new(file).file_name().unwrap_or_default();
            join(dir, &name.to_string_lossy())
        };
        match (is_dir(from), is_dir(to)) {
            (true, true) => {
                self.in_tree = true;
                self.directories(from, to)
            }
            (true, false) => self.files(&inside(from, to), to),
            (false, true) => self.files(from, &inside(to, from)),
            (false, false) => self.files(from, to),
        }
    }

    fn read(&mut self, path: &str) -> Option<Side> {
        let stat = if path == "-" {
            files::fstat(0)
        } else {
            files::stat(&cwd(), path, true)
        };
        let mut content = Vec::new();
        let read = open(path.as_ref()).and_then(|mut input| input.read_to_end(&mut content));
        match read {
            Ok(_) => Some(Side {
                path: path.to_owned(),
                stat: stat.ok(),
                content,
            }),
            Err(error) if self.options.new_file && error.kind() == std::io::ErrorKind::NotFound => {
                Some(Side {
                    path: path.to_owned(),
                    stat: None,
                    content,
                })
            }
            Err(error) => {
                warn(self.name, format_args!("{path}: {}", reason(&error)));
                self.failed = true;
                None
            }
        }
    }

    /// Compares two files.
    fn files(&mut self, from: &str, to: &str) -> Result<(), Failure> {
        let (from, to) = (self.read(from), self.read(to));
        let Some((from, to)) = from.zip(to) else {
            return Ok(());
        };
        if from.content == to.content {
            return self.same(&from, &to);
        }
        let binary = |side: &Side| side.content[..side.content.len().min(32 << 10)].contains(&0);
        if !self.options.text && (binary(&from) || binary(&to)) {
            self.differs = true;
            let kind = if self.options.brief {
                ""
            } else {
                "Binary files"
            };
            let kind = if kind.is_empty() { "Files" } else { kind };
            return self
                .out
                .line(format!("{kind} {} and {} differ", from.path, to.path));
        }
        let (old, new) = (lines(&from.content), lines(&to.content));
        let ops = self.compare(&old, &new);
        if ops.iter().all(|op| matches!(op, DiffOp::Equal { .. })) {
            return self.same(&from, &to);
        }
        self.differs = true;
        if self.options.brief {
            return self
                .out
                .line(format!("Files {} and {} differ", from.path, to.path));
        }
        if self.in_tree {
            self.out.line(format!(
                "diff{} {} {}",
                self.options.shown, from.path, to.path
            ))?;
        }
        let pair = format::Pair {
            from: &from,
            to: &to,
            old: &old,
            new: &new,
            options: self.options,
        };
        match self.options.layout {
            Layout::Normal => format::normal(&pair, &ops, &mut self.out),
            Layout::Unified => format::unified(&pair, ops, &mut self.out),
            Layout::Context => format::context(&pair, ops, &mut self.out),
        }
    }

    fn same(&mut self, from: &Side, to: &Side) -> Result<(), Failure> {
        if self.options.report_same {
            self.out
                .line(format!("Files {} and {} are identical", from.path, to.path))?;
        }
        Ok(())
    }

    fn compare(&self, old: &[&[u8]], new: &[&[u8]]) -> Vec<DiffOp> {
        let options = self.options;
        let ops = if options.folds() {
            let fold = |lines: &[&[u8]]| -> Vec<Vec<u8>> {
                lines
                    .iter()
                    .map(|line| options.fold(line).into_owned())
                    .collect()
            };
            let (old, new) = (fold(old), fold(new));
            similar::capture_diff_slices(Algorithm::Myers, &old, &new)
        } else {
            similar::capture_diff_slices(Algorithm::Myers, old, new)
        };
        if !options.ignore_blank_lines {
            return ops;
        }
        let blank = |lines: &[&[u8]]| lines.iter().all(|line| matches!(line, [] | [b'\n']));
        let ignored = ops.iter().all(|op| match *op {
            DiffOp::Equal { .. } => true,
            _ => blank(&old[op.old_range()]) && blank(&new[op.new_range()]),
        });
        if ignored { Vec::new() } else { ops }
    }
}

/// Lines with their ends.
fn lines(content: &[u8]) -> Vec<&[u8]> {
    content.split_inclusive(|&byte| byte == b'\n').collect()
}

impl Options {
    fn folds(&self) -> bool {
        self.ignore_case || self.ignore_space || self.ignore_space_change || self.strip_cr
    }

    /// What of a line is compared.
    fn fold<'a>(&self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let mut folded = line.to_vec();
        if self.strip_cr && folded.ends_with(b"\r\n") {
            folded.truncate(folded.len() - 2);
            folded.push(b'\n');
        }
        if self.ignore_case {
            folded.make_ascii_lowercase();
        }
        let end = folded.ends_with(b"\n");
        if self.ignore_space {
            folded.retain(|byte| !byte.is_ascii_whitespace());
        } else if self.ignore_space_change {
            let words: Vec<&[u8]> = folded
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .collect();
            let leading = folded
                .first()
                .is_some_and(|byte| byte.is_ascii_whitespace() && *byte != b'\n');
            let mut joined = words.join(&b' ');
            if leading && !joined.is_empty() {
                joined.insert(0, b' ');
            }
            folded = joined;
        } else {
            return folded.into();
        }
        if end {
            folded.push(b'\n');
        }
        folded.into()
    }
}
