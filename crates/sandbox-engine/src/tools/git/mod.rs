//! Git in a sandbox: clone, checkout, pull, commit, push, status.
//!
//! # Where credentials go
//!
//! A token reaches git through the environment of the one command that talks to the remote, and a
//! credential helper on that command line that prints the variable. The helper is bound to the
//! remote's scheme, host and port: no redirect, `insteadOf` or submodule gets the token for another
//! host. It is in no argument, no file, no configuration, and taken out of every message. A URL with
//! credentials in it is split before git sees it.
//!
//! # The repository as an attacker
//!
//! A repository's own configuration can make git run programs (hooks, `core.fsmonitor`, filters,
//! `core.sshCommand`, credential helpers, `uploadpack`) and send traffic elsewhere (proxies, CA
//! files, `insteadOf`). So the command that holds a token never reads it: fetch and push run in an
//! empty *relay* repository, made for that one call, that shares only the object directory with
//! the real one. The result is written to the real repository by a second command, without the
//! token. With a token, system and user configuration are left out too.
//!
//! Where a remote leads is part of the repository's configuration too. [`Credentials::only_for`] binds
//! a token to the host it is for.
//!
//! Hooks and `core.fsmonitor` are off in every command here. Submodules are never touched. Remotes
//! are limited to the schemes of [`Protocols`]; helpers such as `ext::` are refused.
//!
//! What this cannot protect from: whoever is the same user as git, or root, inside the sandbox while
//! a command with a token runs can read that command's environment. Give tokens that may do
//! little, and only to sandboxes that may use them.

mod checkout;
mod clone;
mod commit;
mod credentials;
mod failure;
mod pull;
mod push;
mod refname;
mod relay;
mod session;
mod status;
mod url;

use std::time::Duration;

use sandbox_core::User;

pub use checkout::CheckoutRequest;
pub use clone::{CloneRequest, Cloned};
pub use commit::{Author, CommitRequest};
pub use credentials::Credentials;
pub use pull::{PullRequest, Pulled};
pub use push::{PushRequest, Pushed};
pub use refname::RefName;
pub use session::Head;
pub use status::{FileStatus, GitStatus};
pub use url::{Protocols, RemoteUrl};

/// Runs git in sandboxes, under one policy.
#[derive(Debug, Clone)]
pub struct Git {
    /// The schemes of remotes. Default: `https`, `http`, `ssh`, `git`.
    pub protocols: Protocols,
    /// Whether a token may be sent over plain `http`. Default: no.
    pub plaintext_credentials: bool,
    /// How long one git command may take. Default: 5 minutes.
    pub timeout: Duration,
    /// Who runs git; without one, the sandbox's user.
    pub user: Option<User>,
}

impl Default for Git {
    fn default() -> Self {
        Self {
            protocols: Protocols::default(),
            plaintext_credentials: false,
            timeout: Duration::from_secs(300),
            user: None,
        }
    }
}
