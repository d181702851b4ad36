//! `du` and `df`.

use std::collections::HashSet;

use sandbox_applet::{
    Args, Failure, Long, Out, Outcome, Short, Value, cwd, entries, reason, text, warn,
};
use sandbox_guest::files::{self, Stat};

use crate::size::{blocks, human};

struct Usage {
    name: &'static str,
    all: bool,
    summary: bool,
    apparent: bool,
    human: bool,
    follow: bool,
    /// Bytes of a unit.
    unit: u64,
    depth: Option<usize>,
    /// Files of several names, which count once.
    seen: HashSet<(u64, u64)>,
    failed: u8,
    out: Out,
}

/// Adds up what directories hold.
pub fn run(mut args: Args) -> Outcome {
    let mut usage = Usage {
        name: args.name(),
        all: false,
        summary: false,
        apparent: false,
        human: false,
        follow: false,
        unit: 1024,
        depth: None,
        seen: HashSet::new(),
        failed: 0,
        out: Out::new(),
    };
    let mut total = false;
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('a') | Long("all") => usage.all = true,
            Short('s') | Long("summarize") => usage.summary = true,
            Short('b') | Long("bytes") => (usage.apparent, usage.unit) = (true, 1),
            Long("apparent-size") => usage.apparent = true,
            Short('h') | Long("human-readable") => usage.human = true,
            Short('k') => usage.unit = 1024,
            Short('m') => usage.unit = 1 << 20,
            Short('L') | Long("dereference") => usage.follow = true,
            Short('c') | Long("total") => total = true,
            Short('d') | Long("max-depth") => {
                let value = args.string()?;
                usage.depth = Some(
                    value
                        .parse()
                        .map_err(|_| Failure::new(format!("invalid maximum depth '{value}'")))?,
                );
            }
            Short('x' | 'P' | 'D' | 'H' | 'l') | Long("one-file-system") => {}
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        operands.push(".".into());
    }
    if usage.summary {
        usage.depth = Some(0);
    }
    let mut sum = 0;
    for operand in &operands {
        let path = text(operand)?;
        match files::stat(&cwd(), path, true) {
            Ok(stat) => sum += usage.visit(path, &stat, 0)?,
            Err(error) => {
                usage.out.finish()?;
                warn(
                    usage.name,
                    format_args!("cannot access '{path}': {}", reason(&error)),
                );
                usage.failed = 1;
            }
        }
    }
    if total {
        usage.show(sum, "total")?;
    }
    usage.out.finish()?;
    Ok(usage.failed)
}

impl Usage {
    /// Bytes of `path` with all below it.
    fn visit(&mut self, path: &str, stat: &Stat, depth: usize) -> Result<u64, Failure> {
        if stat.nlink > 1 && !stat.is_dir() && !self.seen.insert((stat.dev, stat.ino)) {
            return Ok(0);
        }
        let mut sum = if self.apparent {
            stat.size
        } else {
            blocks(stat) * 1024
        };
        if stat.is_dir() {
            match entries(path) {
                Ok(found) => {
                    for entry in found {
                        let target = if self.follow {
                            files::stat(&cwd(), &entry.path, true).ok()
                        } else {
                            None
                        };
                        sum += self.visit(&entry.path, &target.unwrap_or(entry.stat), depth + 1)?;
                    }
                }
                Err(error) => {
                    self.out.finish()?;
                    warn(
                        self.name,
                        format_args!("cannot read directory '{path}': {}", reason(&error)),
                    );
                    self.failed = 1;
                }
            }
        }
        let listed = stat.is_dir() || self.all || depth == 0;
        if listed && self.depth.is_none_or(|most| depth <= most) {
            self.show(sum, path)?;
        }
        Ok(sum)
    }

    fn show(&mut self, bytes: u64, path: &str) -> Result<(), Failure> {
        let size = if self.human {
            human(bytes)
        } else {
            bytes.div_ceil(self.unit).to_string()
        };
        self.out.line(format!("{size}\t{path}"))
    }
}

/// `df`: the kernel tells programs nothing of the disk's limits.
pub fn df(_: Args) -> Outcome {
    Err(Failure::new(
        "the sandbox has no information about file systems; 'du -s /' tells what is used",
    ))
}
