//! Git commands as they are started: which configuration they read and which they cannot.

use sandbox_core::{Command, Error, ErrorKind, ExecOutput, Result, Sandbox, SandboxPath};

use super::credentials::redact;
use super::failure::no_git;
use super::{Credentials, Git, RemoteUrl};
use crate::tools::program;

/// Settings of every command; they win over every file.
const SETTINGS: [&str; 12] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "core.editor=true",
    "core.askPass=",
    "advice.detachedHead=false",
    "color.ui=false",
    "commit.gpgSign=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
];

/// A credential helper that prints two variables of its environment. The arguments of a command
/// are visible to everybody in the sandbox, so they have the names only.
const HELPER: &str = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \
                      \"$SANDBOX_GIT_USERNAME\" \"$SANDBOX_GIT_PASSWORD\"; }; f";

/// Where `HEAD` of a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit; `None` before the first one.
    pub commit: Option<String>,
    /// The branch; `None` when detached.
    pub branch: Option<String>,
}

impl Git {
    /// A git command in `directory`, with its arguments still to come.
    pub(super) fn command(
        &self,
        directory: &SandboxPath,
        settings: &[String],
        arguments: &[&str],
    ) -> Command {
        let mut argv = vec!["git".to_owned()];
        let own = SETTINGS.iter().map(|setting| (*setting).to_owned());
        for setting in own.chain(settings.iter().cloned()) {
            argv.extend(["-c".to_owned(), setting]);
        }
        argv.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let mut command = Command::argv(argv)
            .cwd(directory.clone())
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ALLOW_PROTOCOL", self.protocols.to_git())
            .timeout(self.timeout);
        command.user.clone_from(&self.user);
        command
    }

    /// A git command in a repository whose files may belong to somebody else: in a sandbox that is
    /// usual, and what it could run is off.
    pub(super) fn in_repository(&self, repository: &SandboxPath, arguments: &[&str]) -> Command {
        let safe = format!("safe.directory={repository}");
        self.command(repository, &[safe], arguments)
    }

    /// Runs a command that talks to no remote; its output whatever its exit code.
    pub(super) async fn run(
        &self,
        sandbox: &dyn Sandbox,
        operation: &'static str,
        command: Command,
    ) -> Result<ExecOutput> {
        finished(operation, program::run(sandbox, command).await?)
    }

    /// Runs git in a repository and answers what it printed, trimmed; `None` when it failed.
    pub(super) async fn ask(
        &self,
        sandbox: &dyn Sandbox,
        operation: &'static str,
        repository: &SandboxPath,
        arguments: &[&str],
    ) -> Result<Option<String>> {
        let command = self.in_repository(repository, arguments);
        let output = self.run(sandbox, operation, command).await?;
        let text = output.stdout_lossy().trim().to_owned();
        Ok(output.status.success().then_some(text))
    }

    /// Where `HEAD` is.
    pub(super) async fn head(
        &self,
        sandbox: &dyn Sandbox,
        operation: &'static str,
        repository: &SandboxPath,
    ) -> Result<Head> {
        let commit = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
        let branch = ["symbolic-ref", "--quiet", "--short", "HEAD"];
        Ok(Head {
            commit: self.ask(sandbox, operation, repository, &commit).await?,
            branch: self.ask(sandbox, operation, repository, &branch).await?,
        })
    }

    /// Refuses a directory that is no repository.
    pub(super) async fn check_repository(
        &self,
        sandbox: &dyn Sandbox,
        operation: &'static str,
        repository: &SandboxPath,
    ) -> Result<()> {
        let command = self.in_repository(repository, &["rev-parse", "--git-dir"]);
        let output = match self.run(sandbox, operation, command).await {
            Err(error) if error.kind() == ErrorKind::NotFound && error.field() == Some("cwd") => {
                let message = format!("there is no directory {repository}");
                return Err(Error::new(ErrorKind::NotFound, operation, message).with_field("path"));
            }
            other => other?,
        };
        if output.status.success() {
            return Ok(());
        }
        let said = redact(&output.stderr_lossy(), None);
        let message = format!("{repository} is not a git repository: {said}");
        Err(Error::new(ErrorKind::NotFound, operation, message).with_field("path"))
    }

    /// The credentials for a remote: those given, or those of its address.
    ///
    /// Refuses a token for a remote to which it cannot be given, or only in clear.
    pub(super) fn credentials<'a>(
        &self,
        given: Option<&'a Credentials>,
        url: &'a RemoteUrl,
    ) -> Result<Option<&'a Credentials>> {
        let Some(credentials) = given.or(url.credentials()) else {
            return Ok(None);
        };
        let refuse = |message| Err(Error::invalid("git.credentials", "token", message));
        let Some(authority) = url.authority() else {
            return refuse("is only for https and http remotes");
        };
        if !credentials.are_for(authority) {
            let message = format!("the token is not for {authority}, to which the remote leads");
            let error = Error::new(ErrorKind::PermissionDenied, "git.credentials", message);
            return Err(error.with_field("token"));
        }
        if url.is_plaintext() && !self.plaintext_credentials {
            return refuse("would be sent in clear over http; use https");
        }
        Ok(Some(credentials))
    }

    /// Settings that give `credentials` to the remote's host, and to no other.
    pub(super) fn credential_settings(
        url: &RemoteUrl,
        credentials: Option<&Credentials>,
    ) -> Vec<String> {
        match (url.origin(), credentials) {
            (Some(origin), Some(_)) => vec![
                // An empty one forgets every helper before it.
                "credential.helper=".to_owned(),
                format!("credential.{origin}.helper={HELPER}"),
            ],
            (_, None) | (None, _) => Vec::new(),
        }
    }
}

/// Puts `credentials` into the environment of `command`, which from then on reads no configuration
/// but its arguments and its repository's.
pub(super) fn with_credentials(command: Command, credentials: Option<&Credentials>) -> Command {
    let Some(credentials) = credentials else {
        return command;
    };
    command
        .env("SANDBOX_GIT_USERNAME", credentials.username())
        .env("SANDBOX_GIT_PASSWORD", credentials.expose())
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_ATTR_NOSYSTEM", "1")
        .env("GIT_TRACE_REDACT", "1")
        // What older versions of git, and curl's own `.netrc`, look for.
        .env("HOME", "/nonexistent")
        .env("XDG_CONFIG_HOME", "/nonexistent")
}

/// The output of a git that exists and ended in time.
pub(super) fn finished(operation: &'static str, output: Option<ExecOutput>) -> Result<ExecOutput> {
    let output = output.ok_or_else(|| no_git(operation))?;
    if output.status.timed_out() {
        return Err(program::timed_out(operation, "git"));
    }
    Ok(output)
}
