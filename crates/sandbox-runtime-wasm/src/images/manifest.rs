//! The images that can be fetched: what they are made of, and from where.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::programs::Digest;

/// The manifests that are part of this program.
const TEXTS: [&str; 2] = [
    include_str!("manifests/python.toml"),
    include_str!("manifests/javascript.toml"),
];

/// Files that manifests put into trees.
const OWN: [(&str, &str); 2] = [
    ("main.mjs", include_str!("javascript/main.mjs")),
    ("modules.mjs", include_str!("javascript/modules.mjs")),
];

/// What an image is made of: files of one package of a package registry, over the tree of `base`.
/// The package is pinned by its digest, and so is each file in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The image's name.
    pub name: String,
    /// Other names that lead to it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The version of what is in it.
    pub version: String,
    /// What it is, in a few words.
    pub summary: String,
    /// The licences of what is in it, as an SPDX expression.
    pub licence: String,
    /// The package.
    pub package: Package,
    /// Programs.
    pub program: Vec<ProgramEntry>,
    /// Files for the tree.
    #[serde(default)]
    pub file: Vec<FileEntry>,
    /// Files for the tree that are part of this program.
    #[serde(default)]
    pub own: Vec<OwnFile>,
    /// Environment variables of every command.
    #[serde(default)]
    pub env: std::collections::BTreeMap<String, String>,
}

/// A file for the tree that is part of this program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnFile {
    /// Its name here.
    pub name: String,
    /// Where it is put, readable for everybody.
    pub path: String,
}

impl OwnFile {
    /// What is in it.
    pub(super) fn text(&self) -> Option<&'static str> {
        OWN.iter()
            .find(|(name, _)| *name == self.name)
            .map(|(_, text)| *text)
    }
}

/// A package of a registry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The kind of registry.
    pub registry: RegistryKind,
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The name of the file that the registry keeps it in.
    pub file: String,
    /// The digest of that file.
    #[serde(with = "as_text")]
    pub sha256: Digest,
    /// The length of that file in bytes.
    pub bytes: u64,
}

/// The kinds of package registries that images are fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegistryKind {
    /// Cargo's.
    Cargo,
    /// npm's.
    Npm,
    /// pip's.
    Pypi,
}

/// A file of the package that is a program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramEntry {
    /// Its name.
    pub name: String,
    /// The file in the package.
    pub source: Source,
    /// The names it is installed under: plain ones, for `/usr/bin`, or absolute paths.
    pub names: Vec<String>,
    /// How it is made a program, where it is none yet.
    #[serde(default)]
    pub adapt: Option<Adapt>,
}

/// How a module that is no command becomes one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapt {
    /// The exported functions that are called one after the other, and with what.
    pub start: Vec<Step>,
    /// Modules whose functions nothing provides: those that are imported from them answer with a
    /// constant.
    #[serde(default)]
    pub stub: Vec<Stub>,
}

/// How a function is called at the start of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// It takes nothing and returns nothing.
    Call,
    /// Without arguments; the result is the program's exit code.
    Exit,
    /// With the number of arguments of the program and their addresses, as `main` of C; the result
    /// is dropped.
    Main,
}

/// A call at the start of a program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The exported function.
    pub function: String,
    /// How it is called.
    pub kind: StepKind,
    /// For [`StepKind::Main`]: what stands between the program's name and its own arguments.
    #[serde(default)]
    pub args: Vec<String>,
}

/// What an imported function answers that nothing provides.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stub {
    /// The module it is imported from.
    pub module: String,
    /// Its name.
    pub name: String,
    /// The answer.
    pub answer: i32,
}

/// A file of the package that is put into the tree.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// The file in the package.
    pub source: Source,
    /// Where it is put.
    pub path: String,
    /// Its permission bits.
    pub mode: u32,
}

/// A file in a package.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its path in the package.
    pub path: String,
    /// Whether it is packed once more.
    #[serde(default)]
    pub packed: Packed,
    /// The digest of its bytes, unpacked.
    #[serde(with = "as_text")]
    pub sha256: Digest,
    /// Its bytes, unpacked.
    pub bytes: u64,
}

/// How a file in a package is packed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packed {
    /// Not at all.
    #[default]
    No,
    /// With xz.
    Xz,
}

mod as_text {
    use serde::de::{Deserialize, Deserializer, Error};

    use crate::programs::Digest;

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(Error::custom)
    }
}

impl Manifest {
    /// All manifests.
    pub fn all() -> &'static [Self] {
        static ALL: OnceLock<Vec<Manifest>> = OnceLock::new();
        ALL.get_or_init(|| {
            let parsed = TEXTS.iter().map(|text| toml::from_str(text));
            parsed
                .filter_map(|one: Result<Self, _>| {
                    let failed = |error: &_| tracing::error!(%error, "a built-in manifest");
                    one.inspect_err(failed).ok()
                })
                .collect()
        })
    }

    /// The manifest of the image that `name` leads to.
    pub fn named(name: &str) -> Option<&'static Self> {
        let leads_here = |one: &&Self| one.name == name || one.aliases.iter().any(|a| a == name);
        Self::all().iter().find(leads_here)
    }

    /// The image that has the command `program`.
    pub fn with_program(program: &str) -> Option<&'static Self> {
        let has = |one: &&Self| {
            let names = one.program.iter().flat_map(|program| &program.names);
            names
                .into_iter()
                .any(|name| name.rsplit('/').next() == Some(program))
        };
        Self::all().iter().find(has)
    }

    /// What an installed image is kept under: another one when anything in the manifest changes.
    pub(super) fn key(&self) -> String {
        let text = format!("{self:?}");
        Digest::of(text.as_bytes()).to_string()[..16].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_can_be_read_and_names_lead_to_one_image() {
        assert_eq!(Manifest::all().len(), TEXTS.len());
        let mut seen = std::collections::HashSet::new();
        for manifest in Manifest::all() {
            assert!(manifest.package.bytes < 256 << 20, "{}", manifest.name);
            for name in manifest.aliases.iter().chain([&manifest.name]) {
                assert!(seen.insert(name), "{name} twice");
                assert_eq!(Manifest::named(name).unwrap().name, manifest.name);
            }
            for own in &manifest.own {
                assert!(own.text().is_some(), "{}", own.name);
            }
            for program in &manifest.program {
                for name in &program.names {
                    let last = name.rsplit('/').next().unwrap();
                    let image = Manifest::with_program(last).unwrap();
                    assert_eq!(image.name, manifest.name, "{name}");
                }
            }
        }
        assert!(Manifest::named("no such image").is_none());
        assert!(Manifest::with_program("no-such-program").is_none());
    }

    #[test]
    fn licences_are_permissive() {
        for manifest in Manifest::all() {
            for word in ["GPL", "AGPL", "SSPL", "BUSL", "proprietary"] {
                assert!(!manifest.licence.contains(word), "{}", manifest.name);
            }
        }
    }
}
