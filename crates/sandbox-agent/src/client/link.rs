//! The byte streams below a client.

use std::fmt;

use async_trait::async_trait;
use sandbox_core::Result;
use tokio::io::{AsyncRead, AsyncWrite};

/// Both directions of one attachment to an agent.
pub struct Link {
    /// What the agent writes to its standard output.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What the agent reads from its standard input.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

/// Opens links to one agent.
#[async_trait]
pub trait Connector: Send + Sync + fmt::Debug + 'static {
    /// Opens a link. It is called again when the last one broke.
    ///
    /// # Errors
    /// `NotFound` when the sandbox is gone for good, which closes the client; anything else is
    /// tried again.
    async fn open(&self) -> Result<Link>;
}
