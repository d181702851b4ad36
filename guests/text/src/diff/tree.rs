use std::collections::BTreeSet;

use sandbox_applet::{Entry, Failure, entries, glob, join, reason, warn};
use sandbox_guest::files::Stat;

use super::Differ;

impl Differ<'_> {
    /// Compares directories by the names in them.
    pub fn directories(&mut self, from: &str, to: &str) -> Result<(), Failure> {
        let (Some(old), Some(new)) = (self.names(from), self.names(to)) else {
            return Ok(());
        };
        let all: BTreeSet<&str> = old.iter().chain(&new).map(|entry| &*entry.name).collect();
        for name in all {
            if self
                .options
                .exclude
                .iter()
                .any(|pattern| glob::matches(pattern, name, false))
            {
                continue;
            }
            let find = |entries: &[Entry]| {
                entries
                    .iter()
                    .find(|entry| entry.name == name)
                    .map(|entry| entry.stat)
            };
            let (left, right) = (join(from, name), join(to, name));
            match (find(&old), find(&new)) {
                (Some(a), Some(b)) => self.both(&left, a, &right, b)?,
                (Some(only), None) => self.only(only, from, name, &left, &right)?,
                (None, Some(only)) => self.only(only, to, name, &left, &right)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn names(&mut self, path: &str) -> Option<Vec<Entry>> {
        match entries(path) {
            Ok(found) => Some(found),
            // With `-N` a directory that is missing is empty.
            Err(error) if self.options.new_file && error.kind() == std::io::ErrorKind::NotFound => {
                Some(Vec::new())
            }
            Err(error) => {
                warn(self.name, format_args!("{path}: {}", reason(&error)));
                self.failed = true;
                None
            }
        }
    }

    fn both(&mut self, left: &str, a: Stat, right: &str, b: Stat) -> Result<(), Failure> {
        match (a.is_dir(), b.is_dir()) {
            (true, true) if self.options.recursive => self.directories(left, right),
            (true, true) => self
                .out
                .line(format!("Common subdirectories: {left} and {right}")),
            (false, false) => self.files(left, right),
            _ => {
                self.differs = true;
                let kind = |stat: Stat| {
                    if stat.is_dir() {
                        "directory"
                    } else {
                        "regular file"
                    }
                };
                self.out.line(format!(
                    "File {left} is a {} while file {right} is a {}",
                    kind(a),
                    kind(b)
                ))
            }
        }
    }

    fn only(
        &mut self,
        stat: Stat,
        dir: &str,
        name: &str,
        left: &str,
        right: &str,
    ) -> Result<(), Failure> {
        if self.options.new_file {
            return if !stat.is_dir() {
                self.files(left, right)
            } else if self.options.recursive {
                self.directories(left, right)
            } else {
                Ok(())
            };
        }
        self.differs = true;
        self.out
            .line(format!("Only in {}: {name}", dir.trim_end_matches('/')))
    }
}
