//! `ln`, `link`.

use std::fs;

use sandbox_applet::{Args, Context, Failure, Long, Out, Outcome, Short, Value, cwd, text, warn};
use sandbox_guest::files;

use super::copy;
use super::names::symlink;
use super::target::{Rule, Targets, last_part, parent};

#[derive(Default)]
struct Options {
    symbolic: bool,
    force: bool,
    relative: bool,
    verbose: bool,
    backup: bool,
}

/// Makes further names, or symbolic links.
pub fn run(mut args: Args) -> Outcome {
    let mut options = Options::default();
    let mut rule = Rule::default();
    let mut no_follow = false;
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('s') | Long("symbolic") => options.symbolic = true,
            Short('f') | Long("force") => options.force = true,
            Short('r') | Long("relative") => options.relative = true,
            Short('v') | Long("verbose") => options.verbose = true,
            Short('n') | Long("no-dereference") => no_follow = true,
            Short('b') | Long("backup") => {
                args.optional_value();
                options.backup = true;
            }
            Short('t') | Long("target-directory") => rule.directory = Some(args.string()?),
            Short('T') | Long("no-target-directory") => rule.no_directory = true,
            Short('i' | 'L' | 'P') | Long("interactive" | "logical" | "physical") => {}
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if let [only] = &operands[..]
        && rule.directory.is_none()
    {
        // One operand: a link of the same name here.
        let name = last_part(text(only)?).to_owned();
        operands.push(name.into());
    }
    if no_follow
        && let [_, target] = &operands[..]
        && is_link(text(target)?)
    {
        rule.no_directory = true;
    }
    let mut out = Out::new();
    let mut failed = 0;
    for (source, target) in Targets::new(&operands, &rule)?.pairs {
        match options.make(&source, &target) {
            Ok(()) if options.verbose => {
                let arrow = if options.symbolic { "->" } else { "=>" };
                out.line(format!("'{target}' {arrow} '{source}'"))?;
            }
            Ok(()) => {}
            Err(failure) => {
                warn(args.name(), failure.message());
                failed = 1;
            }
        }
    }
    out.finish()?;
    Ok(failed)
}

fn is_link(path: &str) -> bool {
    files::stat(&cwd(), path, false).is_ok_and(|stat| stat.kind() == files::kind::SYMLINK)
}

impl Options {
    fn make(&self, source: &str, target: &str) -> Result<(), Failure> {
        let here = cwd();
        if !self.symbolic {
            let from = files::stat(&here, source, false)
                .context(format_args!("failed to access '{source}'"))?;
            if from.is_dir() {
                return Err(Failure::new(format!(
                    "{source}: hard link not allowed for directory"
                )));
            }
            if self.force
                && files::stat(&here, target, false)
                    .is_ok_and(|to| (to.dev, to.ino) == (from.dev, from.ino))
            {
                return Ok(());
            }
        }
        if let Ok(old) = files::stat(&here, target, false) {
            if self.backup {
                fs::rename(target, format!("{target}~"))
                    .context(format_args!("cannot backup '{target}'"))?;
            } else if self.force && old.is_dir() {
                return Err(Failure::new(format!(
                    "{target}: cannot overwrite directory"
                )));
            } else if self.force {
                fs::remove_file(target).context(format_args!("cannot remove '{target}'"))?;
            }
        }
        if !self.symbolic {
            return fs::hard_link(source, target)
                .context(format_args!("failed to create hard link '{target}'"));
        }
        let points_to = if self.relative {
            relative(source, target)?
        } else {
            source.to_owned()
        };
        symlink(&points_to, target)
            .context(format_args!("failed to create symbolic link '{target}'"))
    }
}

/// How `target`'s directory gets to `source`.
fn relative(source: &str, target: &str) -> Result<String, Failure> {
    let directory = parent(target);
    let from = fs::canonicalize(directory).context(directory)?;
    let above = parent(source);
    let to = fs::canonicalize(source)
        .or_else(|_| fs::canonicalize(above).map(|above| above.join(last_part(source))));
    let to = to.context(source)?;
    Ok(super::names::relative(&to, &from))
}

/// `link`
pub fn link(mut args: Args) -> Outcome {
    let operands = args.operands()?;
    let [source, target] = &operands[..] else {
        return Err(Failure::new("takes two operands"));
    };
    copy::link(text(source)?, text(target)?, false)?;
    Ok(0)
}
