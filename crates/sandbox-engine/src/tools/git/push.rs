//! Pushing.

use sandbox_core::{Error, ErrorKind, ExecOutput, Result, Sandbox, SandboxPath};

use super::credentials::redact;
use super::failure::{local_failure, remote_failure};
use super::relay::{Relay, Remote};
use super::{Credentials, Git, RefName};
use crate::tools::scratch::Scratch;

const OPERATION: &str = "git.push";

/// What to push.
#[derive(Debug, Clone)]
pub struct PushRequest {
    /// The repository's working directory.
    pub path: SandboxPath,
    /// The remote's name; without one, `origin`.
    pub remote: Option<RefName>,
    /// The branch, here and there; without one, the current one.
    pub branch: Option<RefName>,
    /// What opens the remote.
    pub credentials: Option<Credentials>,
    /// Whether to replace what the remote has, whatever it is.
    pub force: bool,
}

impl PushRequest {
    /// A push of the current branch to `origin`, without credentials and without force.
    pub fn new(path: SandboxPath) -> Self {
        Self {
            path,
            remote: None,
            branch: None,
            credentials: None,
            force: false,
        }
    }
}

/// What a push did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The branch.
    pub branch: String,
    /// The commit that it is at, here and there.
    pub commit: String,
    /// Whether the remote had it already.
    pub up_to_date: bool,
}

impl Git {
    /// Pushes a branch to the branch of the same name.
    ///
    /// # Errors
    /// `Conflict` when the remote has commits that are not here, or refuses; `NotFound` with field
    /// `path`, `remote`, `branch` or `url`; `InvalidSpec` with field `branch`, `url` or `token`;
    /// `PermissionDenied` with field `token`; `Unavailable` with field `url`; `Timeout`.
    pub async fn push(&self, sandbox: &dyn Sandbox, request: &PushRequest) -> Result<Pushed> {
        let repository = &request.path;
        self.check_repository(sandbox, OPERATION, repository)
            .await?;
        let remote = match &request.remote {
            Some(remote) => remote.clone(),
            None => RefName::new("remote", "origin")?,
        };
        let branch = self.branch_to_push(sandbox, request).await?;
        let local = format!("refs/heads/{branch}^{{commit}}");
        let arguments = ["rev-parse", "--verify", "--quiet", &local];
        let commit = self.ask(sandbox, OPERATION, repository, &arguments).await?;
        let commit = commit.ok_or_else(|| {
            let message = format!("there is no branch {:?} with a commit", branch.as_str());
            Error::new(ErrorKind::NotFound, OPERATION, message).with_field("branch")
        })?;
        let output = self
            .push_commit(sandbox, request, &remote, &branch, &commit)
            .await?;
        let tracking = format!("refs/remotes/{remote}/{branch}");
        let update = self.in_repository(repository, &["update-ref", &tracking, &commit]);
        let noted = self.run(sandbox, OPERATION, update).await?;
        if !noted.status.success() {
            return Err(local_failure(OPERATION, &noted));
        }
        let report = output.stdout_lossy();
        Ok(Pushed {
            branch: branch.as_str().to_owned(),
            commit,
            up_to_date: report.lines().any(|line| line.starts_with("=\t")),
        })
    }

    async fn branch_to_push(
        &self,
        sandbox: &dyn Sandbox,
        request: &PushRequest,
    ) -> Result<RefName> {
        if let Some(branch) = &request.branch {
            return Ok(branch.clone());
        }
        let head = self.head(sandbox, OPERATION, &request.path).await?;
        match head.branch {
            Some(branch) => RefName::new("branch", branch),
            None => {
                let message = "must be given: HEAD is on no branch";
                Err(Error::invalid(OPERATION, "branch", message))
            }
        }
    }

    async fn push_commit(
        &self,
        sandbox: &dyn Sandbox,
        request: &PushRequest,
        remote: &RefName,
        branch: &RefName,
        commit: &str,
    ) -> Result<ExecOutput> {
        let repository = &request.path;
        let url = self
            .remote_url(sandbox, OPERATION, repository, remote, true)
            .await?;
        let credentials = self.credentials(request.credentials.as_ref(), &url)?;
        let force = if request.force { "+" } else { "" };
        let refspec = format!("{force}{commit}:refs/heads/{branch}");
        let arguments = [
            "push",
            "--porcelain",
            "--no-verify",
            "--recurse-submodules=no",
            "--",
            url.as_str(),
            &refspec,
        ];
        let scratch = Scratch::new(sandbox, self.user.as_ref()).await?;
        let output = async {
            let relay = Relay::new(self, sandbox, OPERATION, &scratch, repository).await?;
            let remote = Remote {
                url: &url,
                credentials,
            };
            relay.talk(&remote, &arguments).await
        }
        .await;
        scratch.remove(sandbox).await;
        let output = output?;
        if output.status.success() {
            return Ok(output);
        }
        Err(rejection(&output, credentials)
            .unwrap_or_else(|| remote_failure(OPERATION, &output, credentials)))
    }
}

/// The error of a push that the remote, or git for its sake, rejected.
fn rejection(output: &ExecOutput, credentials: Option<&Credentials>) -> Option<Error> {
    let report = output.stdout_lossy();
    let line = report.lines().find(|line| line.starts_with("!\t"))?;
    let reason = line.rsplit('\t').next().unwrap_or(line);
    let said = redact(&output.stderr_lossy(), credentials);
    let reason = redact(reason, credentials);
    let message = format!("the push was rejected: {reason}: {said}");
    Some(Error::new(ErrorKind::Conflict, OPERATION, message))
}
