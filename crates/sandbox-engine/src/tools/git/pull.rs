//! Pulling: fetch, then merge.

use sandbox_core::{Error, ErrorKind, Result, Sandbox, SandboxPath};

use super::credentials::redact;
use super::failure::local_failure;
use super::relay::{Relay, Remote};
use super::{Credentials, Git, RefName};
use crate::tools::scratch::Scratch;

const OPERATION: &str = "git.pull";
/// The most files that an error names.
const MAX_NAMED_FILES: usize = 20;

/// What to pull.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// The repository's working directory.
    pub path: SandboxPath,
    /// The remote's name; without one, `origin`.
    pub remote: Option<RefName>,
    /// The remote's branch; without one, the current branch's upstream, or the one with its name.
    pub branch: Option<RefName>,
    /// What opens the remote.
    pub credentials: Option<Credentials>,
}

impl PullRequest {
    /// A pull of the current branch from `origin`, without credentials.
    pub fn new(path: SandboxPath) -> Self {
        Self {
            path,
            remote: None,
            branch: None,
            credentials: None,
        }
    }
}

/// What a pull did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The commit before; `None` before the first one.
    pub before: Option<String>,
    /// The commit after.
    pub after: String,
    /// The remote's commit.
    pub fetched: String,
}

impl Pulled {
    /// Whether anything is new.
    pub fn changed(&self) -> bool {
        self.before.as_ref() != Some(&self.after)
    }
}

impl Git {
    /// Fetches a branch and merges it into the current one. When that conflicts, the merge is
    /// taken back: the working directory is as before, and the remote's commit is under
    /// `refs/remotes`.
    ///
    /// # Errors
    /// `Conflict` naming the files when both sides changed them, when local changes are in the way,
    /// or a merge has begun already; `NotFound` with field `path`, `remote` or `branch`;
    /// `InvalidSpec` with field `url` or `token`, `PermissionDenied` with field `token`,
    /// `Unavailable` with field `url`, `Timeout`.
    pub async fn pull(&self, sandbox: &dyn Sandbox, request: &PullRequest) -> Result<Pulled> {
        let repository = &request.path;
        self.check_repository(sandbox, OPERATION, repository)
            .await?;
        let merging = ["rev-parse", "--verify", "--quiet", "MERGE_HEAD"];
        if self
            .ask(sandbox, OPERATION, repository, &merging)
            .await?
            .is_some()
        {
            let message = "a merge has begun and is not finished; commit or abort it first";
            return Err(Error::new(ErrorKind::Conflict, OPERATION, message));
        }
        let remote = match &request.remote {
            Some(remote) => remote.clone(),
            None => RefName::new("remote", "origin")?,
        };
        let head = self.head(sandbox, OPERATION, repository).await?;
        let branch = self
            .branch_to_pull(sandbox, request, head.branch.as_deref())
            .await?;
        let fetched = self
            .fetch_branch(sandbox, request, &remote, &branch, head.commit.as_deref())
            .await?;
        self.merge(sandbox, repository, &remote, &branch, &fetched)
            .await?;
        let after = self.head(sandbox, OPERATION, repository).await?.commit;
        Ok(Pulled {
            before: head.commit,
            after: after.unwrap_or_else(|| fetched.clone()),
            fetched,
        })
    }

    async fn branch_to_pull(
        &self,
        sandbox: &dyn Sandbox,
        request: &PullRequest,
        current: Option<&str>,
    ) -> Result<RefName> {
        if let Some(branch) = &request.branch {
            return Ok(branch.clone());
        }
        let Some(current) = current else {
            let message = "must be given: HEAD is on no branch";
            return Err(Error::invalid(OPERATION, "branch", message));
        };
        let upstream = format!("branch.{current}.merge");
        let arguments = ["config", "--get", &upstream];
        let upstream = self
            .ask(sandbox, OPERATION, &request.path, &arguments)
            .await?;
        let name = upstream
            .as_deref()
            .and_then(|name| name.strip_prefix("refs/heads/"));
        RefName::new("branch", name.unwrap_or(current))
    }

    /// Fetches through a relay, and notes where the remote's branch is.
    async fn fetch_branch(
        &self,
        sandbox: &dyn Sandbox,
        request: &PullRequest,
        remote: &RefName,
        branch: &RefName,
        head: Option<&str>,
    ) -> Result<String> {
        let repository = &request.path;
        let url = self
            .remote_url(sandbox, OPERATION, repository, remote, false)
            .await?;
        let credentials = self.credentials(request.credentials.as_ref(), &url)?;
        let tracking = format!("refs/remotes/{remote}/{branch}");
        let arguments = ["rev-parse", "--verify", "--quiet", &tracking];
        let tracked = self.ask(sandbox, OPERATION, repository, &arguments).await?;

        let scratch = Scratch::new(sandbox, self.user.as_ref()).await?;
        let fetched = async {
            let relay = Relay::new(self, sandbox, OPERATION, &scratch, repository).await?;
            for (name, commit) in [("head", head), ("tracked", tracked.as_deref())] {
                if let Some(commit) = commit {
                    relay.know(name, commit).await?;
                }
            }
            let remote = Remote {
                url: &url,
                credentials,
            };
            relay.fetch(&remote, branch).await
        }
        .await;
        scratch.remove(sandbox).await;
        let fetched = fetched?;

        let update = self.in_repository(repository, &["update-ref", &tracking, &fetched]);
        let output = self.run(sandbox, OPERATION, update).await?;
        if !output.status.success() {
            return Err(local_failure(OPERATION, &output));
        }
        Ok(fetched)
    }

    async fn merge(
        &self,
        sandbox: &dyn Sandbox,
        repository: &SandboxPath,
        remote: &RefName,
        branch: &RefName,
        commit: &str,
    ) -> Result<()> {
        let message = format!("Merge branch '{branch}' of {remote}");
        let arguments = [
            "merge",
            "--quiet",
            "--no-edit",
            "--no-verify",
            "-m",
            &message,
            commit,
        ];
        let command = self.in_repository(repository, &arguments);
        let command = self
            .identified(sandbox, OPERATION, repository, command, None)
            .await?;
        let output = self.run(sandbox, OPERATION, command).await?;
        if output.status.success() {
            return Ok(());
        }
        let unmerged = [
            "diff",
            "--name-only",
            "--diff-filter=U",
            "--no-ext-diff",
            "-z",
        ];
        let files = self.ask(sandbox, OPERATION, repository, &unmerged).await?;
        let files = files.unwrap_or_default();
        if files.is_empty() {
            return Err(local_failure(OPERATION, &output));
        }
        let abort = self.in_repository(repository, &["merge", "--abort"]);
        let aborted = self.run(sandbox, OPERATION, abort).await?;
        let state = if aborted.status.success() {
            "the merge was taken back"
        } else {
            "the merge could not be taken back"
        };
        let message = format!("both sides changed {}; {state}", name_files(&files));
        Err(Error::new(ErrorKind::Conflict, OPERATION, message))
    }
}

fn name_files(files: &str) -> String {
    let all: Vec<&str> = files.split('\0').filter(|file| !file.is_empty()).collect();
    let named: Vec<String> = all
        .iter()
        .take(MAX_NAMED_FILES)
        .map(|file| redact(file, None))
        .collect();
    match all.len().saturating_sub(MAX_NAMED_FILES) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
