//! Programs that images bring, and how a file in a sandbox says that it is one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use super::digest::Digest;

/// How the file of a program begins, before the digest.
const STUB: &str = "\0sandbox-program sha256:";
/// The most bytes of such a file.
pub const MAX_STUB_BYTES: usize = 256;

/// A program of an image: its name, and the digest that its bytes have.
pub struct Program {
    name: Arc<str>,
    digest: Digest,
    bytes: Bytes,
}

/// Where the bytes of a program are.
enum Bytes {
    Plain(&'static [u8]),
    Xz { packed: &'static [u8], size: usize },
    Owned(Vec<u8>),
    File(PathBuf),
}

impl Program {
    /// A program whose bytes are part of this one, as they are.
    pub(crate) fn plain(name: &str, digest: Digest, bytes: &'static [u8]) -> Self {
        Self::new(name, digest, Bytes::Plain(bytes))
    }

    /// A program whose bytes are part of this one, packed with xz; `size` bytes when unpacked.
    pub(crate) fn packed(name: &str, digest: Digest, packed: &'static [u8], size: usize) -> Self {
        Self::new(name, digest, Bytes::Xz { packed, size })
    }

    /// A program from memory.
    pub fn owned(name: &str, bytes: Vec<u8>) -> Self {
        Self::new(name, Digest::of(&bytes), Bytes::Owned(bytes))
    }

    /// A program in a file of the host.
    pub(crate) fn file(name: &str, digest: Digest, path: PathBuf) -> Self {
        Self::new(name, digest, Bytes::File(path))
    }

    fn new(name: &str, digest: Digest, bytes: Bytes) -> Self {
        Self {
            name: name.into(),
            digest,
            bytes,
        }
    }

    /// The name, for a person.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the bytes are known by.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The bytes, unpacked and compared with the digest.
    ///
    /// # Errors
    /// When a file cannot be read, or the bytes are not those of the digest.
    pub(crate) fn wasm(&self) -> io::Result<Cow<'_, [u8]>> {
        let bytes = match &self.bytes {
            Bytes::Plain(bytes) => Cow::Borrowed(*bytes),
            Bytes::Owned(bytes) => Cow::Borrowed(bytes.as_slice()),
            Bytes::Xz { packed, size } => Cow::Owned(unpack(packed, *size)?),
            Bytes::File(path) => Cow::Owned(fs::read(path)?),
        };
        if Digest::of(&bytes) != self.digest {
            let message = format!("the program `{}` is not what it was", self.name);
            return Err(io::Error::other(message));
        }
        Ok(bytes)
    }

    /// The file that stands for this program in a sandbox's tree.
    pub fn stub(&self) -> String {
        format!("{STUB}{} {}\n", self.digest, self.name)
    }
}

fn unpack(packed: &[u8], size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size);
    let reader = lzma_rust2::XzReader::new(packed, true);
    reader.take(size as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Program({}, {})", self.name, self.digest)
    }
}

/// The digest in a file that stands for a program; `None` for any other file.
pub fn stub_digest(file: &[u8]) -> Option<Digest> {
    if file.len() > MAX_STUB_BYTES {
        return None;
    }
    let rest = file.strip_prefix(STUB.as_bytes())?;
    let (digest, rest) = rest.split_at_checked(64)?;
    let named = rest.first() == Some(&b' ') && rest.last() == Some(&b'\n');
    named.then_some(())?;
    std::str::from_utf8(digest).ok()?.parse().ok()
}

/// The programs that a sandbox may run by their digest: those of its image. A clone shares them.
#[derive(Debug, Clone, Default)]
pub struct ProgramSet(Arc<BTreeMap<Digest, Arc<Program>>>);

impl ProgramSet {
    /// A set of `programs`.
    pub fn new(programs: impl IntoIterator<Item = Arc<Program>>) -> Self {
        let programs = programs.into_iter();
        Self(Arc::new(programs.map(|p| (p.digest(), p)).collect()))
    }

    /// The program with this digest.
    pub fn get(&self, digest: &Digest) -> Option<&Arc<Program>> {
        self.0.get(digest)
    }

    /// All of them, in no order that says anything.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Program>> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_leads_back_to_its_program() {
        let program = Arc::new(Program::owned("tools", b"bytes".to_vec()));
        let stub = program.stub();
        assert!(stub.starts_with("\0sandbox-program sha256:") && stub.ends_with(" tools\n"));
        let digest = stub_digest(stub.as_bytes()).unwrap();
        let set = ProgramSet::new([program]);
        assert_eq!(set.get(&digest).unwrap().name(), "tools");
        assert!(set.get(&Digest::of(b"other")).is_none());
    }

    #[test]
    fn other_files_are_no_stubs() {
        let stub = Program::owned("tools", Vec::new()).stub();
        let long = stub.replace("tools", &"t".repeat(300));
        for file in [
            "",
            "\0asm\x01\0\0\0",
            "#!/bin/sh\n",
            &stub[1..],
            &stub[..40],
            stub.trim_end(),
            &stub.replace(" tools", ""),
            &stub.replace("sha256", "sha512"),
            &long,
        ] {
            assert_eq!(stub_digest(file.as_bytes()), None, "{file:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_those_of_the_digest_are_refused() {
        let wrong = Program::plain("p", Digest::of(b"other"), b"bytes");
        assert!(wrong.wasm().is_err());
        let right = Program::plain("p", Digest::of(b"bytes"), b"bytes");
        assert_eq!(right.wasm().unwrap(), &b"bytes"[..]);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p.wasm");
        let file = Program::file("p", Digest::of(b"bytes"), path.clone());
        assert!(file.wasm().is_err(), "no such file");
        fs::write(&path, b"bytes").unwrap();
        assert_eq!(file.wasm().unwrap(), &b"bytes"[..]);
        fs::write(&path, b"bites").unwrap();
        assert!(file.wasm().is_err(), "changed");
    }
}
