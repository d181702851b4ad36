//! Taking the pinned files out of a package.
//!
//! Only files that a manifest names are taken, whatever else the package has, so names that climb
//! lead nowhere. Each has its length and digest pinned; what is unpacked on the way is bounded.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};

use sandbox_core::{Error, ErrorKind, Result};

use super::manifest::{Manifest, Package, Packed, Source};
use crate::programs::Digest;

/// The most bytes that an archive may unpack to.
const MAX_UNPACKED: u64 = 1 << 30;
/// The most entries of an archive.
const MAX_ENTRIES: usize = 100_000;

/// Files by their path in the package.
pub(super) type Files = HashMap<String, Vec<u8>>;

/// Takes what `manifest` names out of `archive`.
///
/// # Errors
/// `Internal` with field `image` when the package is not as the manifest says.
pub(super) fn take(manifest: &Manifest, archive: File) -> Result<Files> {
    let programs = manifest.program.iter().map(|program| &program.source);
    let sources: Vec<&Source> = programs
        .chain(manifest.file.iter().map(|file| &file.source))
        .collect();
    let package = &manifest.package;
    let wanted = Wanted {
        sources,
        prefix: prefix(package),
    };
    let name = package.file.as_str();
    let taken = match () {
        () if name.ends_with(".whl") || name.ends_with(".zip") => wanted.of_zip(archive),
        () => wanted.of_tar(archive),
    };
    let mut packed = taken.map_err(|e| wrong(package, &e.to_string()))?;
    let mut files = Files::new();
    for source in wanted.sources {
        let bytes = packed
            .remove(&source.path)
            .ok_or_else(|| wrong(package, &format!("it has no {}", source.path)))?;
        let bytes = unpack(source, bytes);
        let bytes = bytes.map_err(|e| wrong(package, &format!("{}: {e}", source.path)))?;
        files.insert(source.path.clone(), bytes);
    }
    Ok(files)
}

fn wrong(package: &Package, why: &str) -> Error {
    let (name, version) = (&package.name, &package.version);
    let message = format!("the package {name} {version} is not as it should be: {why}");
    Error::new(ErrorKind::Internal, "wasm.pull", message).with_field("image")
}

/// The directory that everything in a package is in.
fn prefix(package: &Package) -> String {
    use super::manifest::RegistryKind;
    match package.registry {
        RegistryKind::Cargo => format!("{}-{}/", package.name, package.version),
        RegistryKind::Npm => "package/".to_owned(),
        RegistryKind::Pypi => String::new(),
    }
}

struct Wanted<'a> {
    sources: Vec<&'a Source>,
    prefix: String,
}

impl Wanted<'_> {
    fn find(&self, path: &str) -> Option<&Source> {
        let path = path.strip_prefix(&self.prefix)?;
        self.sources
            .iter()
            .find(|source| source.path == path)
            .copied()
    }

    fn of_tar(&self, archive: File) -> io::Result<Files> {
        let plain = flate2::read::GzDecoder::new(archive).take(MAX_UNPACKED);
        let mut archive = tar::Archive::new(plain);
        let mut files = Files::new();
        for (index, entry) in archive.entries()?.enumerate() {
            check_entries(index)?;
            let entry = entry?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            if let Some(source) = self.find(&path) {
                if !entry.header().entry_type().is_file() {
                    return Err(io::Error::other(format!("{path} is no file")));
                }
                files.insert(source.path.clone(), read(entry, limit(source))?);
            }
        }
        Ok(files)
    }

    fn of_zip(&self, archive: File) -> io::Result<Files> {
        let mut archive = zip::ZipArchive::new(archive).map_err(io::Error::other)?;
        check_entries(archive.len())?;
        let mut files = Files::new();
        for source in &self.sources {
            let path = format!("{}{}", self.prefix, source.path);
            let entry = archive.by_name(&path).map_err(io::Error::other)?;
            files.insert(source.path.clone(), read(entry, limit(source))?);
        }
        Ok(files)
    }
}

fn check_entries(count: usize) -> io::Result<()> {
    match count <= MAX_ENTRIES {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "it has more than {MAX_ENTRIES} entries"
        ))),
    }
}

/// The most bytes of the file as it is in the package.
fn limit(source: &Source) -> u64 {
    match source.packed {
        Packed::No => source.bytes,
        // xz may add a little to what cannot be packed.
        Packed::Xz => source.bytes + source.bytes / 16 + 4096,
    }
}

fn read(mut from: impl Read, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.by_ref().take(limit + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 <= limit {
        true => Ok(bytes),
        false => Err(io::Error::other(format!(
            "a file has more than {limit} bytes"
        ))),
    }
}

fn unpack(source: &Source, packed: Vec<u8>) -> io::Result<Vec<u8>> {
    let bytes = match source.packed {
        Packed::No => packed,
        Packed::Xz => read(
            lzma_rust2::XzReader::new(packed.as_slice(), true),
            source.bytes,
        )?,
    };
    if Digest::of(&bytes) != source.sha256 {
        return Err(io::Error::other("it has another digest"));
    }
    Ok(bytes)
}
