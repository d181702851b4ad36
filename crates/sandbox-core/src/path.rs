//! Paths inside a sandbox.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// The longest path in bytes, as Linux has it.
pub const MAX_PATH_BYTES: usize = 4096;
/// The longest single name in a path in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// An absolute path inside a sandbox, never on the host.
///
/// It is normal: it starts with `/`, has no empty, `.` or `..` component, no NUL and no trailing
/// slash, at most [`MAX_PATH_BYTES`] bytes in all and [`MAX_NAME_BYTES`] a component. A path that
/// climbs is refused, not resolved: what `..` means depends on links that only the sandbox knows.
/// Links are followed inside the sandbox, by its own rules; they can lead nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SandboxPath(String);

impl SandboxPath {
    /// The root directory.
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// Checks and normalises an absolute path.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) with field `path` when it is
    /// relative, climbs (`..`), holds a NUL, or is too long.
    ///
    /// ```
    /// use sandbox_core::SandboxPath;
    /// assert_eq!(SandboxPath::new("/srv//./data/")?.as_str(), "/srv/data");
    /// assert!(SandboxPath::new("/srv/../etc").is_err());
    /// # Ok::<(), sandbox_core::Error>(())
    /// ```
    pub fn new(text: impl AsRef<str>) -> Result<Self, Error> {
        let text = text.as_ref();
        if !text.starts_with('/') {
            return Err(refuse(text, "must be absolute: start with '/'"));
        }
        Self::root().join(text)
    }

    /// This path with `relative` below it; a leading `/` in `relative` changes nothing.
    ///
    /// # Errors
    /// As [`SandboxPath::new`].
    pub fn join(&self, relative: impl AsRef<str>) -> Result<Self, Error> {
        let relative = relative.as_ref();
        if relative.contains('\0') {
            return Err(refuse(relative, "contains a NUL byte"));
        }
        let mut joined = if self.is_root() {
            String::new()
        } else {
            self.0.clone()
        };
        for name in relative.split('/') {
            match name {
                "" | "." => continue,
                ".." => return Err(refuse(relative, "must not climb: contains '..'")),
                _ if name.len() > MAX_NAME_BYTES => {
                    return Err(refuse(
                        name,
                        &format!("has a name over {MAX_NAME_BYTES} bytes"),
                    ));
                }
                _ => {
                    joined.push('/');
                    joined.push_str(name);
                }
            }
        }
        if joined.len() > MAX_PATH_BYTES {
            return Err(refuse(
                relative,
                &format!("is over {MAX_PATH_BYTES} bytes long"),
            ));
        }
        if joined.is_empty() {
            joined.push('/');
        }
        Ok(Self(joined))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `/`.
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// The last component; `None` for the root.
    pub fn name(&self) -> Option<&str> {
        self.0.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// The directory this path is in; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let name = self.name()?;
        let end = self.0.len() - name.len() - 1;
        Some(Self(self.0[..end.max(1)].to_owned()))
    }

    /// The components from the root down.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|name| !name.is_empty())
    }
}

fn refuse(text: &str, problem: &str) -> Error {
    let shown: String = text.chars().take(80).collect();
    Error::invalid("path.parse", "path", format!("{shown:?} {problem}"))
}

impl fmt::Display for SandboxPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for SandboxPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for SandboxPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl TryFrom<String> for SandboxPath {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::new(text)
    }
}

impl From<SandboxPath> for String {
    fn from(path: SandboxPath) -> String {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn climbing_relative_and_overlong_paths_are_refused() {
        let long = "/a".repeat(2049);
        for bad in ["", "a", "..", "/..", "/a/../b", "/a\0b", &long] {
            assert!(SandboxPath::new(bad).is_err(), "{bad:?}");
        }
        assert!(SandboxPath::new(format!("/{}", "n".repeat(256))).is_err());
        assert!(SandboxPath::new(format!("/{}", "n".repeat(255))).is_ok());
    }

    #[test]
    fn parents_end_at_the_root() {
        let path = SandboxPath::new("/a/b").unwrap();
        assert_eq!(path.name(), Some("b"));
        let parent = path.parent().unwrap();
        assert_eq!(parent.as_str(), "/a");
        assert_eq!(parent.parent(), Some(SandboxPath::root()));
        assert_eq!(SandboxPath::root().parent(), None);
        assert_eq!(SandboxPath::root().name(), None);
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_normal(text in "[/a.\u{e9}\0 -]{0,40}") {
            if let Ok(path) = SandboxPath::new(&text) {
                prop_assert!(path.as_str().starts_with('/'));
                prop_assert!(path.components().all(|name| name != "." && name != ".."));
                prop_assert_eq!(SandboxPath::new(path.as_str()).unwrap(), path);
            }
        }
    }
}
