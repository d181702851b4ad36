//! Git and tokens: by HTTP with a password, and with a repository that is after it.

use sandbox_core::ErrorKind;
use sandbox_engine::tools::git::{CloneRequest, Credentials, Git, PullRequest, PushRequest};

use crate::git::{cloned, commit, local_git, name};
use crate::git_remote::{ArgumentWatch, bare_repository, commit_file, files_with, git, serve};
use crate::http::{Serve, Server};
use crate::local::LocalSandbox;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_used_and_found_nowhere() {
    let token = "tok-9f1b7c2e5a";
    let sandbox = LocalSandbox::new();
    let remote = tempfile::tempdir().unwrap();
    bare_repository(remote.path());
    let server = serve(remote.path(), "x-access-token", token).await;
    let tool = local_git();
    let credentials = Some(Credentials::token(token).unwrap());
    let watch = ArgumentWatch::start(token);

    let mut request = CloneRequest::new(server.url("/repo.git"), sandbox.path("work"));
    request.credentials.clone_from(&credentials);
    tool.clone_repository(&sandbox, &request).await.unwrap();
    std::fs::write(sandbox.root().join("work/a"), "1\n").unwrap();
    tool.commit(&sandbox, &commit(&sandbox, "a")).await.unwrap();
    let push = PushRequest {
        credentials: credentials.clone(),
        ..PushRequest::new(sandbox.path("work"))
    };
    let pushed = tool.push(&sandbox, &push).await.unwrap();
    assert_eq!(
        git(&remote.path().join("repo.git"), &["rev-parse", "main"]),
        pushed.commit
    );
    let seed = remote.path().join("seed");
    git(&seed, &["pull", "-q", "../repo.git", "main"]);
    let theirs = commit_file(&seed, "b", "2\n");
    git(&seed, &["push", "-q", "../repo.git", "main"]);
    let pull = PullRequest {
        credentials: credentials.clone(),
        ..PullRequest::new(sandbox.path("work"))
    };
    assert_eq!(tool.pull(&sandbox, &pull).await.unwrap().after, theirs);

    let (seen, commands) = watch.end();
    assert!(
        commands > 0,
        "the watch must have seen a command that was given the token"
    );
    assert_eq!(seen, 0);
    for secret in [token, &base64_of(&format!("x-access-token:{token}"))] {
        assert_eq!(files_with(secret, sandbox.root()), "");
    }
    let config = std::fs::read_to_string(sandbox.root().join("work/.git/config")).unwrap();
    assert!(
        config.contains(&server.url("/repo.git")) && !config.contains('@'),
        "{config}"
    );

    // Without it, and with a wrong one, nothing works, and no message has it.
    let anonymous = PullRequest::new(sandbox.path("work"));
    let error = tool.pull(&sandbox, &anonymous).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::PermissionDenied, Some("token")),
        "{error}"
    );
    let wrong = PushRequest {
        credentials: Some(Credentials::token("wrong-77fe01").unwrap()),
        ..PushRequest::new(sandbox.path("work"))
    };
    let error = tool.push(&sandbox, &wrong).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::PermissionDenied, Some("token"))
    );
    assert!(
        !format!("{error:?} {wrong:?}").contains("wrong-77fe01"),
        "{error:?}"
    );
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[tokio::test]
async fn credentials_in_an_address_are_used_and_kept_out_of_the_clone() {
    let token = "tok-in-url-3d";
    let sandbox = LocalSandbox::new();
    let remote = tempfile::tempdir().unwrap();
    bare_repository(remote.path());
    let server = serve(remote.path(), "me", token).await;
    let url = server
        .url("/repo.git")
        .replace("http://", &format!("http://me:{token}@"));
    let cloned = local_git()
        .clone_repository(&sandbox, &CloneRequest::new(url, sandbox.path("work")))
        .await;
    assert_eq!(cloned.unwrap().url, server.url("/repo.git"));
    assert_eq!(files_with(token, sandbox.root()), "");
    let missing = server
        .url("/missing.git")
        .replace("http://", &format!("http://me:{token}@"));
    let error = local_git()
        .clone_repository(&sandbox, &CloneRequest::new(missing, sandbox.path("x")))
        .await;
    let error = error.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("url")),
        "{error}"
    );
    assert!(!format!("{error:?}").contains(token));
}

#[tokio::test]
async fn a_hostile_repository_runs_nothing_and_gets_no_token() {
    let token = "tok-hostile-c4";
    let sandbox = LocalSandbox::new();
    let remote = tempfile::tempdir().unwrap();
    bare_repository(remote.path());
    let server = serve(remote.path(), "x-access-token", token).await;
    let tool = local_git();
    let credentials = Some(Credentials::token(token).unwrap());
    let mut request = CloneRequest::new(server.url("/repo.git"), sandbox.path("work"));
    request.credentials.clone_from(&credentials);
    tool.clone_repository(&sandbox, &request).await.unwrap();

    // Whatever git could be made to run writes its environment down.
    let stolen = sandbox.root().join("stolen");
    let thief = sandbox.root().join("thief");
    std::fs::write(
        &thief,
        format!("#!/bin/sh\nenv >>'{}'\nexit 1\n", stolen.display()),
    )
    .unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&thief, mode).unwrap();
    let thief = thief.to_str().unwrap();
    let work = sandbox.root().join("work");
    for hook in [
        "pre-push",
        "post-merge",
        "post-checkout",
        "reference-transaction",
        "pre-commit",
    ] {
        std::fs::create_dir_all(work.join(".git/hooks")).unwrap();
        std::fs::copy(thief, work.join(".git/hooks").join(hook)).unwrap();
    }
    for (key, value) in [
        ("core.fsmonitor", thief),
        ("core.sshCommand", thief),
        ("core.askPass", thief),
        ("core.alternateRefsCommand", thief),
        ("core.gitProxy", thief),
        ("credential.helper", &format!("!{thief}")),
        (
            &format!("credential.{}.helper", server.url("")),
            &format!("!{thief}"),
        ),
        ("remote.origin.uploadpack", thief),
        ("remote.origin.receivepack", thief),
        ("remote.origin.vcs", "thief"),
        ("remote.origin.proxy", "http://127.0.0.1:1"),
        ("http.proxy", "http://127.0.0.1:1"),
        ("http.extraHeader", "X-Injected: yes"),
        ("push.gpgSign", "if-asked"),
        ("gpg.program", thief),
        ("fetch.recurseSubmodules", "true"),
    ] {
        git(&work, &["config", key, value]);
    }
    std::fs::write(work.join("a"), "1\n").unwrap();
    tool.commit(&sandbox, &commit(&sandbox, "a")).await.unwrap();
    let push = PushRequest {
        credentials: credentials.clone(),
        ..PushRequest::new(sandbox.path("work"))
    };
    tool.push(&sandbox, &push).await.unwrap();
    let pull = PullRequest {
        credentials,
        ..PullRequest::new(sandbox.path("work"))
    };
    tool.pull(&sandbox, &pull).await.unwrap();
    tool.status(&sandbox, &sandbox.path("work")).await.unwrap();
    assert!(
        !stolen.exists(),
        "{}",
        std::fs::read_to_string(&stolen).unwrap()
    );
    assert_eq!(files_with(token, sandbox.root()), "");
    // The traps do work: a plain git in the same place springs one.
    git(&work, &["status"]);
    assert!(stolen.exists());
}

#[tokio::test]
async fn a_token_does_not_follow_a_redirect_to_another_host() {
    let token = "tok-redirect-88";
    let sandbox = LocalSandbox::new();
    let remote = tempfile::tempdir().unwrap();
    bare_repository(remote.path());
    let other = serve(remote.path(), "x-access-token", token).await;
    let target = other.url("");
    let first = Server::start(|_| Serve::Redirect(target)).await;
    let mut request = CloneRequest::new(first.url("/repo.git"), sandbox.path("work"));
    request.credentials = Some(Credentials::token(token).unwrap());
    let error = local_git()
        .clone_repository(&sandbox, &request)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(other.authorizations.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_token_for_one_host_is_not_given_to_a_remote_that_was_changed() {
    let (sandbox, tool) = cloned().await;
    let work = sandbox.root().join("work");
    let thief = serve(sandbox.root(), "nobody", "nothing").await;
    git(
        &work,
        &["config", "remote.origin.url", &thief.url("/repo.git")],
    );
    let credentials = Credentials::token("tok-pinned-12").unwrap();
    let push = PushRequest {
        credentials: Some(credentials.only_for("git.example")),
        ..PushRequest::new(sandbox.path("work"))
    };
    let error = tool.push(&sandbox, &push).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::PermissionDenied, Some("token")),
        "{error}"
    );
    assert!(thief.authorizations.lock().unwrap().is_empty());
}

#[tokio::test]
async fn remotes_and_tokens_that_policy_forbids_are_refused_before_anything_runs() {
    let sandbox = LocalSandbox::with_path("/nonexistent");
    let strict = Git::default();
    for url in ["/etc", "file:///etc", "ext::sh -c id", "--upload-pack=id"] {
        let request = CloneRequest::new(url, sandbox.path("x"));
        let error = strict
            .clone_repository(&sandbox, &request)
            .await
            .unwrap_err();
        assert_eq!(error.field(), Some("url"), "{url}");
    }
    for url in ["http://host.example/a", "ssh://git@host.example/a"] {
        let mut request = CloneRequest::new(url, sandbox.path("x"));
        request.credentials = Some(Credentials::token("t").unwrap());
        let error = strict
            .clone_repository(&sandbox, &request)
            .await
            .unwrap_err();
        assert_eq!(error.field(), Some("token"), "{url}");
    }
    let request = CloneRequest::new("https://host.example/a", sandbox.path("x"));
    let error = strict
        .clone_repository(&sandbox, &request)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::Unsupported, Some("git"))
    );
}

#[tokio::test]
async fn a_remote_of_the_repository_itself_is_held_against_policy_too() {
    let (sandbox, _) = cloned().await;
    let work = sandbox.root().join("work");
    let strict = Git::default();
    for url in ["ext::sh -c id", "file:///etc", "-uid"] {
        git(&work, &["config", "remote.origin.url", url]);
        let error = strict
            .pull(&sandbox, &PullRequest::new(sandbox.path("work")))
            .await;
        assert_eq!(error.unwrap_err().field(), Some("url"), "{url}");
        let error = strict
            .push(&sandbox, &PushRequest::new(sandbox.path("work")))
            .await;
        assert_eq!(error.unwrap_err().field(), Some("url"), "{url}");
    }
    let unknown = PullRequest {
        remote: Some(name("upstream")),
        ..PullRequest::new(sandbox.path("work"))
    };
    let error = strict.pull(&sandbox, &unknown).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.field()),
        (ErrorKind::NotFound, Some("remote"))
    );
}
