//! Package managers: how each is called.

use std::fmt;
use std::str::FromStr;

use sandbox_core::{Error, Result};

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manager {
    /// npm: adds to the project in the working directory.
    Npm,
    /// pip.
    Pip,
    /// cargo: adds to the project in the working directory; without one, installs programs.
    Cargo,
    /// apt-get: needs root in the sandbox.
    Apt,
}

impl Manager {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pip => "pip",
            Self::Cargo => "cargo",
            Self::Apt => "apt",
        }
    }

    /// What to do about a sandbox without it.
    pub(super) const fn install_hint(self) -> &'static str {
        match self {
            Self::Npm => "install it (apt-get install npm, apk add npm) or use the template node",
            Self::Pip => {
                "install it (apt-get install python3-pip, apk add py3-pip) or use the template python"
            }
            Self::Cargo => "use the template rust",
            Self::Apt => "use an image of Debian or Ubuntu",
        }
    }

    /// Variables that keep it from asking, and from refusing what is meant in a sandbox.
    pub(super) const fn variables(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Npm => &[("NPM_CONFIG_UPDATE_NOTIFIER", "false"), ("CI", "true")],
            Self::Pip => &[
                ("PIP_BREAK_SYSTEM_PACKAGES", "1"),
                ("PIP_ROOT_USER_ACTION", "ignore"),
                ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
                ("PIP_NO_INPUT", "1"),
            ],
            Self::Cargo => &[("CARGO_TERM_COLOR", "never")],
            Self::Apt => &[("DEBIAN_FRONTEND", "noninteractive"), ("LC_ALL", "C")],
        }
    }

    /// The commands to try, of which the first that the sandbox has does the work. Names have been
    /// checked; the `--` says so a second time.
    pub(super) fn commands(
        self,
        packages: &[String],
        registry: Option<&str>,
        in_project: bool,
    ) -> Result<Vec<Vec<String>>> {
        let prefixes: Vec<Vec<String>> = match self {
            Self::Npm => {
                let mut argv = words("npm install --no-audit --no-fund --loglevel=error");
                argv.extend(registry.map(|url| format!("--registry={url}")));
                vec![argv]
            }
            Self::Pip => ["pip3 install", "pip install", "python3 -m pip install"]
                .into_iter()
                .map(|start| {
                    let mut argv = words(start);
                    argv.extend(registry.map(|url| format!("--index-url={url}")));
                    argv
                })
                .collect(),
            Self::Cargo => {
                let mut argv = words("cargo");
                for setting in registry.map(cargo_settings).unwrap_or_default() {
                    argv.extend(["--config".to_owned(), setting]);
                }
                argv.push(if in_project { "add" } else { "install" }.to_owned());
                vec![argv]
            }
            Self::Apt if registry.is_some() => {
                let message = "cannot be given for apt: its sources are in /etc/apt";
                return Err(Error::invalid(super::OPERATION, "registry", message));
            }
            Self::Apt => {
                let mut argv = words("apt-get install -y -q --no-install-recommends");
                // A name that is no package would be a regular expression over all of them.
                argv.push("-oAPT::Cmd::Pattern-Only=true".to_owned());
                vec![argv]
            }
        };
        let finish = |mut argv: Vec<String>| {
            argv.push("--".to_owned());
            argv.extend(packages.iter().cloned());
            argv
        };
        Ok(prefixes.into_iter().map(finish).collect())
    }
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// The settings that put a registry in crates.io's place. The address has no quotes in it.
fn cargo_settings(registry: &str) -> Vec<String> {
    vec![
        "source.crates-io.replace-with=\"sandbox\"".to_owned(),
        format!("source.sandbox.registry=\"sparse+{registry}\""),
    ]
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Manager {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "npm" => Ok(Self::Npm),
            "pip" | "pip3" => Ok(Self::Pip),
            "cargo" => Ok(Self::Cargo),
            "apt" | "apt-get" => Ok(Self::Apt),
            _ => {
                let shown: String = text.chars().take(40).collect();
                let message =
                    format!("{shown:?} is not a manager; known are: npm, pip, cargo, apt");
                Err(Error::invalid(super::OPERATION, "manager", message))
            }
        }
    }
}
