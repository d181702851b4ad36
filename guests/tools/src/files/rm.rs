//! `rm`, `rmdir`, `unlink`.

use std::fs;
use std::io;

use sandbox_applet::{
    Args, Context, Failure, Long, Out, Outcome, Short, Value, cwd, entries, reason, text, warn,
};
use sandbox_guest::files;

use super::target::{last_part, parent};

#[derive(Default)]
struct Remover {
    recursive: bool,
    force: bool,
    directories: bool,
    verbose: bool,
}

/// `rm`
pub fn run(mut args: Args) -> Outcome {
    let mut remover = Remover::default();
    let mut operands = Vec::new();
    let mut root_too = false;
    while let Some(arg) = args.next()? {
        match arg {
            Short('r' | 'R') | Long("recursive") => remover.recursive = true,
            Short('f') | Long("force") => remover.force = true,
            Short('d') | Long("dir") => remover.directories = true,
            Short('v') | Long("verbose") => remover.verbose = true,
            Long("no-preserve-root") => root_too = true,
            // Nobody is asked: there is no terminal.
            Short('i' | 'I') | Long("one-file-system") => {}
            Long("preserve-root" | "interactive") => {
                args.optional_value();
            }
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() && !remover.force {
        return Err(Failure::new("missing operand"));
    }
    let mut out = Out::new();
    let mut failed = 0;
    for operand in &operands {
        let path = text(operand)?;
        let refused = match last_part(path) {
            "." | ".." => Some(format!(
                "refusing to remove '.' or '..' directory: skipping '{path}'"
            )),
            "/" if !root_too => Some("it is dangerous to operate recursively on '/'".to_owned()),
            _ => None,
        };
        let mut report = |failure: &str| {
            warn(args.name(), failure);
            failed = 1;
        };
        match refused {
            Some(refused) => report(&refused),
            None => remover.remove(path, &mut out, &mut report)?,
        }
    }
    out.finish()?;
    Ok(failed)
}

impl Remover {
    /// Removes `path`; what cannot be removed is reported, and what is beside it removed all the same.
    fn remove(
        &self,
        path: &str,
        out: &mut Out,
        report: &mut dyn FnMut(&str),
    ) -> Result<(), Failure> {
        let stat = match files::stat(&cwd(), path, false) {
            Ok(stat) => stat,
            Err(error) if self.force && absent(&error) => return Ok(()),
            Err(error) => {
                report(&format!("cannot remove '{path}': {}", reason(&error)));
                return Ok(());
            }
        };
        if !stat.is_dir() {
            return self.done(path, "", fs::remove_file(path), out, report);
        }
        if !self.recursive && !self.directories {
            report(&format!("cannot remove '{path}': Is a directory"));
            return Ok(());
        }
        if self.recursive {
            match entries(path) {
                Ok(found) => {
                    for entry in found {
                        self.remove(&entry.path, out, report)?;
                    }
                }
                Err(error) => {
                    report(&format!("cannot remove '{path}': {}", reason(&error)));
                    return Ok(());
                }
            }
        }
        self.done(path, "directory ", fs::remove_dir(path), out, report)
    }

    fn done(
        &self,
        path: &str,
        kind: &str,
        result: io::Result<()>,
        out: &mut Out,
        report: &mut dyn FnMut(&str),
    ) -> Result<(), Failure> {
        match result {
            Ok(()) if self.verbose => out.line(format!("removed {kind}'{path}'")),
            Ok(()) => Ok(()),
            Err(error) => {
                report(&format!("cannot remove '{path}': {}", reason(&error)));
                Ok(())
            }
        }
    }
}

fn absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// `rmdir`
pub fn rmdir(mut args: Args) -> Outcome {
    let (mut parents, mut quiet, mut verbose) = (false, false, false);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('p') | Long("parents") => parents = true,
            Short('v') | Long("verbose") => verbose = true,
            Long("ignore-fail-on-non-empty") => quiet = true,
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    let mut out = Out::new();
    let mut failed = 0;
    for operand in &operands {
        let mut path = text(operand)?;
        loop {
            if verbose {
                out.line(format!("{}: removing directory, '{path}'", args.name()))?;
            }
            match fs::remove_dir(path) {
                Ok(()) => {}
                Err(error) if quiet && error.kind() == io::ErrorKind::DirectoryNotEmpty => break,
                Err(error) => {
                    warn(
                        args.name(),
                        format_args!("failed to remove '{path}': {}", reason(&error)),
                    );
                    failed = 1;
                    break;
                }
            }
            let above = parent(path);
            if !parents || above == "." || above == "/" {
                break;
            }
            path = above;
        }
    }
    out.finish()?;
    Ok(failed)
}

/// `unlink`
pub fn unlink(mut args: Args) -> Outcome {
    let operands = args.operands()?;
    let [operand] = &operands[..] else {
        return Err(Failure::new(if operands.is_empty() {
            "missing operand"
        } else {
            "extra operand"
        }));
    };
    let path = text(operand)?;
    fs::remove_file(path).context(format_args!("cannot unlink '{path}'"))?;
    Ok(0)
}
