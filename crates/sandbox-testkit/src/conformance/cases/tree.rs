//! Files: directories and attributes.

use sandbox_core::{
    Command, ErrorKind, FileKind, ListOptions, MakeDirOptions, ReadOptions, Result, SandboxExt,
    SandboxPath, User, WriteOptions, byte_stream,
};

use crate::conformance::trial::{Trial, refused};

pub(in crate::conformance) async fn a_directory_is_not_a_file(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let dir = t.path("dir");
    sandbox.make_dir(&dir, MakeDirOptions::default()).await?;
    let conflict = ErrorKind::Conflict;
    let read = sandbox.read(&dir, ReadOptions::default()).await;
    refused(read, conflict, Some("path"));
    refused(
        sandbox.write_all(&dir, "x".into()).await,
        conflict,
        Some("path"),
    );
    let root = sandbox
        .read(&SandboxPath::root(), ReadOptions::default())
        .await;
    refused(root, conflict, Some("path"));
    assert_eq!(sandbox.stat(&dir).await?.kind, FileKind::Directory);
    Ok(())
}

pub(in crate::conformance) async fn a_file_is_not_a_directory(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("file");
    sandbox.write_all(&file, "x".into()).await?;
    let conflict = ErrorKind::Conflict;
    let listed = sandbox.list(&file, ListOptions::default()).await;
    refused(listed, conflict, Some("path"));
    let below = file.join("below")?;
    refused(
        sandbox.write_all(&below, "y".into()).await,
        conflict,
        Some("path"),
    );
    let made = sandbox.make_dir(&file, MakeDirOptions::default()).await;
    refused(made, conflict, Some("path"));
    assert_eq!(sandbox.read_to_string(&file).await?, "x");
    Ok(())
}

pub(in crate::conformance) async fn making_a_directory_says_whether_it_was_there(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let dir = t.path("one/two");
    let alone = MakeDirOptions {
        create_parents: false,
        ..MakeDirOptions::default()
    };
    let made = sandbox.make_dir(&dir, alone).await;
    refused(made, ErrorKind::NotFound, Some("path"));
    let private = MakeDirOptions {
        mode: Some(0o700),
        ..MakeDirOptions::default()
    };
    assert!(sandbox.make_dir(&dir, private).await?);
    assert!(!sandbox.make_dir(&dir, MakeDirOptions::default()).await?);
    assert_eq!(
        sandbox.stat(&dir).await?.mode,
        0o700,
        "one that was there stays as it is"
    );
    assert_eq!(sandbox.stat(&t.path("one")).await?.mode, 0o755);
    Ok(())
}

pub(in crate::conformance) async fn directories_are_removed_whole_only_when_asked_for(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let dir = t.path("dir");
    sandbox
        .write_all(&dir.join("a/b/file")?, "x".into())
        .await?;
    let removed = sandbox.remove(&dir, false).await;
    refused(removed, ErrorKind::Conflict, Some("path"));
    assert!(sandbox.exists(&dir.join("a/b/file")?).await?);
    sandbox.remove(&dir, true).await?;
    assert!(!sandbox.exists(&dir).await?);
    sandbox.make_dir(&dir, MakeDirOptions::default()).await?;
    sandbox.remove(&dir, false).await?;
    assert!(!sandbox.exists(&dir).await?, "an empty one needs no asking");
    Ok(())
}

pub(in crate::conformance) async fn the_root_stays(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let root = SandboxPath::root();
    let removed = sandbox.remove(&root, true).await;
    refused(removed, ErrorKind::InvalidSpec, Some("path"));
    let moved = sandbox.rename(&root, &t.path("x")).await;
    refused(moved, ErrorKind::InvalidSpec, Some("from"));
    assert_eq!(t.out(&sandbox, "echo on").await?, "on\n");
    Ok(())
}

pub(in crate::conformance) async fn renaming_moves_and_replaces(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let (one, two) = (t.path("one"), t.path("two"));
    sandbox.write_all(&one, "1".into()).await?;
    sandbox.write_all(&two, "2".into()).await?;
    sandbox.rename(&one, &two).await?;
    assert!(!sandbox.exists(&one).await?);
    assert_eq!(sandbox.read_to_string(&two).await?, "1");
    let (from, to) = (t.path("from"), t.path("to"));
    sandbox
        .write_all(&from.join("sub/file")?, "x".into())
        .await?;
    sandbox.make_dir(&to, MakeDirOptions::default()).await?;
    sandbox.rename(&from, &to).await?;
    assert_eq!(sandbox.read_to_string(&to.join("sub/file")?).await?, "x");
    assert!(!sandbox.exists(&from).await?);
    Ok(())
}

pub(in crate::conformance) async fn renaming_refuses_what_makes_no_sense(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let (file, dir, full) = (t.path("file"), t.path("dir"), t.path("full"));
    sandbox.write_all(&file, "x".into()).await?;
    sandbox.write_all(&full.join("entry")?, "y".into()).await?;
    sandbox.make_dir(&dir, MakeDirOptions::default()).await?;
    let conflict = ErrorKind::Conflict;
    for (from, to, kind) in [
        (&dir, &full, conflict),
        (&dir, &file, conflict),
        (&file, &dir, conflict),
        (&full, &full.join("inside")?, conflict),
        (&file, &t.path("missing/file"), ErrorKind::NotFound),
    ] {
        refused(sandbox.rename(from, to).await, kind, Some("to"));
    }
    assert_eq!(sandbox.read_to_string(&file).await?, "x");
    assert_eq!(sandbox.read_to_string(&full.join("entry")?).await?, "y");
    Ok(())
}

pub(in crate::conformance) async fn permissions_are_kept(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("file");
    let with = |mode| WriteOptions {
        mode,
        ..WriteOptions::default()
    };
    let info = sandbox.write_all(&file, "1".into()).await?;
    assert_eq!(info.mode, 0o644, "the default");
    for mode in [0o600, 0o755, 0o444, 0o4711] {
        let info = sandbox
            .write(&file, byte_stream("2"), with(Some(mode)))
            .await?;
        assert_eq!(info.mode, mode);
        sandbox.write(&file, byte_stream("3"), with(None)).await?;
        assert_eq!(
            sandbox.stat(&file).await?.mode,
            mode,
            "kept by a later write"
        );
    }
    let too_much = sandbox
        .write(&file, byte_stream("4"), with(Some(0o10000)))
        .await;
    refused(too_much, ErrorKind::InvalidSpec, Some("mode"));
    let line = format!("chmod 640 {file}");
    t.out(&sandbox, &line).await?;
    assert_eq!(sandbox.stat(&file).await?.mode, 0o640);
    Ok(())
}

pub(in crate::conformance) async fn owners_are_kept(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let file = t.path("file");
    let by = |user: &str| {
        User::new(user).map(|user| WriteOptions {
            user: Some(user),
            ..WriteOptions::default()
        })
    };
    let info = sandbox
        .write(&file, byte_stream("x"), by("nobody")?)
        .await?;
    assert_eq!(info.uid, 65534);
    assert_eq!(info.owner.as_deref(), Some("nobody"));
    sandbox.write_all(&file, "y".into()).await?;
    assert_eq!(
        sandbox.stat(&file).await?.uid,
        65534,
        "kept by a later write"
    );
    let info = sandbox
        .write(&file, byte_stream("z"), by("1234:2345")?)
        .await?;
    assert_eq!((info.uid, info.gid), (1234, 2345));
    let unknown = sandbox
        .write(&file, byte_stream("!"), by("no-such-user")?)
        .await;
    refused(unknown, ErrorKind::NotFound, Some("user"));
    assert_eq!(sandbox.read_to_string(&file).await?, "z");
    Ok(())
}

pub(in crate::conformance) async fn commands_run_as_their_user(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    for (user, uid) in [("nobody", "65534\n"), ("1234", "1234\n"), ("root", "0\n")] {
        let command = Command::argv(["id", "-u"]).user(User::new(user)?);
        assert_eq!(t.exec(&sandbox, command).await?.stdout, uid, "{user}");
    }
    let unknown = Command::shell("true").user(User::new("no-such-user")?);
    refused(
        sandbox.spawn(unknown).await,
        ErrorKind::NotFound,
        Some("user"),
    );
    let secret = t.path("secret");
    let private = WriteOptions {
        mode: Some(0o600),
        ..WriteOptions::default()
    };
    sandbox
        .write(&secret, byte_stream("secret"), private)
        .await?;
    let peek = Command::argv(["cat", secret.as_str()]).user(User::new("nobody")?);
    let output = t.exec(&sandbox, peek).await?;
    assert!(!output.status.success() && output.stdout.is_empty());
    Ok(())
}

pub(in crate::conformance) async fn a_sandbox_can_have_another_user(t: &Trial) -> Result<()> {
    let sandbox = t.create(t.spec().user(User::new("nobody")?)).await?;
    assert_eq!(t.out(&sandbox, "id -u").await?, "65534\n");
    let info = sandbox.write_all(&t.path("own"), "x".into()).await?;
    assert_eq!(info.uid, 65534, "its files are that user's");
    Ok(())
}

pub(in crate::conformance) async fn listings_are_sorted_and_go_as_deep_as_asked(
    t: &Trial,
) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let dir = t.path("tree");
    for name in ["b", "a/x", "a/y/z", "c-", "a.b", "B"] {
        sandbox.write_all(&dir.join(name)?, "x".into()).await?;
    }
    for (depth, expected) in [
        (1, &["B", "a", "a.b", "b", "c-"][..]),
        (2, &["B", "a", "a.b", "a/x", "a/y", "b", "c-"]),
        (9, &["B", "a", "a.b", "a/x", "a/y", "a/y/z", "b", "c-"]),
    ] {
        let options = ListOptions {
            depth,
            ..ListOptions::default()
        };
        let listed = sandbox.list(&dir, options).await?;
        let listed: Vec<_> = listed.into_iter().map(|info| info.path).collect();
        let expected: Result<Vec<_>> = expected.iter().map(|name| dir.join(name)).collect();
        assert_eq!(listed, expected?);
    }
    Ok(())
}

pub(in crate::conformance) async fn listings_are_never_cut_short_silently(t: &Trial) -> Result<()> {
    let sandbox = t.sandbox().await?;
    let dir = t.path("many");
    for number in 0..5 {
        sandbox
            .write_all(&dir.join(number.to_string())?, "x".into())
            .await?;
    }
    let limited = |limit, depth| ListOptions { limit, depth };
    assert_eq!(sandbox.list(&dir, limited(5, 1)).await?.len(), 5);
    let listed = sandbox.list(&dir, limited(4, 1)).await;
    refused(listed, ErrorKind::LimitExceeded, Some("limit"));
    let listed = sandbox.list(&dir, limited(5, 0)).await;
    refused(listed, ErrorKind::InvalidSpec, Some("depth"));
    Ok(())
}
