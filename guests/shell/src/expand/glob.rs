//! Pathname expansion.

use crate::ast::Bytes;
use crate::pattern;

/// The file system as pathname expansion sees it.
pub trait Directories {
    /// The names in `dir` (empty: the working directory); none when it cannot be read.
    fn names(&self, dir: &[u8]) -> Vec<Bytes>;
    /// Whether `path` exists, perhaps as a link to nothing.
    fn exists(&self, path: &[u8]) -> bool;
    fn is_dir(&self, path: &[u8]) -> bool;
}

/// The paths that `pattern` matches, in the order of their bytes. `dotfiles`: `*` matches names that begin with a dot.
pub fn expand(pattern: &[u8], dotfiles: bool, directories: &dyn Directories) -> Vec<Bytes> {
    let mut found = Vec::new();
    descend(Bytes::new(), pattern, dotfiles, directories, &mut found);
    found.sort();
    found
}

fn descend(
    prefix: Bytes,
    rest: &[u8],
    dotfiles: bool,
    directories: &dyn Directories,
    found: &mut Vec<Bytes>,
) {
    let slashes = rest.iter().take_while(|&&byte| byte == b'/').count();
    let mut prefix = prefix;
    prefix.extend_from_slice(&rest[..slashes]);
    let rest = &rest[slashes..];
    let end = component_end(rest);
    let (component, after) = rest.split_at(end);
    if component.is_empty() {
        if directories.is_dir(&prefix) {
            found.push(prefix);
        }
        return;
    }
    if !pattern::is_wild(component) {
        prefix.extend(pattern::unescape(component));
        match after {
            [] if directories.exists(&prefix) => found.push(prefix),
            [] => {}
            _ => descend(prefix, after, dotfiles, directories, found),
        }
        return;
    }
    let hidden = component.starts_with(b".") || component.starts_with(b"\\.");
    for name in directories.names(&prefix) {
        let visible =
            hidden || !name.starts_with(b".") || (dotfiles && name != b"." && name != b"..");
        if !visible || !pattern::matches(component, &name) {
            continue;
        }
        let mut path = prefix.clone();
        path.extend_from_slice(&name);
        match after {
            [] => found.push(path),
            _ if directories.is_dir(&path) => descend(path, after, dotfiles, directories, found),
            _ => {}
        }
    }
}

/// Where the first component ends: at a slash, which no bracket contains.
fn component_end(pattern: &[u8]) -> usize {
    pattern
        .iter()
        .position(|&byte| byte == b'/')
        .unwrap_or(pattern.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tree(&'static [&'static str]);

    impl Directories for Tree {
        fn names(&self, dir: &[u8]) -> Vec<Bytes> {
            let dir = std::str::from_utf8(dir).unwrap();
            let inside = self.0.iter().filter_map(|path| path.strip_prefix(dir));
            let mut names: Vec<_> = inside
                .map(|rest| rest.split('/').next().unwrap().into())
                .collect();
            names.dedup();
            names
        }

        fn exists(&self, path: &[u8]) -> bool {
            let path = std::str::from_utf8(path).unwrap().trim_end_matches('/');
            self.0
                .iter()
                .any(|known| *known == path || known.starts_with(&format!("{path}/")))
        }

        fn is_dir(&self, path: &[u8]) -> bool {
            let path = std::str::from_utf8(path).unwrap().trim_end_matches('/');
            self.0
                .iter()
                .any(|known| known.starts_with(&format!("{path}/")))
        }
    }

    #[test]
    fn paths_are_matched_component_by_component() {
        let tree = Tree(&[".hid", "a/x.c", "a/y.c", "b/x.c", "c", "d*"]);
        let expand = |pattern: &str| -> Vec<String> {
            let found = super::expand(pattern.as_bytes(), false, &tree);
            found
                .into_iter()
                .map(|path| String::from_utf8(path).unwrap())
                .collect()
        };
        assert_eq!(expand("*"), ["a", "b", "c", "d*"]);
        assert_eq!(expand(".*"), [".hid"]);
        assert_eq!(expand("*/x.c"), ["a/x.c", "b/x.c"]);
        assert_eq!(expand("a/[xz].?"), ["a/x.c"]);
        assert_eq!(expand("*/"), ["a/", "b/"]);
        assert_eq!(expand(r"d\*"), ["d*"]);
        assert!(expand("nothing*").is_empty());
    }
}
