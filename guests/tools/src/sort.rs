//! `sort`.

mod key;
mod options;

use std::cmp::Ordering;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Read as _, Write as _};

use sandbox_applet::{Args, Context, Failure, Out, Outcome, open, warn};

use options::{Options, Task};

/// Sorts lines: in bytes' order, or by keys.
pub fn run(mut args: Args) -> Outcome {
    let trouble = |failure: Failure| failure.with_code(2);
    let (options, task, mut files) = Options::parse(&mut args).map_err(trouble)?;
    if files.is_empty() {
        files.push("-".into());
    }
    let mut content = Vec::new();
    read(&files, options.end, &mut content).map_err(trouble)?;
    let mut lines: Vec<&[u8]> = content
        .split_inclusive(|&byte| byte == options.end)
        .map(|line| line.strip_suffix(&[options.end]).unwrap_or(line))
        .collect();
    if let Task::Check { quiet } = task {
        return check(args.name(), &options, &lines, &files, quiet);
    }
    options.sort(&mut lines);
    if options.unique {
        lines.dedup_by(|later, earlier| options.by_keys(earlier, later) == Ordering::Equal);
    }
    write(&task, &lines, options.end).map_err(trouble)?;
    Ok(0)
}

/// All files, one after the other; a line without an end gets one.
fn read(files: &[OsString], end: u8, content: &mut Vec<u8>) -> Result<(), Failure> {
    for path in files {
        let mut input = open(path).context(format_args!("cannot read: {}", path.display()))?;
        input
            .read_to_end(content)
            .context(format_args!("read failed: {}", path.display()))?;
        if content.last().is_some_and(|&last| last != end) {
            content.push(end);
        }
    }
    Ok(())
}

fn write(task: &Task, lines: &[&[u8]], end: u8) -> Result<(), Failure> {
    let Task::Sort { output: Some(path) } = task else {
        let mut out = Out::new();
        for line in lines {
            out.put(line)?;
            out.put([end])?;
        }
        return out.finish();
    };
    // Opened only now: it may be one of the inputs.
    let file = File::create(path).context(format_args!("open failed: {}", path.display()))?;
    let mut out = BufWriter::new(file);
    let written = lines.iter().try_for_each(|line| {
        out.write_all(line)?;
        out.write_all(&[end])
    });
    written
        .and_then(|()| out.flush())
        .context(format_args!("write failed: {}", path.display()))
}

/// `-c` and `-C`: whether the lines are in order, each after the other.
fn check(
    name: &str,
    options: &Options,
    lines: &[&[u8]],
    files: &[OsString],
    quiet: bool,
) -> Outcome {
    let wrong = lines
        .windows(2)
        .position(|pair| match options.compare(pair[0], pair[1]) {
            Ordering::Greater => true,
            Ordering::Equal => options.unique,
            Ordering::Less => {
                options.unique && options.by_keys(pair[0], pair[1]) == Ordering::Equal
            }
        });
    let Some(at) = wrong else { return Ok(0) };
    if !quiet {
        let line = String::from_utf8_lossy(lines[at + 1]);
        warn(
            name,
            format_args!("{}:{}: disorder: {line}", files[0].display(), at + 2),
        );
    }
    Ok(1)
}
