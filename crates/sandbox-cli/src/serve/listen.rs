//! The address a server listens on.

use std::io;
use std::net::SocketAddr;

use sandbox_core::{Error, ErrorKind, Result};
use tokio::net::TcpListener;

/// Listens on `address`.
///
/// # Errors
/// With field `listen`: `InvalidSpec` for what is no address, `Conflict` for a port that is taken,
/// `PermissionDenied` for one that this user may not have.
pub(super) async fn listen(address: &str) -> Result<(TcpListener, SocketAddr)> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        Ok((listener, local))
    };
    let (listener, local) = bound.await.map_err(|e| refused(address, e))?;
    if !local.ip().is_loopback() {
        tracing::warn!(
            "{local} is not a loopback address: without TLS in front (docs/self-hosting.md) keys \
             and data pass in clear"
        );
    }
    Ok((listener, local))
}

fn refused(address: &str, error: io::Error) -> Error {
    let (kind, message) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            ErrorKind::Conflict,
            format!("{address} is taken: stop what listens there, or choose another --listen"),
        ),
        io::ErrorKind::PermissionDenied => (
            ErrorKind::PermissionDenied,
            format!("this user may not listen on {address}: choose a port from 1024 on"),
        ),
        io::ErrorKind::AddrNotAvailable => (
            ErrorKind::InvalidSpec,
            format!("this machine does not have the address {address}"),
        ),
        _ => (
            ErrorKind::InvalidSpec,
            format!("{address:?} is not ADDRESS:PORT, such as 127.0.0.1:8080"),
        ),
    };
    let named = Error::new(kind, "serve.listen", message).with_field("listen");
    match kind {
        // The line says it all.
        ErrorKind::Conflict | ErrorKind::PermissionDenied => named,
        _ => named.with_source(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_and_what_is_no_address_are_told_apart() {
        let (_held, local) = listen("127.0.0.1:0").await.unwrap();
        let taken = listen(&local.to_string()).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::Conflict);
        assert!(taken.message().contains("is taken"), "{taken}");
        for bad in ["", "8080", "127.0.0.1", "127.0.0.1:99999", "a b:1"] {
            let error = listen(bad).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidSpec, "{bad}: {error:?}");
            assert_eq!(error.field(), Some("listen"));
        }
    }
}
