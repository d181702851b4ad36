//! `cp`.

use sandbox_applet::{Args, Context, Failure, Long, Out, Outcome, Short, Value, warn};

use super::copy::Copier;
use super::target::{Rule, Targets, parent};

/// Copies files and directories.
pub fn run(mut args: Args) -> Outcome {
    let mut copier = Copier::default();
    let mut rule = Rule::default();
    let mut follow = None;
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('r' | 'R') | Long("recursive") => copier.recursive = true,
            Short('a') | Long("archive") => {
                copier.recursive = true;
                preserve(&mut copier, "all", true)?;
                follow = Some('P');
            }
            Short('p') => preserve(&mut copier, "mode,ownership,timestamps", true)?,
            Long("preserve") => {
                let what = args.optional_value();
                let what = what
                    .as_deref()
                    .and_then(|what| what.to_str())
                    .unwrap_or("mode,ownership,timestamps");
                preserve(&mut copier, what, true)?;
            }
            Long("no-preserve") => preserve(&mut copier, &args.string()?, false)?,
            Short('d') | Long("no-dereference") | Short('P') => follow = Some('P'),
            Short('L') | Long("dereference") => follow = Some('L'),
            Short('H') => follow = Some('H'),
            Short('f') | Long("force") => copier.force = true,
            Long("remove-destination") => copier.remove_first = true,
            Short('n') | Long("no-clobber") => copier.no_clobber = true,
            Short('u') => copier.update = true,
            Long("update") => match args.optional_value() {
                None => copier.update = true,
                Some(value) if value == "older" => copier.update = true,
                Some(value) if value == "none" => copier.no_clobber = true,
                Some(value) if value == "all" => {}
                Some(value) => {
                    return Err(Failure::new(format!(
                        "invalid argument '{}' for '--update'",
                        value.display()
                    )));
                }
            },
            Short('l') | Long("link") => copier.hard = true,
            Short('s') | Long("symbolic-link") => copier.symbolic = true,
            Short('v') | Long("verbose") => copier.verbose = true,
            Long("attributes-only") => copier.attributes_only = true,
            Short('t') | Long("target-directory") => rule.directory = Some(args.string()?),
            Short('T') | Long("no-target-directory") => rule.no_directory = true,
            Long("parents") => rule.parents = true,
            // Nobody is asked, links to one file are copied apart, and data is shared by the kernel anyway.
            Short('i' | 'x')
            | Long("interactive" | "one-file-system" | "strip-trailing-slashes") => {}
            Long("reflink" | "sparse") => {
                args.optional_value();
            }
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    copier.follow_all = follow == Some('L') || follow.is_none() && !copier.recursive;
    copier.follow_operands = follow == Some('H');
    let mut out = Out::new();
    let mut failed = 0;
    for (source, target) in Targets::new(&operands, &rule)?.pairs {
        if rule.parents {
            std::fs::create_dir_all(parent(&target))
                .context(format_args!("cannot make directory '{target}'"))?;
        }
        copier.copy(&source, &target, true, &mut |result| match result {
            Ok(line) => failed |= u8::from(out.line(line).is_err()),
            Err(failure) => {
                warn(args.name(), failure.message());
                failed = 1;
            }
        });
    }
    out.finish()?;
    Ok(failed)
}

fn preserve(copier: &mut Copier, what: &str, yes: bool) -> Result<(), Failure> {
    for what in what.split(',') {
        match what {
            "mode" => copier.mode = yes,
            "ownership" => copier.owner = yes,
            "timestamps" => copier.times = yes,
            "all" => (copier.mode, copier.owner, copier.times) = (yes, yes, yes),
            "links" | "context" | "xattr" => {}
            _ => {
                return Err(Failure::new(format!(
                    "invalid argument '{what}' for '--preserve'"
                )));
            }
        }
    }
    Ok(())
}
