//! `basename`, `dirname`, `readlink`, `realpath`.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use sandbox_applet::{Args, Failure, Long, Out, Outcome, Short, Value, reason, text, warn};

use super::target::{last_part, parent};

/// Makes a symbolic link `target` that says `points_to`.
pub fn symlink(points_to: impl AsRef<str>, target: &str) -> io::Result<()> {
    rustix::fs::symlink(points_to.as_ref(), target)?;
    Ok(())
}

/// `basename`
pub fn basename(mut args: Args) -> Outcome {
    let (mut several, mut suffix, mut end) = (false, None, '\n');
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('a') | Long("multiple") => several = true,
            Short('s') | Long("suffix") => {
                several = true;
                suffix = Some(args.string()?);
            }
            Short('z') | Long("zero") => end = '\0',
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    if !several {
        if operands.len() > 2 {
            return Err(Failure::new(format!(
                "extra operand '{}'",
                operands[2].display()
            )));
        }
        suffix = match operands.get(1) {
            Some(value) => Some(text(value)?.to_owned()),
            None => None,
        };
        operands.truncate(1);
    }
    let mut out = Out::new();
    for operand in &operands {
        let name = last_part(text(operand)?);
        let cut = suffix
            .as_deref()
            .and_then(|suffix| name.strip_suffix(suffix));
        out.put(format!(
            "{}{end}",
            cut.filter(|cut| !cut.is_empty()).unwrap_or(name)
        ))?;
    }
    out.finish()?;
    Ok(0)
}

/// `dirname`
pub fn dirname(mut args: Args) -> Outcome {
    let mut end = '\n';
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('z') | Long("zero") => end = '\0',
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    let mut out = Out::new();
    for operand in &operands {
        out.put(format!("{}{end}", parent(text(operand)?)))?;
    }
    out.finish()?;
    Ok(0)
}

/// What of a path must exist.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Missing {
    /// Nothing may be missing.
    None,
    /// The last part may.
    Last,
    Any,
}

/// `path` without links, `.` and `..`.
fn canonical(path: &str, missing: Missing, logical: bool) -> io::Result<PathBuf> {
    if path.is_empty() {
        return Err(sandbox_guest::errno::error(sandbox_guest::errno::NOENT));
    }
    if logical {
        let whole = clean(&std::env::current_dir()?.join(path));
        if missing == Missing::None {
            fs::metadata(&whole)?;
        }
        return Ok(whole);
    }
    match fs::canonicalize(path) {
        Ok(found) => return Ok(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound && missing != Missing::None => {}
        Err(error) => return Err(error),
    }
    // A link that points nowhere: what it points to is what is missing.
    if let Ok(points_to) = fs::read_link(path)
        && missing != Missing::None
    {
        let next = Path::new(parent(path)).join(points_to);
        return canonical(&next.to_string_lossy(), missing, false);
    }
    let above = match missing {
        Missing::Any => canonical(parent(path), missing, false)?,
        _ => fs::canonicalize(parent(path))?,
    };
    Ok(clean(&above.join(last_part(path))))
}

/// Takes `.` and `..` out by name alone.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            _ => {}
        }
    }
    out
}

/// How to get from the directory `from` to `to`; both absolute and clean.
pub fn relative(to: &Path, from: &Path) -> String {
    let common = to
        .components()
        .zip(from.components())
        .take_while(|(a, b)| a == b)
        .count();
    let mut out = PathBuf::new();
    for _ in from.components().skip(common) {
        out.push("..");
    }
    out.extend(to.components().skip(common));
    if out.as_os_str().is_empty() {
        out.push(".");
    }
    out.to_string_lossy().into_owned()
}

/// `readlink`
pub fn readlink(mut args: Args) -> Outcome {
    let (mut missing, mut newline, mut loud, mut end) = (None, true, false, "\n");
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('f') | Long("canonicalize") => missing = Some(Missing::Last),
            Short('e') | Long("canonicalize-existing") => missing = Some(Missing::None),
            Short('m') | Long("canonicalize-missing") => missing = Some(Missing::Any),
            Short('n') | Long("no-newline") => newline = false,
            Short('v') | Long("verbose") => loud = true,
            Short('q' | 's') | Long("quiet" | "silent") => loud = false,
            Short('z') | Long("zero") => end = "\0",
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    if !newline && operands.len() == 1 {
        end = "";
    }
    let mut out = Out::new();
    let mut failed = 0;
    for operand in &operands {
        let path = text(operand)?;
        let found = match missing {
            Some(missing) => canonical(path, missing, false),
            None => fs::read_link(path),
        };
        match found {
            Ok(found) => out.put(format!("{}{end}", found.display()))?,
            Err(error) => {
                if loud {
                    warn(args.name(), format_args!("{path}: {}", reason(&error)));
                }
                failed = 1;
            }
        }
    }
    out.finish()?;
    Ok(failed)
}

/// `realpath`
pub fn realpath(mut args: Args) -> Outcome {
    let (mut missing, mut logical, mut quiet, mut end) = (Missing::Last, false, false, '\n');
    let (mut base, mut within) = (None, None);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('e') | Long("canonicalize-existing") => missing = Missing::None,
            Short('m') | Long("canonicalize-missing") => missing = Missing::Any,
            Short('s') | Long("strip" | "no-symlinks") => logical = true,
            Short('q') | Long("quiet") => quiet = true,
            Short('z') | Long("zero") => end = '\0',
            Long("relative-to") => base = Some(args.string()?),
            Long("relative-base") => within = Some(args.string()?),
            Short('L' | 'P' | 'E') | Long("logical" | "physical" | "canonicalize") => {}
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    let resolve =
        |path: &str| canonical(path, missing, logical).map_err(|error| Failure::io(path, &error));
    let within = within.as_deref().map(resolve).transpose()?;
    let base = base
        .as_deref()
        .map(resolve)
        .transpose()?
        .or_else(|| within.clone());
    let mut out = Out::new();
    let mut failed = 0;
    for operand in &operands {
        match resolve(text(operand)?) {
            Ok(found) => {
                let inside = within
                    .as_ref()
                    .is_none_or(|within| found.starts_with(within));
                let shown = match &base {
                    Some(base) if inside => relative(&found, base),
                    _ => found.to_string_lossy().into_owned(),
                };
                out.put(format!("{shown}{end}"))?;
            }
            Err(failure) => {
                if !quiet {
                    warn(args.name(), failure.message());
                }
                failed = 1;
            }
        }
    }
    out.finish()?;
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_goes_up_and_down() {
        let way = |to: &str, from: &str| relative(Path::new(to), Path::new(from));
        assert_eq!(way("/a/b/c", "/a/d"), "../b/c");
        assert_eq!(way("/a", "/a/b"), "..");
        assert_eq!(way("/a", "/a"), ".");
        assert_eq!(way("/x", "/"), "x");
    }
}
