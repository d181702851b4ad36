//! Reading the configuration.

use std::fs;
use std::io;
use std::path::Path;

use sandbox_core::{Error, ErrorKind, Result, RuntimeName};
use sandbox_engine::templates::Templates;
use toml::Table;

use super::{Config, text};
use crate::args::ServeArgs;

/// What the engine reads itself.
const OF_THE_ENGINE: [&str; 2] = ["sizes", "templates"];
/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// A configuration that was read and checked.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The settings.
    pub(crate) config: Config,
    /// The templates and sizes.
    pub(crate) templates: Templates,
}

impl Loaded {
    /// Reads what `args` name, and puts what they say over it.
    ///
    /// # Errors
    /// `NotFound` and the like with field `config` for a file that cannot be read; `InvalidSpec`
    /// with `line N` or the path of the field for what makes no sense in it.
    pub(crate) fn read(args: &ServeArgs) -> Result<Self> {
        let text = match &args.config {
            Some(path) => read(path)?,
            None => String::new(),
        };
        let loaded = Self::parse(&text, args);
        loaded.map_err(|error| match (&args.config, error.field()) {
            // The field alone does not say where it stands.
            (Some(path), Some(field)) => {
                let field = format!("{}: {field}", path.display());
                Error::new(error.kind(), "config", error.message()).with_field(field)
            }
            _ => error,
        })
    }

    /// As [`read`](Self::read), from text.
    ///
    /// # Errors
    /// As there.
    pub(super) fn parse(text: &str, args: &ServeArgs) -> Result<Self> {
        let mut settings = text::table(text)?;
        let mut of_the_engine = Table::new();
        for name in OF_THE_ENGINE {
            if let Some(value) = settings.remove(name) {
                of_the_engine.insert(name.to_owned(), value);
            }
        }
        let mut config: Config = text::value(settings)?;
        config.override_with(args);
        config.validate()?;
        let runtimes = config.runtimes.iter().map(RuntimeName::new);
        let runtimes = runtimes.collect::<Result<Vec<_>>>()?;
        let templates = Templates::from_toml(&of_the_engine.to_string(), &runtimes)?;
        Ok(Self { config, templates })
    }
}

fn read(path: &Path) -> Result<String> {
    let failed = |error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            _ => ErrorKind::InvalidSpec,
        };
        let message = format!("{} cannot be read", path.display());
        Error::new(kind, "config", message)
            .with_field("config")
            .with_source(error)
    };
    let found = fs::metadata(path).map_err(failed)?;
    if found.len() > MAX_BYTES {
        let message = format!("{} is over {MAX_BYTES} bytes", path.display());
        return Err(Error::invalid("config", "config", message));
    }
    fs::read_to_string(path).map_err(failed)
}
