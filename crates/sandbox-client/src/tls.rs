//! TLS: rustls with ring, and the certificates that the system trusts.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use sandbox_core::{Error, ErrorKind, Result};

/// What connections are made with. Without `needed`, one that trusts nobody, so that a machine
/// without certificates can speak to a server on it.
///
/// # Errors
/// `Unavailable` when the system's certificates cannot be loaded.
pub(crate) fn config(needed: bool) -> Result<ClientConfig> {
    let failed = |e: rustls::Error| {
        let message = "the system's certificates cannot be loaded";
        Error::new(ErrorKind::Unavailable, "client.tls", message).with_source(e)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let config = match needed {
        true => config.with_platform_verifier().map_err(failed)?,
        false => config.with_root_certificates(RootCertStore::empty()),
    };
    Ok(config.with_no_client_auth())
}
