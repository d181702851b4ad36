//! The working directory of programs that do not ask for one.
//!
//! A component gets one directory, `/`, and can ask for its working directory (`initial-cwd`).
//! `wasi-libc`, which most are linked with, does not ask: it takes the slashes off an absolute path
//! and hands both kinds on alike, so that `/tmp/f` and `tmp/f` come as the same call. Which of the
//! two was meant is told by what is there: a path goes to the working directory when its first name
//! is in there, to the root when that is only there, and to the working directory when it is in
//! neither or is to be made. It is wrong for a program that means `/tmp/f` and has a `tmp` in its
//! working directory; from the working directory `/` nothing can be wrong.

use std::borrow::Cow;

use crate::fs::FileSystem;

/// What the call does with the last name of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// It has to be there.
    Use,
    /// It is made.
    Make,
}

/// The path that a component means by `path`, which it gives relative to `/`; `cwd` is absolute.
pub(super) fn meant<'p>(
    files: &FileSystem,
    cwd: &str,
    path: &'p str,
    intent: Intent,
) -> Cow<'p, str> {
    if cwd == "/" || path.starts_with('/') {
        return path.into();
    }
    let name = path.split('/').find(|name| !name.is_empty());
    let has = |directory: &str| {
        name.is_some_and(|name| {
            files
                .metadata(&*format!("{directory}/{name}"), false)
                .is_ok()
        })
    };
    let made = intent == Intent::Make && name == Some(path.trim_end_matches('/'));
    if !made && !has(cwd) && has("") {
        return path.into();
    }
    format!("{}/{path}", cwd.trim_end_matches('/')).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{Caller, Limits};

    #[test]
    fn what_is_there_tells_relative_and_absolute_paths_apart() {
        let by = Caller::default();
        let mut files = FileSystem::new(Limits::default(), by);
        for directory in ["/tmp", "/bin", "/work", "/work/bin", "/work/own"] {
            files.make_dir(directory, 0o755, by).unwrap();
        }
        let meant = |path: &str, intent| meant(&files, "/work", path, intent).into_owned();
        for (path, goes) in [
            ("own/f", "/work/own/f"),
            ("new", "/work/new"),
            (".", "/work/."),
            ("../x", "/work/../x"),
            ("tmp", "tmp"),
            ("tmp/f", "tmp/f"),
            ("work/own", "work/own"),
            ("nowhere/f", "/work/nowhere/f"),
            ("bin/f", "/work/bin/f"),
            ("", "/work/"),
        ] {
            assert_eq!(meant(path, Intent::Use), goes, "{path:?}");
        }
        for (path, goes) in [
            ("new", "/work/new"),
            ("tmp", "/work/tmp"),
            ("tmp/f", "tmp/f"),
            ("own/f", "/work/own/f"),
        ] {
            assert_eq!(meant(path, Intent::Make), goes, "{path:?}");
        }
        assert_eq!(super::meant(&files, "/", "tmp", Intent::Make), "tmp");
    }
}
