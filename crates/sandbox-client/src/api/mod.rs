//! The calls, one for each route of the API.

mod events;
mod exec;
mod files;
mod network;
mod organization;
mod processes;
mod sandboxes;
mod snapshots;
mod templates;
mod upload;

use sandbox_core::SandboxId;

pub use self::exec::ExecStream;
pub use self::files::FileDownload;
pub(crate) use self::upload::Upload;
use crate::client::Client;
use crate::route::Route;

/// The calls about one sandbox. Cheap to make and to clone: nothing is asked.
#[derive(Debug, Clone)]
pub struct SandboxCalls {
    client: Client,
    id: SandboxId,
}

impl Client {
    /// The calls about one sandbox.
    pub fn sandbox(&self, id: SandboxId) -> SandboxCalls {
        SandboxCalls {
            client: self.clone(),
            id,
        }
    }
}

impl SandboxCalls {
    /// The sandbox's id.
    pub fn id(&self) -> &SandboxId {
        &self.id
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A route below the sandbox's own.
    fn route<const N: usize>(&self, parts: [&str; N]) -> Route {
        let own = ["sandboxes", self.id.as_str()];
        Route::v1(own.into_iter().chain(parts))
    }
}
