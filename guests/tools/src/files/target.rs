//! Where `cp`, `mv`, `ln` and `install` put things.

use std::ffi::OsString;

use sandbox_applet::{Failure, cwd, join, text};
use sandbox_guest::files;

/// The sources of a command line, and what each becomes.
#[derive(Debug, Eq, PartialEq)]
pub struct Targets {
    /// Source and destination.
    pub pairs: Vec<(String, String)>,
}

/// What the command line says about the target.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// `-t DIRECTORY`
    pub directory: Option<String>,
    /// `-T`: the target is no directory to put things into.
    pub no_directory: bool,
    /// Keep the whole path of a source below the directory.
    pub parents: bool,
}

impl Targets {
    /// Sorts `operands` out. Fails when something is missing, or when several sources have no directory to go to.
    pub fn new(operands: &[OsString], rule: &Rule) -> Result<Self, Failure> {
        let mut paths = Vec::new();
        for operand in operands {
            paths.push(text(operand)?.to_owned());
        }
        if paths.is_empty() {
            return Err(Failure::new("missing file operand"));
        }
        if let Some(directory) = &rule.directory {
            if !is_directory(directory) {
                return Err(Failure::new(format!(
                    "target directory '{directory}': Not a directory"
                )));
            }
            return Ok(Self::into(paths, directory, rule.parents));
        }
        let last = paths.pop().unwrap_or_default();
        if paths.is_empty() {
            return Err(Failure::new(format!(
                "missing destination file operand after '{last}'"
            )));
        }
        if rule.no_directory {
            if paths.len() > 1 {
                return Err(Failure::new(format!("extra operand '{last}'")));
            }
        } else if is_directory(&last) {
            return Ok(Self::into(paths, &last, rule.parents));
        } else if paths.len() > 1 || rule.parents {
            return Err(Failure::new(format!(
                "target '{last}': {}",
                not_directory(&last)
            )));
        }
        Ok(Self {
            pairs: paths.into_iter().map(|path| (path, last.clone())).collect(),
        })
    }

    fn into(paths: Vec<String>, directory: &str, parents: bool) -> Self {
        let pairs = paths.into_iter().map(|path| {
            let target = join(
                directory,
                if parents {
                    path.trim_matches('/')
                } else {
                    last_part(&path)
                },
            );
            (path, target)
        });
        Self {
            pairs: pairs.collect(),
        }
    }
}

fn not_directory(path: &str) -> &'static str {
    if files::stat(&cwd(), path, true).is_ok() {
        "Not a directory"
    } else {
        "No such file or directory"
    }
}

/// Whether `path` is a directory, or a link to one.
pub fn is_directory(path: &str) -> bool {
    files::stat(&cwd(), path, true).is_ok_and(|stat| stat.is_dir())
}

/// The name at the end of `path`, without slashes after it; `/` of the root alone.
pub fn last_part(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.is_empty() { "" } else { "/" };
    }
    trimmed.rsplit('/').next().unwrap_or(trimmed)
}

/// The path without its last part: `.` when there is no more.
pub fn parent(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() {
        return if path.is_empty() { "." } else { "/" };
    }
    match trimmed.rfind('/') {
        None => ".",
        Some(at) => {
            let parent = trimmed[..at].trim_end_matches('/');
            if parent.is_empty() { "/" } else { parent }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart_as_posix_says() {
        for (path, parent_part, last) in [
            ("a", ".", "a"),
            ("/a", "/", "a"),
            ("a/b/", "a", "b"),
            ("/", "/", "/"),
            ("//", "/", "/"),
            ("a//b", "a", "b"),
            ("", ".", ""),
        ] {
            assert_eq!(
                (parent(path), last_part(path)),
                (parent_part, last),
                "{path}"
            );
        }
    }
}
