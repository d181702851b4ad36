use std::ffi::OsString;
use std::io;

use sandbox_applet::{Entry, Failure, Input, cwd, entries, glob, open, text};
use sandbox_guest::files::{self, kind};

use super::options::Options;

/// Gets each file with its name; whether to go on.
pub type Visit<'a> = dyn FnMut(&str, io::Result<Input>) -> Result<bool, Failure> + 'a;

/// Calls `visit` for all `operands`, and for what is in directories when that is asked for.
pub fn each(
    operands: &[OsString],
    options: &Options,
    visit: &mut Visit<'_>,
) -> Result<(), Failure> {
    for operand in operands {
        if operand == "-" {
            if !visit(&options.label, Ok(Input::Standard))? {
                return Ok(());
            }
            continue;
        }
        let path = text(operand)?;
        let stat = files::stat(&cwd(), path, true);
        let more = match stat {
            Ok(stat) if stat.is_dir() && options.recursive => {
                tree(path, options, options.implied, visit)?
            }
            Ok(stat) if stat.is_dir() && options.skip_directories => true,
            _ => visit(path, open(operand))?,
        };
        if !more {
            return Ok(());
        }
    }
    Ok(())
}

fn tree(
    path: &str,
    options: &Options,
    hide_dot: bool,
    visit: &mut Visit<'_>,
) -> Result<bool, Failure> {
    let found = match entries(path) {
        Ok(found) => found,
        Err(error) => return visit(path, Err(error)),
    };
    for entry in found {
        let shown = if hide_dot {
            entry.name.clone()
        } else {
            entry.path.clone()
        };
        let Some(is_dir) = kind_of(&entry, options) else {
            continue;
        };
        let more = if is_dir {
            let excluded = options
                .exclude_dir
                .iter()
                .any(|pattern| glob::matches(pattern, &entry.name, false));
            excluded || tree(&shown, options, false, visit)?
        } else {
            !wanted(&entry.name, options) || visit(&shown, open(entry.path.as_ref()))?
        };
        if !more {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether it is a directory; `None` for what is neither that nor a file.
fn kind_of(entry: &Entry, options: &Options) -> Option<bool> {
    match entry.stat.kind() {
        kind::DIRECTORY => Some(true),
        kind::FILE => Some(false),
        // Of links only those to files are followed: one to a directory above has no end.
        kind::SYMLINK if options.follow => {
            let target = files::stat(&cwd(), &entry.path, true).ok()?;
            target.is_file().then_some(false)
        }
        _ => None,
    }
}

fn wanted(name: &str, options: &Options) -> bool {
    let any = |patterns: &[String]| {
        patterns
            .iter()
            .any(|pattern| glob::matches(pattern, name, false))
    };
    (options.include.is_empty() || any(&options.include)) && !any(&options.exclude)
}
