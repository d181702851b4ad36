//! `mkdir`.

use std::fs;
use std::io;

use sandbox_applet::{Args, Context, Failure, Long, Out, Outcome, Short, Value, cwd, text, warn};
use sandbox_guest::files;

use super::target::{is_directory, parent};
use crate::mode;

/// Makes directories.
pub fn run(mut args: Args) -> Outcome {
    let (mut parents, mut verbose, mut wanted) = (false, false, None);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('p') | Long("parents") => parents = true,
            Short('v') | Long("verbose") => verbose = true,
            Short('m') | Long("mode") => wanted = Some(args.string()?),
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    let umask = files::umask().unwrap_or(0o022);
    let wanted = match wanted {
        None => None,
        Some(text) => Some(
            mode::apply(&text, 0o777, true, umask)
                .ok_or_else(|| Failure::new(format!("invalid mode '{text}'")))?,
        ),
    };
    let mut out = Out::new();
    let mut failed = 0;
    for operand in &operands {
        let path = text(operand)?;
        let mut say = |path: &str| match verbose {
            true => out.line(format!("{}: created directory '{path}'", args.name())),
            false => Ok(()),
        };
        let made = if parents {
            with_parents(path, wanted, &mut say)
        } else {
            one(path, wanted, &mut say)
        };
        if let Err(failure) = made {
            warn(args.name(), failure.message());
            failed = 1;
        }
    }
    out.finish()?;
    Ok(failed)
}

fn one(
    path: &str,
    wanted: Option<u32>,
    say: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    fs::create_dir(path).context(format_args!("cannot create directory '{path}'"))?;
    if let Some(bits) = wanted {
        files::chmod(&cwd(), path, false, bits)
            .context(format_args!("cannot set permissions '{path}'"))?;
    }
    say(path)
}

/// Makes what is missing above, too; `wanted` is for the last one alone. One that exists is as good as made.
pub fn with_parents(
    path: &str,
    wanted: Option<u32>,
    say: &mut dyn FnMut(&str) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut missing = vec![path];
    while let Some(&first) = missing.last() {
        let above = parent(first);
        if above == "." || above == "/" || is_directory(above) {
            break;
        }
        missing.push(above);
    }
    while let Some(next) = missing.pop() {
        let bits = if missing.is_empty() { wanted } else { None };
        match fs::create_dir(next) {
            Ok(()) => {
                if let Some(bits) = bits {
                    files::chmod(&cwd(), next, false, bits)
                        .context(format_args!("cannot set permissions '{next}'"))?;
                }
                say(next)?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_directory(next) => {}
            Err(error) => {
                return Err(Failure::io(
                    format_args!("cannot create directory '{next}'"),
                    &error,
                ));
            }
        }
    }
    Ok(())
}
