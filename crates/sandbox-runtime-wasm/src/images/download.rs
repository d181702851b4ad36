//! Getting a package from its registry.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use rustls_platform_verifier::BuilderVerifierExt;
use sandbox_core::{Error, ErrorKind, Result};
use sha2::{Digest as _, Sha256};

use super::manifest::{Package, RegistryKind};
use super::prepare::Reporter;
use crate::programs::Digest;

/// How long a registry may be silent, before and between bytes.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most redirects on the way to a file.
const MAX_REDIRECTS: usize = 5;
/// The most bytes of the page of an index.
const MAX_PAGE: usize = 32 << 20;

/// Downloads `package` from the registry at `base` into a file that has no name; it is at its
/// beginning, and what the package pins.
///
/// # Errors
/// `Unavailable` when the registry does not answer, or not with the package; `InvalidSpec` when
/// `base` is no address; `Internal` with field `image` for other bytes than the pinned ones.
pub(super) async fn download(package: &Package, base: &str, reporter: &Reporter) -> Result<File> {
    let client = client()?;
    let url = locate(&client, package, base).await?;
    let message = format!("fetching {} {}", package.name, package.version);
    reporter.bytes(&message, 0, Some(package.bytes));
    let mut response = get(&client, url, package).await?;
    let mut file = tempfile::tempfile().map_err(kept)?;
    let mut digest = Sha256::new();
    let mut received = 0;
    while let Some(chunk) = response.chunk().await.map_err(|e| cut_off(package, e))? {
        received += chunk.len() as u64;
        if received > package.bytes {
            return Err(other(
                package,
                &format!("it has more than {} bytes", package.bytes),
            ));
        }
        digest.update(&chunk);
        file.write_all(&chunk).map_err(kept)?;
        reporter.bytes(&message, received, Some(package.bytes));
    }
    if received < package.bytes {
        let why = format!("it ended after {received} of {} bytes", package.bytes);
        return Err(unavailable(package, &why));
    }
    if Digest::from_bytes(digest.finalize().into()) != package.sha256 {
        return Err(other(package, "it has another digest"));
    }
    file.rewind().map_err(kept)?;
    Ok(file)
}

fn kept(error: std::io::Error) -> Error {
    let message = "the package cannot be written to a temporary file";
    Error::new(ErrorKind::Unavailable, "wasm.pull", message).with_source(error)
}

fn other(package: &Package, why: &str) -> Error {
    let Package { name, version, .. } = package;
    let message = format!("the registry's package {name} {version} is not the pinned one: {why}");
    Error::new(ErrorKind::Internal, "wasm.pull", message).with_field("image")
}

fn unavailable(package: &Package, why: &str) -> Error {
    let Package { name, version, .. } = package;
    let message = format!("the package {name} {version} could not be fetched: {why}");
    Error::new(ErrorKind::Unavailable, "wasm.pull", message)
}

fn cut_off(package: &Package, error: reqwest::Error) -> Error {
    unavailable(package, "the connection broke").with_source(error)
}

fn client() -> Result<Client> {
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| {
        let message = "no connection can be made securely: the system's certificates are missing?";
        Error::new(ErrorKind::Unavailable, "wasm.pull", message).with_source(e)
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_platform_verifier())
        .map_err(|e| failed(e.into()))?
        .with_no_client_auth();
    let redirects = Policy::custom(|attempt| {
        let downgrade = attempt.url().scheme() != "https"
            && attempt.previous().iter().any(|url| url.scheme() == "https");
        match downgrade || attempt.previous().len() > MAX_REDIRECTS {
            true => attempt.stop(),
            false => attempt.follow(),
        }
    });
    Client::builder()
        .redirect(redirects)
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE)
        .user_agent(concat!("sandbox/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|e| failed(e.into()))
}

async fn get(client: &Client, url: Url, package: &Package) -> Result<Response> {
    let at = url.clone();
    let sent = client.get(url).send().await;
    let response = sent.map_err(|e| {
        let why = format!(
            "{} does not answer",
            at.host_str().unwrap_or("the registry")
        );
        unavailable(package, &why).with_source(e.without_url())
    })?;
    match response.status() {
        status if status.is_success() => Ok(response),
        status => Err(unavailable(
            package,
            &format!("the registry answered {status}"),
        )),
    }
}

/// Where the package's file is.
async fn locate(client: &Client, package: &Package, base: &str) -> Result<Url> {
    let Package { name, version, .. } = package;
    let base = base.trim().trim_end_matches('/');
    match package.registry {
        RegistryKind::Cargo => {
            let url = match base.contains("{crate}") {
                true => base.replace("{crate}", name).replace("{version}", version),
                false => format!("{base}/{name}/{version}/download"),
            };
            parse(&url)
        }
        RegistryKind::Npm => parse(&format!("{base}/{name}/-/{}", package.file)),
        RegistryKind::Pypi => {
            let page = parse(&format!("{base}/{name}/"))?;
            let response = get(client, page, package).await?;
            let page = response.url().clone();
            let text = page_text(response, package).await?;
            link(&text, &package.file)
                .and_then(|link| page.join(&link).ok())
                .ok_or_else(|| unavailable(package, "the registry's index does not have it"))
        }
    }
}

fn parse(url: &str) -> Result<Url> {
    let parsed = Url::parse(url).ok();
    let parsed = parsed.filter(|url| matches!(url.scheme(), "http" | "https"));
    parsed.ok_or_else(|| {
        let message = format!("the registry's address {url:?} is no http or https address");
        Error::new(ErrorKind::InvalidSpec, "wasm.pull", message).with_field("registry")
    })
}

async fn page_text(mut response: Response, package: &Package) -> Result<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|e| cut_off(package, e))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_PAGE {
            return Err(unavailable(package, "the registry's index is too large"));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The address in an index page, HTML as PEP 503 says, that leads to the file `name`.
fn link(page: &str, name: &str) -> Option<String> {
    let hrefs = page.split("href=").skip(1).filter_map(|rest| {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        rest[1..].split(quote).next()
    });
    let mut files = hrefs.map(|href| href.split('#').next().unwrap_or(href));
    let found = files.find(|href| href.rsplit('/').next() == Some(name));
    found.map(|href| href.replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_page_leads_to_the_file_of_exactly_this_name() {
        let page = r#"<a href="../../f/a-1.whl#sha256=1">a-1.whl</a>
            <a data-x='1' href='https://files.example/p/a-10.whl#sha256=2'>x</a><a href=bare>"#;
        assert_eq!(link(page, "a-1.whl").unwrap(), "../../f/a-1.whl");
        assert_eq!(
            link(page, "a-10.whl").unwrap(),
            "https://files.example/p/a-10.whl"
        );
        assert_eq!(link(page, "0.whl"), None);
        assert_eq!(link("", "a"), None);
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        for url in ["", "ftp://x/y", "file:///etc/passwd", "x"] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.field(), Some("registry"), "{url}");
        }
    }
}
