//! The server that commands talk to.

use sandbox_client::Client;
use sandbox_core::{Error, Result};

/// A client of the server at `url`, with the key of the environment.
///
/// # Errors
/// `InvalidSpec` with field `SANDBOX_URL` when there is none, or it is no address.
pub(crate) fn client(url: Option<&str>) -> Result<Client> {
    let Some(url) = url.filter(|url| !url.is_empty()) else {
        let message = "is not set: this command talks to a server, such as http://127.0.0.1:8080";
        return Err(Error::invalid("cli.connect", "SANDBOX_URL", message));
    };
    Client::builder().url(url).from_env().build()
}
