use std::io;

use sandbox_guest::files::{self, Stat};

use crate::{cwd, join};

/// A name in a directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The name alone.
    pub name: String,
    /// The directory's path as it was given, and the name.
    pub path: String,
    /// What it is, symbolic links not followed.
    pub stat: Stat,
}

/// What is in the directory `path`, by name. Names that are not UTF-8 are left out: no call can ask about them.
pub fn entries(path: &str) -> io::Result<Vec<Entry>> {
    let cwd = cwd();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        let path = join(path, &name);
        match files::stat(&cwd, &path, false) {
            Ok(stat) => found.push(Entry { name, path, stat }),
            // Somebody else removed it in between.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}
