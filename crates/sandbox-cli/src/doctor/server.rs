//! A server.

use sandbox_api_types::{Health, Runtime};
use sandbox_client::Client;
use sandbox_core::{Error, ErrorKind};

use super::check::Check;
use crate::remote;

/// Looks at the server at `url`, with the key of the environment.
pub(super) async fn checks(url: &str) -> Vec<Check> {
    let client = match remote::client(Some(url)) {
        Ok(client) => client,
        Err(error) => {
            let fix = "set SANDBOX_URL to where the server is, such as http://127.0.0.1:8080";
            return vec![Check::failed("server", &error, fix)];
        }
    };
    let runtimes = match client.list_runtimes().await {
        Ok(runtimes) => runtimes,
        Err(error) if error.kind() == ErrorKind::PermissionDenied && !has_key() => {
            let fix = "set SANDBOX_API_KEY to a key of this server, to see how it fares";
            let found = format!("{url} answers, and there is no key to ask it with");
            return vec![Check::warning("server", found, fix)];
        }
        Err(error) => return vec![failed(url, &error)],
    };
    let mut checks = vec![Check::ok(
        "server",
        format!("{url} answers, and knows the key"),
    )];
    checks.extend(runtimes.iter().map(runtime));
    checks.extend(organization(&client).await);
    checks
}

fn has_key() -> bool {
    std::env::var_os("SANDBOX_API_KEY").is_some_and(|key| !key.is_empty())
}

fn failed(url: &str, error: &Error) -> Check {
    let fix = match error.kind() {
        ErrorKind::PermissionDenied => {
            "set SANDBOX_API_KEY to a key of this server; on its machine, \
             `sandbox keys --data-dir DIR create` makes one"
        }
        _ => "see whether the server runs there, and what its log says",
    };
    let message = format!("{url}: {}", error.message());
    let named = Error::new(error.kind(), "doctor", message);
    Check::failed("server", &named, fix)
}

fn runtime(runtime: &Runtime) -> Check {
    let shown = format!("{} answers", runtime.name);
    match (runtime.available, runtime.health) {
        (true, Health::Ok) => Check::ok("runtime", shown),
        _ => Check::warning(
            "runtime",
            format!(
                "{} is away: its sandboxes are as they were last seen",
                runtime.name
            ),
            "look at its daemon on the server's machine, with `sandbox doctor` there",
        ),
    }
}

async fn organization(client: &Client) -> Option<Check> {
    let organization = client.organization().await.ok()?;
    let quotas = &organization.quotas;
    let limited = quotas.concurrent_sandboxes.is_some() || quotas.memory.is_some();
    Some(Check::works(
        "quotas",
        limited,
        [
            "what this organisation may use is limited",
            "nothing limits what this organisation may use",
        ],
        "where others have keys, set [quotas] before the first start",
    ))
}
