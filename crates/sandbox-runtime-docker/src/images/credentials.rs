//! Registry credentials from Docker's own configuration, as `docker login` leaves them.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;

/// How long a credential helper may take.
const HELPER_TIMEOUT: Duration = Duration::from_secs(10);
/// What the configuration calls the registry of names that say none.
const HUB_KEY: &str = "https://index.docker.io/v1/";

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ConfigFile {
    auths: HashMap<String, Entry>,
    creds_store: Option<String>,
    cred_helpers: HashMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    identitytoken: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HelperAnswer {
    username: String,
    secret: String,
}

/// The credentials for `registry`, where there are any. Whatever cannot be read counts as none:
/// the registry's own refusal says more than we could.
pub(super) async fn of(registry: &str) -> Option<DockerCredentials> {
    let text = tokio::fs::read(config_path()?).await.ok()?;
    let config: ConfigFile = serde_json::from_slice(&text).ok()?;
    let key = if registry == "docker.io" {
        HUB_KEY
    } else {
        registry
    };
    let helper = config.cred_helpers.get(key).or(config.creds_store.as_ref());
    if let Some(helper) = helper
        && let Some(answer) = ask_helper(helper, key).await
    {
        return Some(from_helper(answer, key));
    }
    config
        .auths
        .get(key)
        .and_then(|entry| from_entry(entry, key))
}

fn config_path() -> Option<PathBuf> {
    let directory = match env::var_os("DOCKER_CONFIG") {
        Some(directory) => PathBuf::from(directory),
        None => PathBuf::from(env::var_os("HOME")?).join(".docker"),
    };
    Some(directory.join("config.json"))
}

fn from_entry(entry: &Entry, key: &str) -> Option<DockerCredentials> {
    let decoded = STANDARD.decode(entry.auth.as_ref()?).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some(DockerCredentials {
        username: Some(user.to_owned()),
        password: Some(password.trim_end_matches('\0').to_owned()),
        identitytoken: entry.identitytoken.clone(),
        serveraddress: Some(key.to_owned()),
        ..DockerCredentials::default()
    })
}

fn from_helper(answer: HelperAnswer, key: &str) -> DockerCredentials {
    let mut credentials = DockerCredentials {
        serveraddress: Some(key.to_owned()),
        ..DockerCredentials::default()
    };
    // The protocol's own way to say that the secret is a token.
    if answer.username == "<token>" {
        credentials.identitytoken = Some(answer.secret);
    } else {
        credentials.username = Some(answer.username);
        credentials.password = Some(answer.secret);
    }
    credentials
}

async fn ask_helper(helper: &str, key: &str) -> Option<HelperAnswer> {
    // A name, never a path: the file must not choose programs outside `PATH`.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if helper.is_empty() || !helper.chars().all(plain) {
        return None;
    }
    let mut child = tokio::process::Command::new(format!("docker-credential-{helper}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(key.as_bytes()).await.ok()?;
    let output = tokio::time::timeout(HELPER_TIMEOUT, child.wait_with_output());
    let output = output.await.ok()?.ok()?;
    output.status.success().then_some(())?;
    serde_json::from_slice(&output.stdout).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_the_configuration_is_decoded() {
        let text = format!(
            r#"{{"auths": {{"host:5000": {{"auth": "{}"}}}}}}"#,
            STANDARD.encode("me:pa:ss")
        );
        let config: ConfigFile = serde_json::from_str(&text).unwrap();
        let found = from_entry(&config.auths["host:5000"], "host:5000").unwrap();
        assert_eq!(found.username.as_deref(), Some("me"));
        assert_eq!(found.password.as_deref(), Some("pa:ss"));
    }

    #[test]
    fn a_token_of_a_helper_is_not_taken_for_a_password() {
        let answer = r#"{"ServerURL": "x", "Username": "<token>", "Secret": "t"}"#;
        let found = from_helper(serde_json::from_str(answer).unwrap(), "x");
        assert_eq!(found.identitytoken.as_deref(), Some("t"));
        assert_eq!(found.password, None);
    }
}
