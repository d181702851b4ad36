//! The server's configuration file.
//!
//! Every setting and its default is in `examples/sandbox.toml`, which a test holds against this
//! module. Flags go before the file, the file before the defaults.

mod api;
mod docker;
mod engine;
mod file;
mod nearest;
mod quotas;
mod text;
mod units;
mod wasm;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use sandbox_core::{Error, Result};
use sandbox_engine::store::Synchronous;
use serde::{Deserialize, Serialize};

use crate::args::ServeArgs;

pub(crate) use api::{ApiSection, ConnectionsSection};
pub(crate) use docker::DockerSection;
pub(crate) use engine::EngineSection;
pub(crate) use file::Loaded;
pub(crate) use quotas::QuotasSection;
pub(crate) use wasm::WasmSection;

/// Where the server listens when nothing says otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// The runtimes there are.
const RUNTIMES: [&str; 2] = ["docker", "wasm"];

/// Everything that can be set, but sizes and templates, which the engine reads itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// The address to listen on.
    pub(crate) listen: String,
    /// The directory everything is kept in.
    pub(crate) data_dir: Option<PathBuf>,
    /// What a commit survives.
    pub(crate) durability: Durability,
    /// The runtimes offered; the first is the default.
    pub(crate) runtimes: Vec<String>,
    /// The log on standard error.
    pub(crate) log: LogSection,
    /// Docker.
    pub(crate) docker: DockerSection,
    /// Wasm.
    pub(crate) wasm: WasmSection,
    /// Limits and times of the engine.
    pub(crate) engine: EngineSection,
    /// Limits and times of the API.
    pub(crate) api: ApiSection,
    /// Limits and times of its connections.
    pub(crate) connections: ConnectionsSection,
    /// What the organisation of the first start may use.
    pub(crate) quotas: QuotasSection,
}

/// What is kept survives this.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Durability {
    /// The death of the server at any instant.
    #[default]
    Process,
    /// Loss of power too; every change waits for the disk.
    Power,
}

impl From<Durability> for Synchronous {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Process => Self::Process,
            Durability::Power => Self::Power,
        }
    }
}

/// The log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSection {
    /// How it is written.
    pub(crate) format: LogFormat,
    /// What is written.
    pub(crate) filter: String,
}

/// How the log is written.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info".to_owned(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN.to_owned(),
            data_dir: None,
            durability: Durability::default(),
            runtimes: vec!["docker".to_owned()],
            log: LogSection::default(),
            docker: DockerSection::default(),
            wasm: WasmSection::default(),
            engine: EngineSection::default(),
            api: ApiSection::default(),
            connections: ConnectionsSection::default(),
            quotas: QuotasSection::default(),
        }
    }
}

impl Config {
    /// Puts what the command line says over this.
    pub(crate) fn override_with(&mut self, args: &ServeArgs) {
        if let Some(listen) = &args.listen {
            self.listen.clone_from(listen);
        }
        if let Some(data_dir) = &args.data_dir {
            self.data_dir = Some(data_dir.clone());
        }
        if !args.runtimes.is_empty() {
            self.runtimes.clone_from(&args.runtimes);
        }
    }

    /// Checks what can be checked without looking at the machine.
    ///
    /// # Errors
    /// `InvalidSpec` naming the field.
    pub(crate) fn validate(&self) -> Result<()> {
        let refuse = |field: &str, message: String| Err(Error::invalid("config", field, message));
        if self.runtimes.is_empty() {
            return refuse(
                "runtimes",
                "must name at least one: docker or wasm".to_owned(),
            );
        }
        for (index, name) in self.runtimes.iter().enumerate() {
            let field = format!("runtimes[{index}]");
            if !RUNTIMES.contains(&name.as_str()) {
                return refuse(&field, nearest::not_one_of(name, &RUNTIMES));
            }
            if self.runtimes[..index].contains(name) {
                return refuse(&field, format!("{name:?} is there twice"));
            }
        }
        self.quotas.quotas().validate()?;
        self.api.config()?;
        self.connections.config()?;
        let under = |section: &str, error: Error| {
            let field = format!("{section}.{}", error.field().unwrap_or_default());
            Error::invalid("config", field, error.message())
        };
        let wasm = self.wasm.builder().validate();
        wasm.map_err(|error| under("wasm", error))?;
        let docker = self.docker.config().validate();
        docker.map_err(|error| under("docker", error))
    }
}
