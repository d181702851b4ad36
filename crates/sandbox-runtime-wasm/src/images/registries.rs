//! Where the package registries of this machine are.
//!
//! They are those that the machine's own package managers use: what an organisation has set up for
//! `cargo`, `npm` and `pip`, a mirror perhaps, is used for images too. A variable for each kind
//! comes first.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandbox_core::{Error, ErrorKind, Result};

use super::manifest::RegistryKind;

/// Base addresses of package registries.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    set: HashMap<RegistryKind, String>,
    /// Whether the machine is asked for those that are not set.
    of_machine: bool,
}

impl Registries {
    /// None, until they are [set](Self::set).
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of this machine, looked for when one is needed: the variables
    /// `SANDBOX_IMAGES_CARGO_URL`, `SANDBOX_IMAGES_NPM_URL` and `SANDBOX_IMAGES_PYPI_URL`, those of
    /// the package managers, and then what the package managers themselves say.
    pub fn of_this_machine() -> Self {
        Self {
            of_machine: true,
            ..Self::default()
        }
    }

    /// Uses the registry at `url` for packages of `kind`: for cargo, what crates are downloaded
    /// under (`dl` in an index's `config.json`); for npm, the registry; for pip, the index with
    /// a page for each package.
    #[must_use]
    pub fn set(mut self, kind: RegistryKind, url: impl Into<String>) -> Self {
        self.set.insert(kind, url.into());
        self
    }

    /// The address for packages of `kind`.
    ///
    /// # Errors
    /// `Unavailable` with the variable to set as the field, when there is none.
    pub(super) fn url(&self, kind: RegistryKind) -> Result<String> {
        let set = self.set.get(&kind).cloned();
        let machine = || self.of_machine.then(|| of_machine(kind)).flatten();
        set.or_else(machine).ok_or_else(|| {
            let manager = manager(kind);
            let message = format!(
                "it is not known where {manager} packages come from on this machine: install \
                 {manager}, or set the variable to the registry's address"
            );
            let error = Error::new(ErrorKind::Unavailable, "wasm.pull", message);
            error.with_field(variable(kind))
        })
    }
}

fn manager(kind: RegistryKind) -> &'static str {
    match kind {
        RegistryKind::Cargo => "cargo",
        RegistryKind::Npm => "npm",
        RegistryKind::Pypi => "pip",
    }
}

fn variable(kind: RegistryKind) -> &'static str {
    match kind {
        RegistryKind::Cargo => "SANDBOX_IMAGES_CARGO_URL",
        RegistryKind::Npm => "SANDBOX_IMAGES_NPM_URL",
        RegistryKind::Pypi => "SANDBOX_IMAGES_PYPI_URL",
    }
}

fn of_machine(kind: RegistryKind) -> Option<String> {
    let from_env = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    if let Some(url) = from_env(variable(kind)) {
        return Some(url);
    }
    match kind {
        RegistryKind::Cargo => cargo(),
        RegistryKind::Npm => ["npm_config_registry", "NPM_CONFIG_REGISTRY"]
            .iter()
            .find_map(|name| from_env(name))
            .or_else(|| said("npm", &["config", "get", "registry"])),
        RegistryKind::Pypi => ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"]
            .iter()
            .find_map(|name| from_env(name))
            .or_else(pip),
    }
}

/// pip's index: as configured, or the one that is built into it.
fn pip() -> Option<String> {
    const BUILT_IN: &str = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)";
    let python = ["python3", "python"];
    let configured = ["-m", "pip", "config", "get", "global.index-url"];
    let ask = |args: &[&str]| python.iter().find_map(|python| said(python, args));
    ask(&configured).or_else(|| ask(&["-c", BUILT_IN]))
}

/// cargo's: the `dl` of the index that it uses, which it has read the first time it was used.
fn cargo() -> Option<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")))?;
    download_of(&home).or_else(|| {
        // Any package will do: it reads the index's configuration on the way.
        said("cargo", &["info", "--quiet", "itoa"]);
        download_of(&home)
    })
}

/// The address in the configuration of the registry whose index was used last.
fn download_of(cargo_home: &Path) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Config {
        dl: String,
    }
    let entries = std::fs::read_dir(cargo_home.join("registry/index")).ok()?;
    let configs = entries.filter_map(|entry| {
        let path = entry.ok()?.path().join("config.json");
        let text = std::fs::read(&path).ok()?;
        let config: Config = serde_json::from_slice(&text).ok()?;
        // Those on this machine are of tests of cargo registries.
        let local = config.dl.contains("//127.0.0.1") || config.dl.contains("//localhost");
        Some((!local, path.metadata().ok()?.modified().ok()?, config.dl))
    });
    configs.max().map(|(.., dl)| dl)
}

/// The first line that a program says, an address; `None` when it is not there or fails.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    line.starts_with("http").then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_used_and_nothing_else_is_said_with_what_to_do() {
        let registries = Registries::none().set(RegistryKind::Npm, "http://127.0.0.1:1");
        assert_eq!(
            registries.url(RegistryKind::Npm).unwrap(),
            "http://127.0.0.1:1"
        );
        let error = registries.url(RegistryKind::Cargo).unwrap_err();
        assert_eq!(error.field(), Some("SANDBOX_IMAGES_CARGO_URL"));
        assert!(error.message().contains("install cargo"), "{error}");
    }

    #[test]
    fn cargos_index_says_where_crates_are() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(download_of(home.path()), None);
        for (name, dl) in [
            ("a-1", "https://mirror.example/dl"),
            ("b-2", "http://127.0.0.1:9/dl"),
        ] {
            let dir = home.path().join("registry/index").join(name);
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("config.json"), format!(r#"{{"dl":"{dl}","x":1}}"#)).unwrap();
        }
        std::fs::create_dir_all(home.path().join("registry/index/c-3")).unwrap();
        assert_eq!(
            download_of(home.path()).unwrap(),
            "https://mirror.example/dl"
        );
    }

    #[test]
    fn a_program_that_is_not_there_says_nothing() {
        assert_eq!(said("no-such-program-here", &[]), None);
        assert_eq!(said("true", &[]), None);
        assert_eq!(said("echo", &["undefined"]), None);
        assert_eq!(
            said("echo", &["https://r.example/"]).unwrap(),
            "https://r.example/"
        );
    }
}
