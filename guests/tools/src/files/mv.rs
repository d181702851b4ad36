//! `mv`.

use std::fs;
use std::io::IsTerminal as _;

use sandbox_applet::{Args, Context, Failure, Long, Out, Outcome, Short, Value, cwd, warn};
use sandbox_guest::files;

use super::copy::within;
use super::target::{Rule, Targets};

#[derive(Default)]
struct Options {
    no_clobber: bool,
    update: bool,
    interactive: bool,
    verbose: bool,
    backup: bool,
}

/// Renames files and directories.
pub fn run(mut args: Args) -> Outcome {
    let mut options = Options::default();
    let mut rule = Rule::default();
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('n') | Long("no-clobber") => options.no_clobber = true,
            Short('f') | Long("force") => {
                (options.no_clobber, options.interactive) = (false, false)
            }
            Short('i') | Long("interactive") => options.interactive = true,
            Short('u') | Long("update") => options.update = true,
            Short('v') | Long("verbose") => options.verbose = true,
            Short('b') | Long("backup") => {
                args.optional_value();
                options.backup = true;
            }
            Short('t') | Long("target-directory") => rule.directory = Some(args.string()?),
            Short('T') | Long("no-target-directory") => rule.no_directory = true,
            Long("strip-trailing-slashes") => {}
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut out = Out::new();
    let mut failed = 0;
    for (source, target) in Targets::new(&operands, &rule)?.pairs {
        match options.rename(&source, &target) {
            Ok(true) if options.verbose => out.line(format!("renamed '{source}' -> '{target}'"))?,
            Ok(_) => {}
            Err(failure) => {
                warn(args.name(), failure.message());
                failed = 1;
            }
        }
    }
    out.finish()?;
    Ok(failed)
}

impl Options {
    /// Whether anything was done.
    fn rename(&self, source: &str, target: &str) -> Result<bool, Failure> {
        let here = cwd();
        let from =
            files::stat(&here, source, false).context(format_args!("cannot stat '{source}'"))?;
        if let Ok(to) = files::stat(&here, target, false) {
            if self.no_clobber || self.update && to.mtime_ns >= from.mtime_ns {
                return Ok(false);
            }
            if (from.dev, from.ino) == (to.dev, to.ino) && !from.is_dir() {
                if same_name(source, target) {
                    return Err(Failure::new(format!(
                        "'{source}' and '{target}' are the same file"
                    )));
                }
                // POSIX's rename(2) would leave both names of one file.
                fs::remove_file(source).context(format_args!("cannot remove '{source}'"))?;
                return Ok(true);
            }
            if to.is_dir() && !from.is_dir() {
                return Err(Failure::new(format!(
                    "cannot overwrite directory '{target}' with non-directory"
                )));
            }
            if self.interactive && std::io::stdin().is_terminal() {
                return Err(Failure::new(format!(
                    "cannot ask whether to overwrite '{target}'"
                )));
            }
            if self.backup {
                fs::rename(target, format!("{target}~"))
                    .context(format_args!("cannot backup '{target}'"))?;
            }
        }
        if from.is_dir() && within(source, target) {
            return Err(Failure::new(format!(
                "cannot move '{source}' to a subdirectory of itself, '{target}'"
            )));
        }
        fs::rename(source, target).context(format_args!("cannot move '{source}' to '{target}'"))?;
        Ok(true)
    }
}

fn same_name(a: &str, b: &str) -> bool {
    let whole = |path: &str| {
        let parent = fs::canonicalize(super::target::parent(path)).ok()?;
        Some(parent.join(super::target::last_part(path)))
    };
    whole(a).is_some() && whole(a) == whole(b)
}
