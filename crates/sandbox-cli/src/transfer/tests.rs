use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sandbox_core::{
    ByteStream, Command, ErrorKind, FileContent, FileInfo, FileKind, ListOptions, MakeDirOptions,
    ReadOptions, Result, Runtime, Sandbox, SandboxExt, SandboxId, SandboxPath, SandboxSpec, Source,
    WriteOptions, byte_stream,
};
use sandbox_testkit::{FAKE_IMAGE, FakeRuntime};

use super::*;

/// A sandbox in memory.
struct InMemory(Arc<dyn Sandbox>);

#[async_trait]
impl Files for InMemory {
    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        self.0.stat(path).await
    }

    async fn list(&self, path: &SandboxPath) -> Result<Vec<FileInfo>> {
        self.0.list(path, ListOptions::default()).await
    }

    async fn read(&self, path: &SandboxPath) -> Result<FileContent> {
        self.0.read(path, ReadOptions::default()).await
    }

    async fn write(
        &self,
        path: &SandboxPath,
        body: ByteStream,
        options: WriteOptions,
    ) -> Result<FileInfo> {
        self.0.write(path, body, options).await
    }

    async fn make_dir(&self, path: &SandboxPath) -> Result<bool> {
        self.0.make_dir(path, MakeDirOptions::default()).await
    }
}

async fn sandbox() -> InMemory {
    let id = SandboxId::from_random([1; 16]);
    let spec = SandboxSpec::builder(id, Source::Image(FAKE_IMAGE.into()));
    let runtime = FakeRuntime::new();
    InMemory(runtime.create(&spec.build().unwrap()).await.unwrap())
}

fn path(text: &str) -> SandboxPath {
    SandboxPath::new(text).unwrap()
}

async fn run(sandbox: &InMemory, line: &str) {
    let output = sandbox.0.exec(Command::shell(line)).await.unwrap();
    assert!(output.status.success(), "{line}: {}", output.stderr_lossy());
}

fn upload(sandbox: &InMemory) -> Upload<'_> {
    Upload::new(sandbox, false, true)
}

fn download(sandbox: &InMemory) -> Download<'_> {
    Download::new(sandbox, false, true)
}

#[tokio::test]
async fn a_tree_comes_back_as_it_went_in() {
    let sandbox = sandbox().await;
    let here = tempfile::tempdir().unwrap();
    let tree = here.path().join("tree");
    fs::create_dir_all(tree.join("a/b")).unwrap();
    fs::create_dir(tree.join("empty")).unwrap();
    let big: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(tree.join("a/b/big"), &big).unwrap();
    fs::write(tree.join("a/- odd\nname"), "x").unwrap();
    fs::write(tree.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(tree.join("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();

    let sent = upload(&sandbox).local(&tree, &path("/srv"), true).await;
    let sent = sent.unwrap();
    assert_eq!((sent.files, sent.directories), (3, 4));
    assert!(sent.skipped.is_empty());

    let back = here.path().join("back");
    let got = download(&sandbox).local(&path("/srv/tree"), &back).await;
    let got = got.unwrap();
    assert_eq!((got.files, got.directories, got.bytes), (3, 4, sent.bytes));
    assert_eq!(fs::read(back.join("a/b/big")).unwrap(), big);
    assert_eq!(fs::read(back.join("a/- odd\nname")).unwrap(), b"x");
    assert!(back.join("empty").is_dir());
    let mode = fs::metadata(back.join("run.sh"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o750);
}

#[tokio::test]
async fn a_file_goes_into_a_directory_that_is_there_and_else_gets_the_name() {
    let sandbox = sandbox().await;
    let here = tempfile::tempdir().unwrap();
    let file = here.path().join("note");
    fs::write(&file, "hello").unwrap();
    run(&sandbox, "mkdir -p /srv/in").await;
    for to in ["/srv/in", "/srv/new"] {
        let sent = upload(&sandbox).local(&file, &path(to), false).await;
        assert_eq!(sent.unwrap().files, 1);
    }
    for there in ["/srv/in/note", "/srv/new"] {
        let text = sandbox.0.read_to_string(&path(there)).await.unwrap();
        assert_eq!(text, "hello");
    }
    let dir = here.path().join("dir");
    fs::create_dir(&dir).unwrap();
    for to in [&dir, &here.path().join("named")] {
        let got = download(&sandbox).local(&path("/srv/new"), to).await;
        assert_eq!(got.unwrap().files, 1);
    }
    assert_eq!(fs::read(dir.join("new")).unwrap(), b"hello");
    assert_eq!(fs::read(here.path().join("named")).unwrap(), b"hello");
}

#[tokio::test]
async fn links_are_named_and_left_out_and_never_made_here() {
    let sandbox = sandbox().await;
    let here = tempfile::tempdir().unwrap();
    run(
        &sandbox,
        "mkdir -p /srv/t && cd /srv/t && echo x >f && ln -s f to_file && ln -s / to_dir && ln -s nowhere gone",
    )
    .await;
    let back = here.path().join("back");
    let got = download(&sandbox)
        .local(&path("/srv/t"), &back)
        .await
        .unwrap();
    let mut skipped: Vec<&str> = got.skipped.iter().map(|one| one.path.as_str()).collect();
    skipped.sort_unstable();
    assert_eq!(skipped, ["/srv/t/gone", "/srv/t/to_dir", "/srv/t/to_file"]);
    assert_eq!(fs::read_dir(&back).unwrap().count(), 1);

    let followed = Download::new(&sandbox, true, true);
    let got = followed
        .local(&path("/srv/t"), &here.path().join("f"))
        .await;
    assert_eq!(got.unwrap().skipped.len(), 2);
    let copied = here.path().join("f/to_file");
    assert!(fs::symlink_metadata(&copied).unwrap().is_file());

    symlink("/etc", back.join("link")).unwrap();
    let sent = upload(&sandbox).local(&back, &path("/srv/u"), false).await;
    assert_eq!(sent.unwrap().skipped.len(), 1);
}

#[tokio::test]
async fn set_user_id_bits_do_not_come_along() {
    let sandbox = sandbox().await;
    let here = tempfile::tempdir().unwrap();
    run(
        &sandbox,
        "mkdir -p /srv && echo x >/srv/f && chmod 6755 /srv/f",
    )
    .await;
    let to = here.path().join("f");
    download(&sandbox)
        .local(&path("/srv/f"), &to)
        .await
        .unwrap();
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o7000, 0);
}

#[tokio::test]
async fn a_link_here_that_leads_out_of_the_target_is_not_followed() {
    let sandbox = sandbox().await;
    let here = tempfile::tempdir().unwrap();
    run(
        &sandbox,
        "mkdir -p /srv/t/sub && echo mine >/srv/t/sub/f && echo mine >/srv/t/g",
    )
    .await;
    let (outside, target) = (here.path().join("outside"), here.path().join("target"));
    fs::create_dir(&outside).unwrap();
    fs::create_dir_all(&target).unwrap();
    fs::write(outside.join("g"), "kept").unwrap();

    // A file behind a link is replaced as the link, and not through it.
    symlink(outside.join("g"), target.join("g")).unwrap();
    // A directory behind a link that leads out is not entered.
    symlink(&outside, target.join("sub")).unwrap();
    let into = |to: &Path| to.to_owned();
    run(&sandbox, "mkdir -p /srv/x && cp /srv/t/g /srv/x/g").await;
    let got = download(&sandbox)
        .local(&path("/srv/x/g"), &into(&target))
        .await;
    got.unwrap();
    assert_eq!(fs::read(outside.join("g")).unwrap(), b"kept");
    assert_eq!(fs::read(target.join("g")).unwrap(), b"mine\n");

    fs::create_dir(target.join("t")).unwrap();
    symlink(&outside, target.join("t/sub")).unwrap();
    let refused = download(&sandbox).local(&path("/srv/t"), &target).await;
    assert_eq!(refused.unwrap_err().field(), Some("path"));
    assert!(!outside.join("f").exists());
}

#[tokio::test]
async fn what_fails_half_way_leaves_nothing_of_the_file() {
    let here = tempfile::tempdir().unwrap();
    let hostile = Hostile(Lie::BreaksOff);
    let to = here.path().join("f");
    fs::write(&to, "old").unwrap();
    let refused = Download::new(&hostile, false, true)
        .local(&path("/f"), &to)
        .await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(fs::read(&to).unwrap(), b"old");
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_path_outside_of_what_was_listed_is_refused_before_anything_is_written() {
    for lie in [Lie::Elsewhere, Lie::Deeper, Lie::Itself] {
        let here = tempfile::tempdir().unwrap();
        let hostile = Hostile(lie);
        let to = here.path().join("target");
        let refused = Download::new(&hostile, false, true)
            .local(&path("/d"), &to)
            .await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{lie:?}: {error:?}");
        assert_eq!(fs::read_dir(&to).unwrap().count(), 0);
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn directories_without_end_end() {
    let here = tempfile::tempdir().unwrap();
    let hostile = Hostile(Lie::Endless);
    let to = here.path().join("target");
    let refused = Download::new(&hostile, false, true)
        .local(&path("/d"), &to)
        .await;
    // The longest path there is ends it.
    assert!(refused.is_err());
}

/// What a hostile sandbox says about its files.
#[derive(Debug, Clone, Copy)]
enum Lie {
    /// A file breaks off while it is read.
    BreaksOff,
    /// A directory's entry lies in another one.
    Elsewhere,
    /// A directory's entry lies two levels down.
    Deeper,
    /// A directory is its own entry.
    Itself,
    /// Every directory has another one in it.
    Endless,
}

struct Hostile(Lie);

fn unused<T>() -> Result<T> {
    let error = sandbox_core::Error::new(ErrorKind::Internal, "test", "is not used here");
    Err(error)
}

#[async_trait]
impl Files for Hostile {
    async fn stat(&self, path: &SandboxPath) -> Result<FileInfo> {
        let kind = match self.0 {
            Lie::BreaksOff => FileKind::File,
            _ => FileKind::Directory,
        };
        Ok(FileInfo::new(path.clone(), kind, 10))
    }

    async fn list(&self, directory: &SandboxPath) -> Result<Vec<FileInfo>> {
        let (at, kind) = match self.0 {
            Lie::BreaksOff => return unused(),
            Lie::Elsewhere => (path("/etc/passwd"), FileKind::File),
            Lie::Deeper => (directory.join("a/b")?, FileKind::File),
            Lie::Itself => (directory.clone(), FileKind::Directory),
            Lie::Endless => (directory.join("d")?, FileKind::Directory),
        };
        Ok(vec![FileInfo::new(at, kind, 10)])
    }

    async fn read(&self, path: &SandboxPath) -> Result<FileContent> {
        let broken = sandbox_core::Error::new(ErrorKind::Unavailable, "test", "it broke off");
        let chunks = [Ok(Bytes::from_static(b"new")), Err(broken)];
        Ok(FileContent {
            info: FileInfo::new(path.clone(), FileKind::File, 10),
            body: Box::pin(futures_util::stream::iter(chunks)),
        })
    }

    async fn write(&self, _: &SandboxPath, _: ByteStream, _: WriteOptions) -> Result<FileInfo> {
        unused()
    }

    async fn make_dir(&self, _: &SandboxPath) -> Result<bool> {
        unused()
    }
}

#[tokio::test]
async fn a_device_is_written_into_and_not_replaced() {
    let sandbox = sandbox().await;
    let data = byte_stream("hello");
    let from = path("/srv/f");
    let written = sandbox.write(&from, data, WriteOptions::default());
    written.await.unwrap();
    let got = download(&sandbox)
        .local(&path("/srv/f"), Path::new("/dev/null"))
        .await;
    assert_eq!(got.unwrap().bytes, 5);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}
