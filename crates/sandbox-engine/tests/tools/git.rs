//! Git against real repositories.

use std::time::Duration;

use sandbox_core::{ErrorKind, SandboxExt};
use sandbox_engine::tools::git::{
    Author, CheckoutRequest, CloneRequest, CommitRequest, Git, Protocols, PullRequest, PushRequest,
    RefName,
};

use crate::git_remote::{bare_repository, commit_file, git};
use crate::local::LocalSandbox;

/// A git that may clone from files.
pub(crate) fn local_git() -> Git {
    Git {
        protocols: Protocols {
            file: true,
            ..Protocols::default()
        },
        plaintext_credentials: true,
        ..Git::default()
    }
}

pub(crate) fn name(text: &str) -> RefName {
    RefName::new("ref", text).unwrap()
}

pub(crate) fn commit(sandbox: &LocalSandbox, message: &str) -> CommitRequest {
    CommitRequest {
        path: sandbox.path("work"),
        message: message.into(),
        all: true,
        author: Some(Author::parse("Ann <ann@example.com>").unwrap()),
    }
}

/// A sandbox with `repo.git`, cloned to `work`.
pub(crate) async fn cloned() -> (LocalSandbox, Git) {
    let sandbox = LocalSandbox::new();
    bare_repository(sandbox.root());
    let url = format!("file://{}", sandbox.path("repo.git"));
    let tool = local_git();
    let request = CloneRequest::new(url, sandbox.path("work"));
    let cloned = tool.clone_repository(&sandbox, &request).await.unwrap();
    assert_eq!(cloned.head.branch.as_deref(), Some("main"));
    (sandbox, tool)
}

#[tokio::test]
async fn a_change_goes_the_whole_way_round() {
    let (sandbox, tool) = cloned().await;
    let work = sandbox.path("work");
    std::fs::write(sandbox.root().join("work/a file"), "1\n").unwrap();
    std::fs::write(sandbox.root().join("work/README"), "changed\n").unwrap();
    let status = tool.status(&sandbox, &work).await.unwrap();
    let files: Vec<_> = status
        .files
        .iter()
        .map(|f| (f.path.as_str(), f.unstaged))
        .collect();
    assert_eq!(files, [("README", 'M'), ("a file", '?')]);
    assert_eq!(
        (status.branch.as_deref(), status.upstream.as_deref()),
        (Some("main"), Some("origin/main"))
    );

    let head = tool
        .commit(&sandbox, &commit(&sandbox, "--amend\n\nnot an option"))
        .await
        .unwrap();
    let log = git(
        &sandbox.root().join("work"),
        &["log", "-1", "--format=%H %an <%ae> %s"],
    );
    assert_eq!(
        log,
        format!(
            "{} Ann <ann@example.com> --amend",
            head.commit.clone().unwrap()
        )
    );
    let status = tool.status(&sandbox, &work).await.unwrap();
    assert!(status.is_clean());
    assert_eq!((status.ahead, status.behind), (1, 0));

    let pushed = tool
        .push(&sandbox, &PushRequest::new(work.clone()))
        .await
        .unwrap();
    assert_eq!(Some(pushed.commit.clone()), head.commit);
    let remote = git(&sandbox.root().join("repo.git"), &["rev-parse", "main"]);
    assert_eq!(remote, pushed.commit);
    assert_eq!(tool.status(&sandbox, &work).await.unwrap().ahead, 0);
    let again = tool
        .push(&sandbox, &PushRequest::new(work.clone()))
        .await
        .unwrap();
    assert!(again.up_to_date);

    let nothing = tool
        .commit(&sandbox, &commit(&sandbox, "x"))
        .await
        .unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::Conflict);
    assert!(nothing.message().contains("nothing to commit"), "{nothing}");
}

#[tokio::test]
async fn a_pull_brings_what_others_pushed() {
    let (sandbox, tool) = cloned().await;
    let seed = sandbox.root().join("seed");
    let theirs = commit_file(&seed, "new", "x\n");
    git(&seed, &["push", "-q", "../repo.git", "main"]);
    let pulled = tool
        .pull(&sandbox, &PullRequest::new(sandbox.path("work")))
        .await
        .unwrap();
    assert!(pulled.changed());
    assert_eq!(pulled.after, theirs);
    assert!(sandbox.exists(&sandbox.path("work/new")).await.unwrap());
    let again = tool
        .pull(&sandbox, &PullRequest::new(sandbox.path("work")))
        .await
        .unwrap();
    assert!(!again.changed());

    // Both sides moved, in different files: a merge.
    std::fs::write(sandbox.root().join("work/mine"), "m\n").unwrap();
    tool.commit(&sandbox, &commit(&sandbox, "mine"))
        .await
        .unwrap();
    let theirs = commit_file(&seed, "new", "y\n");
    git(&seed, &["push", "-q", "../repo.git", "main"]);
    let merged = tool
        .pull(&sandbox, &PullRequest::new(sandbox.path("work")))
        .await
        .unwrap();
    assert_eq!(merged.fetched, theirs);
    assert_ne!(merged.after, theirs);
    assert!(
        tool.status(&sandbox, &sandbox.path("work"))
            .await
            .unwrap()
            .is_clean()
    );
}

#[tokio::test]
async fn a_conflicting_pull_names_the_files_and_leaves_everything_as_it_was() {
    let (sandbox, tool) = cloned().await;
    let seed = sandbox.root().join("seed");
    commit_file(&seed, "README", "theirs\n");
    git(&seed, &["push", "-q", "../repo.git", "main"]);
    std::fs::write(sandbox.root().join("work/README"), "mine\n").unwrap();

    // Not committed: in the way.
    let dirty = tool
        .pull(&sandbox, &PullRequest::new(sandbox.path("work")))
        .await
        .unwrap_err();
    assert_eq!(dirty.kind(), ErrorKind::Conflict);
    assert!(dirty.message().contains("overwritten"), "{dirty}");

    let mine = tool
        .commit(&sandbox, &commit(&sandbox, "mine"))
        .await
        .unwrap();
    let error = tool
        .pull(&sandbox, &PullRequest::new(sandbox.path("work")))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(
        error.message().contains("README") && error.message().contains("taken back"),
        "{error}"
    );
    let status = tool.status(&sandbox, &sandbox.path("work")).await.unwrap();
    assert!(status.is_clean());
    assert_eq!(status.commit, mine.commit);
    assert_eq!((status.ahead, status.behind), (1, 1));
    assert_eq!(
        std::fs::read(sandbox.root().join("work/README")).unwrap(),
        b"mine\n"
    );

    let rejected = tool
        .push(&sandbox, &PushRequest::new(sandbox.path("work")))
        .await
        .unwrap_err();
    assert_eq!(rejected.kind(), ErrorKind::Conflict);
    assert!(rejected.message().contains("rejected"), "{rejected}");
    let forced = PushRequest {
        force: true,
        ..PushRequest::new(sandbox.path("work"))
    };
    tool.push(&sandbox, &forced).await.unwrap();
}

#[tokio::test]
async fn a_push_that_a_hook_of_the_remote_declines_is_a_conflict() {
    let (sandbox, tool) = cloned().await;
    let hook = sandbox.root().join("repo.git/hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\necho 'not on my watch' >&2\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(sandbox.root().join("work/a"), "1\n").unwrap();
    tool.commit(&sandbox, &commit(&sandbox, "a")).await.unwrap();
    let error = tool
        .push(&sandbox, &PushRequest::new(sandbox.path("work")))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(
        error.message().contains("hook declined") && error.message().contains("not on my watch"),
        "{error}"
    );
}

#[tokio::test]
async fn checkout_knows_branches_tags_and_commits_and_nothing_else() {
    let (sandbox, tool) = cloned().await;
    let path = sandbox.path("work");
    let checkout = |reference: &str, create| CheckoutRequest {
        path: path.clone(),
        reference: name(reference),
        create,
    };
    let head = tool
        .checkout(&sandbox, &checkout("other", false))
        .await
        .unwrap();
    assert_eq!(head.branch.as_deref(), Some("other"));
    let head = tool
        .checkout(&sandbox, &checkout("v1", false))
        .await
        .unwrap();
    assert_eq!(head.branch, None);
    let commit = head.commit.unwrap();
    tool.checkout(&sandbox, &checkout(&commit[..10], false))
        .await
        .unwrap();
    let head = tool
        .checkout(&sandbox, &checkout("feature/new", true))
        .await
        .unwrap();
    assert_eq!(head.branch.as_deref(), Some("feature/new"));
    let taken = tool
        .checkout(&sandbox, &checkout("main", true))
        .await
        .unwrap_err();
    assert_eq!(taken.kind(), ErrorKind::Conflict);
    // A file's name is no reference.
    for missing in ["nowhere", "README"] {
        let error = tool
            .checkout(&sandbox, &checkout(missing, false))
            .await
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.field()),
            (ErrorKind::NotFound, Some("ref")),
            "{error}"
        );
    }
    let nowhere = CheckoutRequest {
        path: sandbox.path("nowhere"),
        reference: name("main"),
        create: false,
    };
    let error = tool.checkout(&sandbox, &nowhere).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("path"))
    );
}

#[tokio::test]
async fn clones_can_be_shallow_and_of_a_branch_and_pull_later() {
    let sandbox = LocalSandbox::new();
    bare_repository(sandbox.root());
    let seed = sandbox.root().join("seed");
    commit_file(&seed, "b", "2\n");
    git(&seed, &["push", "-q", "../repo.git", "main"]);
    let tool = local_git();
    let url = format!("file://{}", sandbox.path("repo.git"));
    let mut request = CloneRequest::new(&url, sandbox.path("work"));
    request.depth = Some(1);
    request.branch = Some(name("main"));
    tool.clone_repository(&sandbox, &request).await.unwrap();
    let work = sandbox.root().join("work");
    assert_eq!(git(&work, &["rev-list", "--count", "HEAD"]), "1");
    let theirs = commit_file(&seed, "c", "3\n");
    git(&seed, &["push", "-q", "../repo.git", "main"]);
    let pulled = tool
        .pull(&sandbox, &PullRequest::new(sandbox.path("work")))
        .await
        .unwrap();
    assert_eq!(pulled.after, theirs);
    assert_eq!(git(&work, &["rev-list", "--count", "HEAD"]), "2");
    git(&work, &["fsck", "--connectivity-only"]);

    let taken = tool.clone_repository(&sandbox, &request).await.unwrap_err();
    assert_eq!(
        (taken.kind(), taken.field()),
        (ErrorKind::Conflict, Some("path"))
    );
    let mut missing = CloneRequest::new(&url, sandbox.path("elsewhere"));
    missing.branch = Some(name("nowhere"));
    let error = tool.clone_repository(&sandbox, &missing).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("branch")),
        "{error}"
    );
    assert!(!sandbox.exists(&sandbox.path("elsewhere")).await.unwrap());
    let lost = CloneRequest::new(format!("{url}.missing"), sandbox.path("elsewhere"));
    let error = tool.clone_repository(&sandbox, &lost).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("url")),
        "{error}"
    );
}

#[tokio::test]
async fn an_empty_repository_can_be_cloned_filled_and_pulled() {
    let sandbox = LocalSandbox::new();
    git(sandbox.root(), &["init", "-q", "--bare", "repo.git"]);
    let tool = local_git();
    let url = format!("file://{}", sandbox.path("repo.git"));
    for directory in ["work", "second"] {
        let cloned = tool
            .clone_repository(&sandbox, &CloneRequest::new(&url, sandbox.path(directory)))
            .await;
        assert_eq!(cloned.unwrap().head.commit, None);
    }
    std::fs::write(sandbox.root().join("work/a"), "1\n").unwrap();
    let head = tool
        .commit(&sandbox, &commit(&sandbox, "first"))
        .await
        .unwrap();
    tool.push(&sandbox, &PushRequest::new(sandbox.path("work")))
        .await
        .unwrap();
    let pulled = tool
        .pull(&sandbox, &PullRequest::new(sandbox.path("second")))
        .await
        .unwrap();
    assert_eq!((pulled.before, Some(pulled.after)), (None, head.commit));
}

#[tokio::test]
async fn a_remote_that_cannot_be_reached_or_never_answers_is_told_apart() {
    let sandbox = LocalSandbox::new();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let request = CloneRequest::new(format!("http://{closed}/a"), sandbox.path("x"));
    let error = local_git()
        .clone_repository(&sandbox, &request)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Unavailable, Some("url")),
        "{error}"
    );

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a", silent.local_addr().unwrap());
    let hasty = Git {
        timeout: Duration::from_millis(500),
        ..local_git()
    };
    let error = hasty
        .clone_repository(&sandbox, &CloneRequest::new(url, sandbox.path("x")))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(!sandbox.exists(&sandbox.path("x")).await.unwrap());
}
