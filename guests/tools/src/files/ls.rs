//! `ls`, `dir`, `vdir`.

mod options;
mod show;

use sandbox_applet::{Args, Entry, Outcome, cwd, entries, reason, text, warn};
use sandbox_guest::files::{self, kind};

use options::{Hidden, Options, Sort};
use show::Printer;

/// Lists directories and files.
pub fn run(mut args: Args) -> Outcome {
    let name = args.name();
    let (options, mut operands) = Options::parse(&mut args)?;
    if operands.is_empty() {
        operands.push(".".into());
    }
    let mut failed = 0;
    let (mut plain, mut directories) = (Vec::new(), Vec::new());
    for operand in &operands {
        let path = text(operand)?;
        match look(path, &options) {
            Ok(entry) if entry.stat.is_dir() && !options.directory => directories.push(entry),
            Ok(entry) => plain.push(entry),
            Err(error) => {
                warn(
                    name,
                    format_args!("cannot access '{path}': {}", reason(&error)),
                );
                failed = 2;
            }
        }
    }
    sort(&mut plain, &options);
    sort(&mut directories, &options);
    let mut printer = Printer::new(&options);
    printer.list(&plain)?;
    let titled = options.recursive || operands.len() > 1;
    let mut first = plain.is_empty();
    // The next directory is the last of the list.
    directories.reverse();
    while let Some(directory) = directories.pop() {
        let found = match listed(&directory, &options) {
            Ok(found) => found,
            Err(error) => {
                printer.finish()?;
                warn(
                    name,
                    format_args!(
                        "cannot open directory '{}': {}",
                        directory.path,
                        reason(&error)
                    ),
                );
                failed = failed.max(
                    if operands.iter().any(|operand| *operand == *directory.path) {
                        2
                    } else {
                        1
                    },
                );
                continue;
            }
        };
        if titled {
            printer.title(&directory.path, first)?;
        }
        first = false;
        printer.directory(&found)?;
        if options.recursive {
            let below = found
                .into_iter()
                .filter(|entry| entry.stat.is_dir() && entry.name != "." && entry.name != "..");
            directories.extend(below.rev());
        }
    }
    printer.finish()?;
    Ok(failed)
}

/// The operand `path`: a link to a directory is the directory, unless the link itself would be shown in full.
fn look(path: &str, options: &Options) -> std::io::Result<Entry> {
    let cwd = cwd();
    let own = files::stat(&cwd, path, false)?;
    let stat = if own.kind() == kind::SYMLINK && options.follow_operands() {
        match files::stat(&cwd, path, true) {
            Ok(target) if target.is_dir() || options.dereference => target,
            _ => own,
        }
    } else {
        own
    };
    Ok(Entry {
        name: path.to_owned(),
        path: path.to_owned(),
        stat,
    })
}

fn listed(directory: &Entry, options: &Options) -> std::io::Result<Vec<Entry>> {
    let mut found = entries(&directory.path)?;
    let cwd = cwd();
    match options.hidden {
        Hidden::Leave => found.retain(|entry| !entry.name.starts_with('.')),
        Hidden::Almost => {}
        Hidden::All => {
            for name in [".", ".."] {
                let path = sandbox_applet::join(&directory.path, name);
                let stat = files::stat(&cwd, &path, true)?;
                found.push(Entry {
                    name: name.to_owned(),
                    path,
                    stat,
                });
            }
        }
    }
    if options.dereference {
        for entry in &mut found {
            if let Ok(stat) = files::stat(&cwd, &entry.path, true) {
                entry.stat = stat;
            }
        }
    }
    sort(&mut found, options);
    Ok(found)
}

fn sort(found: &mut [Entry], options: &Options) {
    match options.sort {
        Sort::Name => found.sort_by(|a, b| a.name.cmp(&b.name)),
        Sort::Size => found.sort_by(|a, b| {
            b.stat
                .size
                .cmp(&a.stat.size)
                .then_with(|| a.name.cmp(&b.name))
        }),
        Sort::Time => {
            found.sort_by(|a, b| {
                options
                    .time(b)
                    .cmp(&options.time(a))
                    .then_with(|| a.name.cmp(&b.name))
            });
        }
        Sort::Extension => found.sort_by(|a, b| {
            extension(&a.name)
                .cmp(extension(&b.name))
                .then_with(|| a.name.cmp(&b.name))
        }),
        Sort::Version => found.sort_by(|a, b| crate::files::version::compare(&a.name, &b.name)),
        Sort::Not => {}
    }
    if options.reverse {
        found.reverse();
    }
    if options.directories_first {
        found.sort_by_key(|entry| !entry.stat.is_dir());
    }
}

fn extension(name: &str) -> &str {
    name.rfind('.').map_or("", |at| &name[at..])
}
