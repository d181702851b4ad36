//! Where something is copied from or to.

use std::path::PathBuf;
use std::str::FromStr;

use sandbox_core::{Error, Result, SandboxId, SandboxPath};

/// One end of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Standard input or output.
    Standard,
    /// A path here.
    Local(PathBuf),
    /// A path in a sandbox.
    Sandbox {
        /// The sandbox.
        id: SandboxId,
        /// The path.
        path: SandboxPath,
        /// Whether it was written with `/` at its end: a directory to copy into.
        directory: bool,
    },
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "-" {
            return Ok(Self::Standard);
        }
        // What stands before a colon in a path with a slash before it is no id.
        let named = text
            .split_once(':')
            .filter(|(id, _)| !id.contains('/') && !id.starts_with('.'));
        let Some((id, path)) = named else {
            return match text.is_empty() {
                true => Err(Error::invalid("cli.cp", "path", "is empty")),
                false => Ok(Self::Local(text.into())),
            };
        };
        let shown: String = text.chars().take(80).collect();
        let id = SandboxId::new(id).map_err(|e| {
            let message = format!(
                "{shown:?} looks like ID:PATH, and the id is none; write ./{shown} for a file here"
            );
            Error::invalid("cli.cp", "path", message).with_source(e)
        })?;
        Ok(Self::Sandbox {
            id,
            path: SandboxPath::new(path)?,
            directory: path.ends_with('/'),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_id_before_a_colon_makes_a_sandbox() {
        let place = |text: &str| text.parse::<Place>();
        assert_eq!(place("-").unwrap(), Place::Standard);
        for local in ["a", "./a:b", "/a:b", "dir/a:b", ".a:b"] {
            assert_eq!(place(local).unwrap(), Place::Local(local.into()));
        }
        let Place::Sandbox {
            id,
            path,
            directory,
        } = place("sbx_1:/srv/data/").unwrap()
        else {
            panic!("a sandbox");
        };
        assert_eq!((id.as_str(), path.as_str()), ("sbx_1", "/srv/data"));
        assert!(directory);
        for bad in ["", "sbx_1:relative", "sbx_1:/a/../b", "S:/a", "sbx_1:"] {
            assert_eq!(place(bad).unwrap_err().field(), Some("path"), "{bad:?}");
        }
    }
}
