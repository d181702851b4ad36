//! An empty repository that talks to a remote in place of the real one.
//!
//! It shares the real repository's object directory and nothing else: its configuration is what
//! `git init` writes without a template, so nothing that the real repository says can run, or
//! redirect, the command that holds the token.

use bytes::Bytes;
use sandbox_core::{
    Command, Error, ErrorKind, ExecOutput, Result, Sandbox, SandboxExt, SandboxPath, WriteOptions,
    byte_stream,
};

use super::failure::{local_failure, remote_failure};
use super::session::with_credentials;
use super::{Credentials, Git, RefName, RemoteUrl};
use crate::tools::scratch::Scratch;

/// A remote of a repository: where it is, and what opens it.
#[derive(Debug)]
pub(super) struct Remote<'a> {
    pub(super) url: &'a RemoteUrl,
    pub(super) credentials: Option<&'a Credentials>,
}

#[derive(Debug)]
pub(super) struct Relay<'a> {
    git: &'a Git,
    sandbox: &'a dyn Sandbox,
    operation: &'static str,
    directory: SandboxPath,
    objects: String,
}

impl Git {
    /// The address of a repository's remote, checked.
    pub(super) async fn remote_url(
        &self,
        sandbox: &dyn Sandbox,
        operation: &'static str,
        repository: &SandboxPath,
        remote: &RefName,
        push: bool,
    ) -> Result<RemoteUrl> {
        let mut arguments = vec!["remote", "get-url"];
        if push {
            arguments.push("--push");
        }
        arguments.extend(["--", remote.as_str()]);
        let text = self.ask(sandbox, operation, repository, &arguments).await?;
        let text = text.ok_or_else(|| {
            let message = format!("the repository has no remote {:?}", remote.as_str());
            Error::new(ErrorKind::NotFound, operation, message).with_field("remote")
        })?;
        RemoteUrl::parse(&text, self.protocols)
    }
}

impl<'a> Relay<'a> {
    /// Makes one in `scratch` for `repository`.
    pub(super) async fn new(
        git: &'a Git,
        sandbox: &'a dyn Sandbox,
        operation: &'static str,
        scratch: &Scratch,
        repository: &SandboxPath,
    ) -> Result<Self> {
        let arguments = ["rev-parse", "--git-common-dir", "--show-object-format"];
        let known = git.ask(sandbox, operation, repository, &arguments).await?;
        let known = known.unwrap_or_default();
        let mut known = known.lines();
        let common = match known.next() {
            Some(path) if path.starts_with('/') => path.to_owned(),
            Some(path) => format!("{repository}/{path}"),
            None => format!("{repository}/.git"),
        };
        let format = match known.next() {
            Some("sha256") => "--object-format=sha256",
            // Versions that do not know the question have one format.
            Some(_) | None => "--quiet",
        };
        let directory = scratch.join("relay")?;
        let path = directory.as_str();
        let arguments = [
            "init",
            "--quiet",
            "--bare",
            "--template=",
            format,
            "--",
            path,
        ];
        let init = git.command(scratch.path(), &[], &arguments);
        let output = git.run(sandbox, operation, init).await?;
        if !output.status.success() {
            return Err(local_failure(operation, &output));
        }
        let relay = Self {
            git,
            sandbox,
            operation,
            directory,
            objects: format!("{common}/objects"),
        };
        relay.copy_shallow(&common).await?;
        Ok(relay)
    }

    /// Tells the relay where a shallow repository's history ends.
    async fn copy_shallow(&self, common: &str) -> Result<()> {
        // A path that climbs cannot be read here; then git says what is missing.
        let Ok(from) = SandboxPath::new(format!("{common}/shallow")) else {
            return Ok(());
        };
        if !self.sandbox.exists(&from).await? {
            return Ok(());
        }
        let content: Bytes = self.sandbox.read_to_bytes(&from).await?;
        let to = self.directory.join("shallow")?;
        let options = WriteOptions {
            user: self.git.user.clone(),
            ..WriteOptions::default()
        };
        self.sandbox
            .write(&to, byte_stream(content), options)
            .await?;
        Ok(())
    }

    fn command(&self, settings: &[String], arguments: &[&str]) -> Command {
        self.git
            .command(&self.directory, settings, arguments)
            .env("GIT_DIR", self.directory.as_str())
            .env("GIT_OBJECT_DIRECTORY", &self.objects)
    }

    /// Runs git in the relay, without credentials.
    pub(super) async fn run(&self, arguments: &[&str]) -> Result<ExecOutput> {
        let command = self.command(&[], arguments);
        self.git.run(self.sandbox, self.operation, command).await
    }

    /// Tells the relay of a commit that is there, so that it is not fetched again.
    pub(super) async fn know(&self, name: &str, commit: &str) -> Result<()> {
        let name = format!("refs/known/{name}");
        let output = self.run(&["update-ref", &name, commit]).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(local_failure(self.operation, &output))
    }

    /// Runs git in the relay, with the remote's credentials: its output whatever its exit code.
    pub(super) async fn talk(&self, remote: &Remote<'_>, arguments: &[&str]) -> Result<ExecOutput> {
        let settings = Git::credential_settings(remote.url, remote.credentials);
        let command = self.command(&settings, arguments);
        let command = with_credentials(command, remote.credentials);
        self.git.run(self.sandbox, self.operation, command).await
    }

    /// Fetches a branch; the commit it is at.
    pub(super) async fn fetch(&self, remote: &Remote<'_>, branch: &RefName) -> Result<String> {
        let refspec = format!("+refs/heads/{branch}:refs/fetched");
        let url = remote.url.as_str();
        let arguments = ["fetch", "--quiet", "--no-tags", "--", url, &refspec];
        let output = self.talk(remote, &arguments).await?;
        if !output.status.success() {
            let error = remote_failure(self.operation, &output, remote.credentials);
            return Err(error);
        }
        let fetched = self.run(&["rev-parse", "--verify", "refs/fetched"]).await?;
        if !fetched.status.success() {
            return Err(local_failure(self.operation, &fetched));
        }
        Ok(fetched.stdout_lossy().trim().to_owned())
    }
}
