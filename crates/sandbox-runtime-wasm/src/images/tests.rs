//! Pulling images from a registry on loopback that may be anything but honest.

use std::io::Write as _;

use futures_util::StreamExt;
use sandbox_core::{Error, ErrorKind, Progress};

use super::manifest::Manifest;
use super::mirror::{Answer, Mirror};
use super::prepare::{Reporter, reported};
use super::pull::fetch;
use super::registries::Registries;
use super::store::ImageStore;
use super::{RegistryKind, base};
use crate::fs::{FileSystem, Limits};
use crate::programs::Digest;

const CRATE: &str = "/a-language/1.0.0/download";

/// A program, as a package has it: a library.
fn library() -> Vec<u8> {
    let text = r#"(module
        (import "elsewhere" "answer" (func $answer (result i32)))
        (memory (export "memory") 1)
        (func (export "run") (result i32) (i32.add (call $answer) (i32.const 1))))"#;
    wat::parse_str(text).unwrap()
}

type Entry<'a> = (&'a str, tar::EntryType, &'a [u8]);

fn file<'a>(path: &'a str, bytes: &'a [u8]) -> Entry<'a> {
    (path, tar::EntryType::Regular, bytes)
}

/// A package in cargo's format; names are written as they are, also those that climb.
fn package(entries: &[Entry<'_>]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (path, kind, bytes) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn honest() -> Vec<u8> {
    package(&[
        file("a-language-1.0.0/run.wasm", &library()),
        file("a-language-1.0.0/lib/std.txt", b"standard library"),
        file("a-language-1.0.0/README.md", b"not wanted"),
    ])
}

/// A manifest that pins `package`, and the files as they should be.
fn manifest(package: &[u8]) -> Manifest {
    let library = library();
    let text = format!(
        r#"
        name = "language"
        version = "1.0.0"
        summary = "a language"
        licence = "MIT"
        [package]
        registry = "cargo"
        name = "a-language"
        version = "1.0.0"
        file = "a-language-1.0.0.crate"
        sha256 = "{}"
        bytes = {}
        [[program]]
        name = "language"
        names = ["/usr/local/bin/language", "/usr/local/bin/lang"]
        source = {{ path = "run.wasm", sha256 = "{}", bytes = {} }}
        [program.adapt]
        start = [{{ function = "run", kind = "exit" }}]
        stub = [{{ module = "elsewhere", name = "answer", answer = 41 }}]
        [[file]]
        path = "/usr/local/lib/std.txt"
        mode = 0o644
        source = {{ path = "lib/std.txt", sha256 = "{}", bytes = 16 }}
        "#,
        Digest::of(package),
        package.len(),
        Digest::of(&library),
        library.len(),
        Digest::of(b"standard library"),
    );
    toml::from_str(&text).unwrap()
}

struct Fixture {
    _directory: tempfile::TempDir,
    store: ImageStore,
    mirror: Mirror,
}

fn fixture(answer: Answer) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    Fixture {
        store: ImageStore::at(directory.path().join("images")),
        _directory: directory,
        mirror: Mirror::new([(CRATE, answer)]),
    }
}

impl Fixture {
    fn registries(&self) -> Registries {
        Registries::none().set(RegistryKind::Cargo, &self.mirror.url)
    }

    async fn pull(&self, manifest: &Manifest) -> Result<(), Error> {
        fetch(
            &self.store,
            manifest,
            &self.registries(),
            &Reporter::nobody(),
        )
        .await
    }

    /// What is in the store beside locks.
    fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.store.dir()).into_iter().flatten();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with(".lock")).collect()
    }
}

#[tokio::test]
async fn a_pulled_image_has_its_files_and_programs_over_base() {
    let (package, base) = (honest(), base::image().unwrap());
    let fixture = fixture(Answer::Bytes(package.clone()));
    let manifest = manifest(&package);
    let error = fixture.store.load(&manifest, &base).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.message().contains("sandbox images pull language"),
        "{error}"
    );

    fixture.pull(&manifest).await.unwrap();
    assert!(fixture.store.has(&manifest) && fixture.store.size(&manifest) > Some(0));
    let image = fixture.store.load(&manifest, &base).unwrap();
    let files = FileSystem::from_snapshot(&image.files, Limits::default()).unwrap();
    let text = |path: &str| files.contents(path).unwrap().to_vec(1000).unwrap();
    assert_eq!(text("/usr/local/lib/std.txt"), b"standard library");
    assert!(text("/etc/passwd").starts_with(b"root:"));
    let digest = crate::programs::stub_digest(&text("/usr/local/bin/lang")).unwrap();
    let program = image.programs.get(&digest).unwrap();
    assert_eq!(program.name(), "language");
    program.wasm().unwrap();

    let before = fixture.mirror.requests();
    fixture.pull(&manifest).await.unwrap();
    assert_eq!(fixture.mirror.requests(), before, "it is here");
    fixture.store.remove(&manifest).unwrap();
    assert!(!fixture.store.has(&manifest));
    let error = fixture.store.remove(&manifest).unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("image"))
    );
}

#[tokio::test]
async fn who_pulls_the_same_waits_and_it_is_fetched_once() {
    let package = honest();
    let fixture = fixture(Answer::Slowly(package.clone()));
    let manifest = manifest(&package);
    let pulls = (0..4).map(|_| fixture.pull(&manifest));
    for pulled in futures_util::future::join_all(pulls).await {
        pulled.unwrap();
    }
    assert_eq!(fixture.mirror.requests(), 1);
}

#[tokio::test]
async fn what_is_not_pinned_is_refused_and_leaves_nothing() {
    let package = honest();
    let manifest = manifest(&package);
    let mut changed = package.clone();
    *changed.last_mut().unwrap() ^= 1;
    let longer = [package.as_slice(), b"x"].concat();
    let shorter = package[..package.len() - 1].to_vec();
    for (answer, kind, said) in [
        (
            Answer::Bytes(changed),
            ErrorKind::Internal,
            "another digest",
        ),
        (Answer::Bytes(longer), ErrorKind::Internal, "more than"),
        (
            Answer::Bytes(shorter.clone()),
            ErrorKind::Unavailable,
            "ended after",
        ),
        (
            Answer::Cut(shorter),
            ErrorKind::Unavailable,
            "connection broke",
        ),
    ] {
        let fixture = fixture(answer);
        let error = fixture.pull(&manifest).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(said), "{said}: {error}");
        assert_eq!(fixture.left(), [""; 0]);
    }
}

#[tokio::test]
async fn a_registry_that_has_it_not_or_is_not_there_is_said() {
    let manifest = manifest(&honest());
    let fixture = fixture(Answer::Bytes(Vec::new()));
    let other = Registries::none().set(RegistryKind::Cargo, format!("{}/no", fixture.mirror.url));
    let nobody = Reporter::nobody();
    let error = fetch(&fixture.store, &manifest, &other, &nobody)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("404"), "{error}");
    let gone = Registries::none().set(RegistryKind::Cargo, "http://127.0.0.1:1");
    let error = fetch(&fixture.store, &manifest, &gone, &nobody)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().contains("does not answer"), "{error}");
    let unknown = Registries::none();
    let error = fetch(&fixture.store, &manifest, &unknown, &nobody)
        .await
        .unwrap_err();
    assert_eq!(error.field(), Some("SANDBOX_IMAGES_CARGO_URL"));
    assert_eq!(fixture.left(), [""; 0]);
}

#[tokio::test]
async fn a_redirect_is_followed_to_its_end() {
    let package = honest();
    let target = Mirror::new([("/file", Answer::Bytes(package.clone()))]);
    let fixture = fixture(Answer::Redirect(format!("{}/file", target.url)));
    fixture.pull(&manifest(&package)).await.unwrap();
    let around = Mirror::new([(CRATE, Answer::Redirect(CRATE.to_owned()))]);
    let registries = Registries::none().set(RegistryKind::Cargo, &around.url);
    fixture.store.remove(&manifest(&package)).unwrap();
    let (manifest, nobody) = (manifest(&package), Reporter::nobody());
    let pulled = fetch(&fixture.store, &manifest, &registries, &nobody);
    assert_eq!(pulled.await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(around.requests() < 20);
}

/// A package whose digest is pinned, and which is still not as the manifest says.
#[tokio::test]
async fn archives_that_climb_swell_or_lie_give_nothing() {
    let library = library();
    let run = file("a-language-1.0.0/run.wasm", &library);
    let swollen = vec![0; 1 << 20];
    let link = tar::EntryType::Symlink;
    for (what, entries, said) in [
        (
            "swells",
            vec![run, file("a-language-1.0.0/lib/std.txt", &swollen)],
            "more than 16",
        ),
        (
            "lies",
            vec![
                run,
                file("a-language-1.0.0/lib/std.txt", b"another  library"),
            ],
            "digest",
        ),
        (
            "links",
            vec![run, ("a-language-1.0.0/lib/std.txt", link, &b""[..])],
            "no file",
        ),
        (
            "climbs",
            vec![
                run,
                file("a-language-1.0.0/../lib/std.txt", b"standard library"),
            ],
            "it has no",
        ),
        (
            "is elsewhere",
            vec![run, file("/lib/std.txt", b"standard library")],
            "it has no",
        ),
    ] {
        let package = package(&entries);
        let fixture = fixture(Answer::Bytes(package.clone()));
        let error = fixture.pull(&manifest(&package)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::Internal, Some("image")),
            "{what}"
        );
        assert!(error.message().contains(said), "{what}: {error}");
        assert_eq!(fixture.left(), [""; 0], "{what}");
    }
}

#[tokio::test]
async fn names_beside_the_pinned_ones_lead_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    let climbing = format!(
        "a-language-1.0.0/../../../../../..{}/x",
        outside.path().display()
    );
    let library = library();
    let package = package(&[
        file(&climbing, b"out"),
        file("/etc/passwd-of-a-package", b"out"),
        file("a-language-1.0.0/run.wasm", &library),
        file("a-language-1.0.0/lib/std.txt", b"standard library"),
    ]);
    let fixture = fixture(Answer::Bytes(package.clone()));
    fixture.pull(&manifest(&package)).await.unwrap();
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    assert!(!std::path::Path::new("/etc/passwd-of-a-package").exists());
}

#[tokio::test]
async fn a_damaged_image_is_not_used_and_says_what_to_do() {
    let (package, base) = (honest(), base::image().unwrap());
    let fixture = fixture(Answer::Bytes(package.clone()));
    let manifest = manifest(&package);
    fixture.pull(&manifest).await.unwrap();
    let place = fixture.store.place(&manifest);
    std::fs::write(place.join("file-0"), "changed").unwrap();
    let error = fixture.store.load(&manifest, &base).unwrap_err();
    assert!(
        error.message().contains("sandbox images rm language"),
        "{error}"
    );
    std::fs::write(place.join("image.json"), "{}").unwrap();
    assert!(fixture.store.load(&manifest, &base).is_err());
}

#[tokio::test]
async fn an_index_page_leads_to_a_wheel() {
    let mut wheel = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (name, bytes) in [
        ("run.wasm", library()),
        ("lib/std.txt", b"standard library".to_vec()),
    ] {
        wheel.start_file(name, options).unwrap();
        wheel.write_all(&bytes).unwrap();
    }
    let wheel = wheel.finish().unwrap().into_inner();
    let mut manifest = manifest(&wheel);
    manifest.package.registry = RegistryKind::Pypi;
    manifest.package.file = "a_language-1.0.0-py3-none-any.whl".to_owned();
    let page = br#"<a href="../files/a_language-1.0.0-py3-none-any.whl#sha256=0">x</a>"#;
    let mirror = Mirror::new([
        ("/simple/a-language/", Answer::Bytes(page.to_vec())),
        (
            "/simple/files/a_language-1.0.0-py3-none-any.whl",
            Answer::Bytes(wheel),
        ),
    ]);
    let directory = tempfile::tempdir().unwrap();
    let store = ImageStore::at(directory.path());
    let registries = Registries::none().set(RegistryKind::Pypi, format!("{}/simple/", mirror.url));
    fetch(&store, &manifest, &registries, &Reporter::nobody())
        .await
        .unwrap();
    store.load(&manifest, &base::image().unwrap()).unwrap();
}

#[tokio::test]
async fn progress_counts_the_bytes_and_ends_with_the_error() {
    let package = honest();
    let manifest = manifest(&package);
    let fixture = fixture(Answer::Slowly(package.clone()));
    let (store, registries) = (fixture.store.clone(), fixture.registries());
    let reports: Vec<Result<Progress, Error>> = reported(move |reporter| async move {
        fetch(&store, &manifest, &registries, &reporter).await?;
        Err(Error::new(ErrorKind::Conflict, "test", "the end"))
    })
    .collect()
    .await;
    let total = package.len() as u64;
    let counted = reports
        .iter()
        .flatten()
        .filter(|report| report.total == Some(total));
    assert!(counted.count() > 0, "{reports:?}");
    let errors: Vec<_> = reports
        .iter()
        .filter_map(|report| report.as_ref().err())
        .collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind(), ErrorKind::Conflict);
}
