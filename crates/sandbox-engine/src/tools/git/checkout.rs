//! Switching to a branch, tag or commit.

use sandbox_core::{Error, ErrorKind, Result, Sandbox, SandboxPath};

use super::credentials::redact;
use super::failure::local_failure;
use super::{Git, Head, RefName};

const OPERATION: &str = "git.checkout";

/// What to check out.
#[derive(Debug, Clone)]
pub struct CheckoutRequest {
    /// The repository's working directory.
    pub path: SandboxPath,
    /// A branch (also one that only the remote has), a tag, a commit, or the branch to create.
    pub reference: RefName,
    /// Whether to create the branch, at `HEAD`.
    pub create: bool,
}

impl Git {
    /// Switches to a branch, tag or commit. Changed files that would be lost are in the way.
    ///
    /// # Errors
    /// `NotFound` with field `ref` or `path`; `Conflict` when files are in the way, or the branch
    /// to create exists.
    pub async fn checkout(&self, sandbox: &dyn Sandbox, request: &CheckoutRequest) -> Result<Head> {
        let repository = &request.path;
        self.check_repository(sandbox, OPERATION, repository)
            .await?;
        let reference = request.reference.as_str();
        let arguments: &[&str] = if request.create {
            &["checkout", "--quiet", "-b", reference]
        } else {
            // The `--` makes it a reference, never a file.
            &["checkout", "--quiet", reference, "--"]
        };
        let command = self.in_repository(repository, arguments);
        let output = self.run(sandbox, OPERATION, command).await?;
        if output.status.success() {
            return self.head(sandbox, OPERATION, repository).await;
        }
        let said = output.stderr_lossy();
        if [
            "invalid reference",
            "unknown revision",
            "did not match",
            "unable to read tree",
        ]
        .iter()
        .any(|sign| said.contains(sign))
        {
            let message = format!(
                "{reference:?} is not a branch, tag or commit: {}",
                redact(&said, None)
            );
            return Err(Error::new(ErrorKind::NotFound, OPERATION, message).with_field("ref"));
        }
        Err(local_failure(OPERATION, &output))
    }
}
