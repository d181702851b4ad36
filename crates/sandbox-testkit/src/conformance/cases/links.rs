//! Links: described, followed, and never a way out.

use sandbox_core::{
    Command, ErrorKind, FileKind, ListOptions, MakeDirOptions, ReadOptions, Result, Sandbox,
    SandboxExt, SandboxPath,
};

use crate::conformance::harness::path;
use crate::conformance::trial::{Trial, refused};

pub(in crate::conformance) async fn links_are_described_and_followed(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let (file, link) = (t.path("target"), t.path("link"));
    sandbox.write_all(&file, "old".into()).await?;
    t.out(&sandbox, &format!("ln -s target {link}")).await?;
    let info = sandbox.stat(&link).await?;
    assert_eq!(info.kind, FileKind::Symlink);
    let described = info.link.expect("a link says where it leads");
    assert_eq!(described.text, "target");
    let target = described.target.expect("something is there");
    assert_eq!((&target.path, target.kind), (&file, FileKind::File));
    assert_eq!(sandbox.read_to_string(&link).await?, "old");
    sandbox.write_all(&link, "new".into()).await?;
    assert_eq!(
        sandbox.read_to_string(&file).await?,
        "new",
        "writing follows a link"
    );
    assert_eq!(sandbox.stat(&link).await?.kind, FileKind::Symlink);
    sandbox.remove(&link, false).await?;
    assert_eq!(
        sandbox.read_to_string(&file).await?,
        "new",
        "removing does not"
    );
    Ok(())
}

pub(in crate::conformance) async fn dangling_links_and_loops_end(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let dir = t.path("links");
    let line = format!(
        "mkdir {dir} && cd {dir} && ln -s nowhere dangling && ln -s b a && ln -s a b && ln -s . self"
    );
    t.out(&sandbox, &line).await?;
    for name in ["dangling", "a"] {
        let link = dir.join(name)?;
        let info = sandbox.stat(&link).await?;
        assert_eq!(info.kind, FileKind::Symlink);
        assert_eq!(info.link.expect("a link says where it leads").target, None);
        let read = sandbox.read(&link, ReadOptions::default()).await;
        let error = read.map(drop).expect_err("nothing is there");
        assert_eq!(error.field(), Some("path"), "{error}");
        assert!(
            matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Conflict),
            "{error}"
        );
    }
    let deep = ListOptions {
        depth: 50,
        ..ListOptions::default()
    };
    let listed = sandbox.list(&dir, deep).await?;
    assert_eq!(
        listed.len(),
        4,
        "links are not followed on the way down: {listed:?}"
    );
    Ok(())
}

/// A file on the machine that runs the suite, which no sandbox may see or change.
struct HostFile(std::path::PathBuf);

impl HostFile {
    fn new(content: &str) -> Self {
        let name = crate::conformance::trial::new_id();
        let path = std::env::temp_dir().join(format!("host-{name}"));
        std::fs::write(&path, content).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self(path)
    }

    fn text(&self) -> &str {
        self.0
            .to_str()
            .unwrap_or_else(|| panic!("{}", self.0.display()))
    }
}

impl Drop for HostFile {
    fn drop(&mut self) {
        // It lies in the directory for temporary files, which somebody else may have cleaned.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Makes a link to a host file and asserts that neither end of it leaves the sandbox.
async fn stays_inside(t: &Trial, sandbox: &dyn Sandbox, text: &str, host: &HostFile) -> Result<()> {
    let link = t.path("way-out");
    let direct = path(host.text());
    let parent = direct.parent().unwrap_or_else(SandboxPath::root);
    sandbox.make_dir(&parent, MakeDirOptions::default()).await?;
    let command = Command::argv(["ln", "-sf", text, link.as_str()]);
    t.soon("ln ends", sandbox.exec(command)).await?;
    assert_eq!(sandbox.stat(&link).await?.kind, FileKind::Symlink);
    refused(
        sandbox.read(&link, ReadOptions::default()).await,
        ErrorKind::NotFound,
        Some("path"),
    );
    assert!(!sandbox.exists(&direct).await?, "the host's file is inside");
    sandbox.write_all(&link, "from the sandbox".into()).await?;
    assert_eq!(sandbox.read_to_string(&direct).await?, "from the sandbox");
    let kept = std::fs::read_to_string(&host.0);
    assert_eq!(kept.ok().as_deref(), Some("the host's own"));
    Ok(())
}

pub(in crate::conformance) async fn an_absolute_link_stays_inside(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let host = HostFile::new("the host's own");
    stays_inside(t, sandbox.as_ref(), host.text(), &host).await
}

pub(in crate::conformance) async fn a_link_that_climbs_stays_inside(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let host = HostFile::new("the host's own");
    let climbing = format!(
        "{}{}",
        "../".repeat(30),
        host.text().trim_start_matches('/')
    );
    stays_inside(t, sandbox.as_ref(), &climbing, &host).await
}

pub(in crate::conformance) async fn a_link_to_a_directory_is_no_way_out(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let host = HostFile::new("the host's own");
    let (parent, name) = host.text().rsplit_once('/').expect("it is absolute");
    let dir = t.path("dir");
    sandbox
        .make_dir(&path(parent), MakeDirOptions::default())
        .await?;
    t.out(&sandbox, &format!("ln -s {parent} {dir}")).await?;
    let through = dir.join(name)?;
    assert!(!sandbox.exists(&through).await?);
    sandbox
        .write_all(&through, "from the sandbox".into())
        .await?;
    sandbox.remove(&through, false).await?;
    let kept = std::fs::read_to_string(&host.0);
    assert_eq!(kept.ok().as_deref(), Some("the host's own"));
    Ok(())
}
