//! `install`.

use std::fs;

use sandbox_applet::{Args, Context, Failure, Long, Out, Outcome, Short, Value, cwd, text, warn};
use sandbox_guest::files;

use super::mkdir::with_parents;
use super::target::{Rule, Targets, is_directory, parent};
use super::touch::set_times;
use crate::accounts::{Accounts, Kind};
use crate::mode;

#[derive(Default)]
struct Options {
    mode: u32,
    uid: Option<u32>,
    gid: Option<u32>,
    parents: bool,
    times: bool,
    compare: bool,
}

/// Copies files and sets their modes, or makes directories.
pub fn run(mut args: Args) -> Outcome {
    let mut options = Options {
        mode: 0o755,
        ..Options::default()
    };
    let mut rule = Rule::default();
    let (mut directories, mut verbose) = (false, false);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('d') | Long("directory") => directories = true,
            Short('m') | Long("mode") => {
                let value = args.string()?;
                options.mode = mode::apply(&value, 0, false, 0)
                    .ok_or_else(|| Failure::new(format!("invalid mode '{value}'")))?;
            }
            Short('o') | Long("owner") => options.uid = Some(account(Kind::User, &args.string()?)?),
            Short('g') | Long("group") => {
                options.gid = Some(account(Kind::Group, &args.string()?)?)
            }
            Short('D') => options.parents = true,
            Short('p') | Long("preserve-timestamps") => options.times = true,
            Short('C') | Long("compare") => options.compare = true,
            Short('v') | Long("verbose") => verbose = true,
            Short('t') | Long("target-directory") => rule.directory = Some(args.string()?),
            Short('T') | Long("no-target-directory") => rule.no_directory = true,
            // Symbols of a module are nobody's to strip.
            Short('c' | 's') | Long("strip") => {}
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut out = Out::new();
    let mut failed = 0;
    if directories {
        for operand in &operands {
            let path = text(operand)?;
            let made =
                with_parents(path, None, &mut |_| Ok(())).and_then(|()| options.finish(path));
            if let Err(failure) = made {
                warn(args.name(), failure.message());
                failed = 1;
            }
        }
        return Ok(failed);
    }
    if options.parents {
        let directory = match (&rule.directory, operands.last()) {
            (Some(directory), _) => directory.clone(),
            (None, Some(last)) => parent(text(last)?).to_owned(),
            (None, None) => ".".to_owned(),
        };
        with_parents(&directory, None, &mut |_| Ok(()))?;
    }
    for (source, target) in Targets::new(&operands, &rule)?.pairs {
        match options.install(&source, &target) {
            Ok(()) if verbose => out.line(format!("'{source}' -> '{target}'"))?,
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

fn account(kind: Kind, name: &str) -> Result<u32, Failure> {
    Accounts::read(kind)
        .id(name)
        .ok_or_else(|| Failure::new(format!("invalid user or group '{name}'")))
}

impl Options {
    fn install(&self, source: &str, target: &str) -> Result<(), Failure> {
        if is_directory(source) {
            return Err(Failure::new(format!("omitting directory '{source}'")));
        }
        let content = fs::read(source).context(format_args!("cannot open '{source}'"))?;
        let same = self.compare && fs::read(target).is_ok_and(|old| old == content);
        if !same {
            if files::stat(&cwd(), target, false).is_ok() {
                fs::remove_file(target).context(format_args!("cannot remove '{target}'"))?;
            }
            fs::write(target, content)
                .context(format_args!("cannot create regular file '{target}'"))?;
        }
        if self.times {
            let stat = files::stat(&cwd(), source, true).context(source)?;
            set_times(target, Some(stat.mtime_ns)).context(target)?;
        }
        self.finish(target)
    }

    fn finish(&self, path: &str) -> Result<(), Failure> {
        if self.uid.is_some() || self.gid.is_some() {
            let keep = u32::MAX;
            files::chown(
                &cwd(),
                path,
                true,
                self.uid.unwrap_or(keep),
                self.gid.unwrap_or(keep),
            )
            .context(format_args!("cannot change ownership of '{path}'"))?;
        }
        files::chmod(&cwd(), path, true, self.mode)
            .context(format_args!("cannot change permissions of '{path}'"))
    }
}
