//! A private directory in the sandbox for the time of one tool's work.

use sandbox_core::{Error, ErrorKind, MakeDirOptions, Result, Sandbox, SandboxPath, User};

/// A directory that only its owner can enter, under a name that cannot be guessed.
#[derive(Debug)]
pub(super) struct Scratch {
    path: SandboxPath,
}

impl Scratch {
    /// Makes one under `/tmp`, owned by `user`.
    pub(super) async fn new(sandbox: &dyn Sandbox, user: Option<&User>) -> Result<Self> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|e| {
            let message = "the system's source of randomness does not answer";
            Error::new(ErrorKind::Unavailable, "tools.scratch", message)
                .with_source(std::io::Error::other(e.to_string()))
        })?;
        let name = format!("/tmp/.sandbox-tool-{:032x}", u128::from_be_bytes(random));
        let path = SandboxPath::new(name)?;
        let options = MakeDirOptions {
            mode: Some(0o700),
            user: user.cloned(),
            create_parents: true,
        };
        if !sandbox.make_dir(&path, options).await? {
            let message = format!("{path} is in the way");
            return Err(Error::new(ErrorKind::Conflict, "tools.scratch", message));
        }
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &SandboxPath {
        &self.path
    }

    /// A path inside it.
    pub(super) fn join(&self, name: &str) -> Result<SandboxPath> {
        self.path.join(name)
    }

    /// Removes it. What was done counts, whether or not this succeeds: nothing in it is secret, and
    /// a sandbox that has been destroyed meanwhile has nothing left to remove.
    pub(super) async fn remove(self, sandbox: &dyn Sandbox) {
        if let Err(error) = sandbox.remove(&self.path, true).await {
            tracing::debug!(path = %self.path, %error, "cannot remove a tool's directory");
        }
    }
}
