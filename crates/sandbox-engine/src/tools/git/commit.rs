//! Committing.

use bytes::Bytes;
use sandbox_core::{Command, Error, ErrorKind, Result, Sandbox, SandboxPath};

use super::failure::local_failure;
use super::session::finished;
use super::{Git, Head};
use crate::tools::program::run_with_input;

const OPERATION: &str = "git.commit";
const MAX_MESSAGE_BYTES: usize = 64 << 10;
const MAX_AUTHOR_BYTES: usize = 256;

/// Who wrote a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    name: String,
    email: String,
}

impl Author {
    /// Checks and wraps a name and an address.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`] with field `author` unless both are 1 to 256 bytes without `<`,
    /// `>` and control characters.
    pub fn new(name: impl Into<String>, email: impl Into<String>) -> Result<Self> {
        let (name, email) = (name.into(), email.into());
        let fits = |text: &str| {
            (1..=MAX_AUTHOR_BYTES).contains(&text.len())
                && !text.trim().is_empty()
                && !text.contains(|c: char| c.is_control() || c == '<' || c == '>')
        };
        if fits(&name) && fits(&email) {
            return Ok(Self { name, email });
        }
        let message = format!(
            "needs a name and an address of 1 to {MAX_AUTHOR_BYTES} bytes without '<' and '>'"
        );
        Err(Error::invalid(OPERATION, "author", message))
    }

    /// Parses `Name <address>`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.strip_suffix('>').and_then(|rest| rest.split_once('<'));
        match parts {
            Some((name, email)) => Self::new(name.trim(), email.trim()),
            None => Err(Error::invalid(
                OPERATION,
                "author",
                "must look like \"Name <address>\"",
            )),
        }
    }
}

/// What to commit.
#[derive(Debug, Clone)]
pub struct CommitRequest {
    /// The repository's working directory.
    pub path: SandboxPath,
    /// The message: 1 byte to 64 KiB.
    pub message: String,
    /// Whether to commit every change, new and removed files included; otherwise what is staged.
    pub all: bool,
    /// The author; without one, whoever the sandbox's git is configured for.
    pub author: Option<Author>,
}

impl Git {
    /// Commits. A sandbox whose git has no identity commits as the author, or as `Sandbox`.
    ///
    /// # Errors
    /// `InvalidSpec` with field `message`; `NotFound` with field `path`; `Conflict` when there is
    /// nothing to commit, or a merge has conflicts.
    pub async fn commit(&self, sandbox: &dyn Sandbox, request: &CommitRequest) -> Result<Head> {
        let repository = &request.path;
        check_message(&request.message)?;
        self.check_repository(sandbox, OPERATION, repository)
            .await?;
        if request.all {
            let add = self.in_repository(repository, &["add", "--all"]);
            let output = self.run(sandbox, OPERATION, add).await?;
            if !output.status.success() {
                return Err(local_failure(OPERATION, &output));
            }
        }
        let staged = [
            "diff",
            "--cached",
            "--quiet",
            "--no-ext-diff",
            "--no-textconv",
        ];
        let merging = ["rev-parse", "--verify", "--quiet", "MERGE_HEAD"];
        let unchanged = self
            .ask(sandbox, OPERATION, repository, &staged)
            .await?
            .is_some();
        if unchanged
            && self
                .ask(sandbox, OPERATION, repository, &merging)
                .await?
                .is_none()
        {
            let message = if request.all {
                "there is nothing to commit"
            } else {
                "nothing is staged to commit"
            };
            return Err(Error::new(ErrorKind::Conflict, OPERATION, message));
        }
        // The message comes by standard input: no argument, so never an option.
        let arguments = ["commit", "--quiet", "--no-verify", "--file=-"];
        let command = self.in_repository(repository, &arguments);
        let command = self
            .identified(
                sandbox,
                OPERATION,
                repository,
                command,
                request.author.as_ref(),
            )
            .await?;
        let message = Bytes::from(request.message.clone());
        let output = finished(OPERATION, run_with_input(sandbox, command, message).await?)?;
        if !output.status.success() {
            return Err(local_failure(OPERATION, &output));
        }
        self.head(sandbox, OPERATION, repository).await
    }

    /// Gives `command` an author and a committer: those asked for, the sandbox's own, or one that
    /// says what it is.
    pub(super) async fn identified(
        &self,
        sandbox: &dyn Sandbox,
        operation: &'static str,
        repository: &SandboxPath,
        mut command: Command,
        author: Option<&Author>,
    ) -> Result<Command> {
        let known = ["config", "--get", "user.email"];
        let known = self
            .ask(sandbox, operation, repository, &known)
            .await?
            .is_some();
        let nobody = Author {
            name: "Sandbox".to_owned(),
            email: "sandbox@localhost".to_owned(),
        };
        let fallback = author.unwrap_or(&nobody);
        if !known {
            command = command
                .env("GIT_COMMITTER_NAME", &fallback.name)
                .env("GIT_COMMITTER_EMAIL", &fallback.email);
        }
        if author.is_some() || !known {
            command = command
                .env("GIT_AUTHOR_NAME", &fallback.name)
                .env("GIT_AUTHOR_EMAIL", &fallback.email);
        }
        Ok(command)
    }
}

fn check_message(message: &str) -> Result<()> {
    let fits =
        message.len() <= MAX_MESSAGE_BYTES && !message.trim().is_empty() && !message.contains('\0');
    if fits {
        return Ok(());
    }
    let message = format!("must be 1 to {MAX_MESSAGE_BYTES} bytes of text");
    Err(Error::invalid(OPERATION, "message", message))
}
