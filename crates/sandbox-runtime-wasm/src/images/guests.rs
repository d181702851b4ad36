//! The programs that are part of this one: the shell and the tools.

use std::sync::{Arc, OnceLock};

use crate::programs::{Digest, Program};

/// A program as `build.rs` embeds it.
struct Guest {
    name: &'static str,
    sha256: &'static str,
    size: usize,
    packed: bool,
    bytes: &'static [u8],
    applets: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// A program of the image `base`, and the names it is installed under: plain ones, for `/usr/bin`,
/// or absolute paths.
#[derive(Debug)]
pub(super) struct Embedded {
    pub(super) program: Arc<Program>,
    pub(super) names: Vec<&'static str>,
}

/// All that are embedded.
pub(super) fn embedded() -> &'static [Embedded] {
    static EMBEDDED: OnceLock<Vec<Embedded>> = OnceLock::new();
    EMBEDDED.get_or_init(|| GUESTS.iter().filter_map(Guest::embedded).collect())
}

impl Guest {
    fn embedded(&self) -> Option<Embedded> {
        // `build.rs` has computed or read it; a manifest that somebody has edited may be wrong.
        let digest: Option<Digest> = self.sha256.parse().ok();
        let Some(digest) = digest else {
            tracing::error!(program = self.name, "the embedded program has no digest");
            return None;
        };
        let program = match self.packed {
            true => Program::packed(self.name, digest, self.bytes, self.size),
            false => Program::plain(self.name, digest, self.bytes),
        };
        let lines = self.applets.lines().map(str::trim);
        let mut names: Vec<_> = lines
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
            .collect();
        if names.is_empty() {
            names.push(self.name);
        }
        let program = Arc::new(program);
        Some(Embedded { program, names })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_program_is_what_its_digest_says_and_is_installed_once() {
        let mut seen = std::collections::HashSet::new();
        for embedded in embedded() {
            embedded.program.wasm().unwrap();
            for name in &embedded.names {
                let program = embedded.program.name();
                assert!(seen.insert(*name), "{name} again in {program}");
                assert!(!name.contains(char::is_whitespace), "{name:?} of {program}");
            }
        }
    }
}
