//! Cloning.

use sandbox_core::{Error, ErrorKind, ListOptions, Result, Sandbox, SandboxExt, SandboxPath};

use super::failure::remote_failure;
use super::session::with_credentials;
use super::{Credentials, Git, Head, RefName, RemoteUrl};

const OPERATION: &str = "git.clone";

/// What to clone, and where to.
#[derive(Debug, Clone)]
pub struct CloneRequest {
    /// The remote; credentials in it are used and kept out of the clone.
    pub url: String,
    /// Where to; it must not exist, or be an empty directory.
    pub path: SandboxPath,
    /// The branch or tag to check out; without one, the remote's default.
    pub branch: Option<RefName>,
    /// How many commits of history, at least 1; without it, all.
    pub depth: Option<u32>,
    /// What opens the remote; wins over credentials in `url`.
    pub credentials: Option<Credentials>,
}

impl CloneRequest {
    /// A clone of all history of the default branch, with no credentials but those in `url`.
    pub fn new(url: impl Into<String>, path: SandboxPath) -> Self {
        Self {
            url: url.into(),
            path,
            branch: None,
            depth: None,
            credentials: None,
        }
    }
}

/// A clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloned {
    /// Where it is.
    pub path: SandboxPath,
    /// The remote, without credentials.
    pub url: String,
    /// What is checked out.
    pub head: Head,
}

impl Git {
    /// Clones a repository. Submodules are not fetched. When it fails, what it made is removed.
    ///
    /// # Errors
    /// `InvalidSpec` with field `url`, `depth` or `token`; `Conflict` with field `path` when
    /// something is there; `NotFound` with field `url` or `branch`; `PermissionDenied` with field
    /// `token`; `Unavailable` with field `url` when the remote cannot be reached; `Timeout`;
    /// `Unsupported` with field `git` when the sandbox has none.
    pub async fn clone_repository(
        &self,
        sandbox: &dyn Sandbox,
        request: &CloneRequest,
    ) -> Result<Cloned> {
        let url = RemoteUrl::parse(&request.url, self.protocols)?;
        let credentials = self.credentials(request.credentials.as_ref(), &url)?;
        if request.depth == Some(0) {
            return Err(Error::invalid(OPERATION, "depth", "must be at least 1"));
        }
        let existed = check_target(sandbox, &request.path).await?;
        let cloned = self.run_clone(sandbox, request, &url, credentials).await;
        if let Err(error) = cloned {
            if !existed && let Err(left) = sandbox.remove(&request.path, true).await {
                tracing::debug!(path = %request.path, error = %left, "no partial clone to remove");
            }
            return Err(error);
        }
        Ok(Cloned {
            path: request.path.clone(),
            url: url.as_str().to_owned(),
            head: self.head(sandbox, OPERATION, &request.path).await?,
        })
    }

    async fn run_clone(
        &self,
        sandbox: &dyn Sandbox,
        request: &CloneRequest,
        url: &RemoteUrl,
        credentials: Option<&Credentials>,
    ) -> Result<()> {
        let depth = request.depth.map(|depth| format!("--depth={depth}"));
        let branch = request
            .branch
            .as_ref()
            .map(|name| format!("--branch={name}"));
        // A template could bring hooks, a local clone shares files with what it is made from.
        let mut arguments = vec![
            "clone",
            "--quiet",
            "--template=",
            "--no-local",
            "--origin=origin",
        ];
        arguments.extend(depth.as_deref());
        arguments.extend(branch.as_deref());
        arguments.extend([
            "--no-recurse-submodules",
            "--",
            url.as_str(),
            request.path.as_str(),
        ]);
        let settings = Self::credential_settings(url, credentials);
        let command = self.command(&SandboxPath::root(), &settings, &arguments);
        let command = with_credentials(command, credentials);
        let output = self.run(sandbox, OPERATION, command).await?;
        if output.status.success() {
            return Ok(());
        }
        Err(remote_failure(OPERATION, &output, credentials))
    }
}

/// Whether the target exists, which it may only as an empty directory.
async fn check_target(sandbox: &dyn Sandbox, path: &SandboxPath) -> Result<bool> {
    if path.is_root() {
        return Err(Error::invalid(
            OPERATION,
            "path",
            "must not be the root directory",
        ));
    }
    if !sandbox.exists(path).await? {
        return Ok(false);
    }
    let options = ListOptions { depth: 1, limit: 1 };
    match sandbox.list(path, options).await {
        Ok(entries) if entries.is_empty() => Ok(true),
        Err(error) if !matches!(error.kind(), ErrorKind::LimitExceeded | ErrorKind::Conflict) => {
            Err(error)
        }
        Ok(_) | Err(_) => {
            let message = format!("{path} exists and is not an empty directory");
            Err(Error::new(ErrorKind::Conflict, OPERATION, message).with_field("path"))
        }
    }
}
