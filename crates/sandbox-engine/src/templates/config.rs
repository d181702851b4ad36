//! The configuration's text, as it is written.

use std::collections::BTreeMap;

use sandbox_core::egress::EgressRules;
use sandbox_core::{
    Command, Error, Resources, Result, RuntimeName, SandboxPath, SnapshotId, Source, Template,
    TemplateName, User, parse_duration, parse_size,
};
use serde::Deserialize;

use super::nearest::not_known;
use super::{Size, Sizes};

const OPERATION: &str = "templates.from_toml";

/// The whole text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Text {
    #[serde(default)]
    pub(super) sizes: BTreeMap<String, SizeText>,
    #[serde(default)]
    pub(super) templates: BTreeMap<String, TemplateText>,
}

/// A size in bytes, as a number or as text with a unit.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a number of bytes, or text such as \"512MiB\"")]
enum Bytes {
    Number(u64),
    Text(String),
}

impl Bytes {
    fn get(&self, path: &str) -> Result<u64> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => parse_size(path, text),
        }
    }
}

/// A command, as a line for the shell or as arguments.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a line for the shell, or a list of arguments")]
enum Start {
    Shell(String),
    Argv(Vec<String>),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SizeText {
    cpus: f64,
    memory: Bytes,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TemplateText {
    runtime: Option<String>,
    image: Option<String>,
    snapshot: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    size: Option<String>,
    cpus: Option<f64>,
    memory: Option<Bytes>,
    disk: Option<Bytes>,
    pids: Option<u32>,
    open_files: Option<u32>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    workdir: Option<String>,
    user: Option<String>,
    egress: Option<EgressRules>,
    start: Option<Start>,
    start_timeout: Option<String>,
}

/// Parses the text; errors name the field by its path.
pub(super) fn parse(text: &str) -> Result<Text> {
    let document = toml::Deserializer::parse(text).map_err(|e| {
        let message = format!("is not TOML: {}", one_line(e.message()));
        Error::invalid(OPERATION, place(text, e.span()), message).with_source(e)
    })?;
    serde_path_to_error::deserialize(document).map_err(|e| {
        let path = e.path().to_string();
        let inner = e.into_inner();
        let message = one_line(inner.message());
        let message = unknown_field(&message).unwrap_or(message);
        Error::invalid(OPERATION, path, message).with_source(inner)
    })
}

/// What serde says about an unknown field, with the known one that was meant.
fn unknown_field(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown field `")?;
    let (field, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned);
    let known: Vec<String> = known.collect();
    Some(not_known("a setting", field, known.iter()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The line on which a syntax error is.
fn place(text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let before = span.and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}")
}

/// Gives `error` the path of the field it is about.
fn under<T>(path: &str, result: Result<T>) -> Result<T> {
    result.map_err(|error| Error::invalid(OPERATION, path, error.message()).with_source(error))
}

/// Thousandths of a CPU from a number of CPUs.
fn milli_cpus(path: &str, cpus: f64) -> Result<u32> {
    let millis = (cpus * 1000.0).round();
    if (10.0..=1_024_000.0).contains(&millis) {
        // In range, so that the cast is exact.
        return Ok(millis as u32);
    }
    let message = format!("is {cpus}; it must be from 0.01 to 1024");
    Err(Error::invalid(OPERATION, path, message))
}

impl SizeText {
    pub(super) fn resolve(&self, name: &str) -> Result<Size> {
        let path = format!("sizes.{name}");
        let size = Size {
            milli_cpus: milli_cpus(&format!("{path}.cpus"), self.cpus)?,
            memory: self.memory.get(&format!("{path}.memory"))?,
        };
        let memory = size.apply(Resources::default()).validate();
        under(&format!("{path}.memory"), memory)?;
        Ok(size)
    }
}

impl TemplateText {
    /// The template called `name`, and its other names.
    pub(super) fn resolve(
        self,
        name: &str,
        sizes: &Sizes,
        runtimes: &[RuntimeName],
    ) -> Result<(Template, Vec<TemplateName>)> {
        let path = format!("templates.{name}");
        let at = |field: &str| format!("{path}.{field}");
        let mut template =
            Template::new(under(&path, TemplateName::new(name))?, self.source(&path)?);
        template.resources = self.resources(&path, sizes)?;
        template.start = self.start(&path)?;
        let aliases = self.aliases.iter().enumerate().map(|(index, alias)| {
            under(
                &at(&format!("aliases[{index}]")),
                TemplateName::new(alias.as_str()),
            )
        });
        let aliases = aliases.collect::<Result<_>>()?;
        if let Some(runtime) = &self.runtime {
            template.runtime = Some(known_runtime(&at("runtime"), runtime, runtimes)?);
        }
        if let Some(workdir) = &self.workdir {
            template.workdir = Some(under(&at("workdir"), SandboxPath::new(workdir))?);
        }
        if let Some(user) = &self.user {
            template.user = Some(under(&at("user"), User::new(user.as_str()))?);
        }
        template.env = self.env;
        template.egress = self.egress.unwrap_or_else(EgressRules::allow_all);
        template.validate().map_err(|error| {
            let field = error.field().unwrap_or_default();
            let field = field.strip_prefix("resources.").unwrap_or(field);
            let field = if field == "command" { "start" } else { field };
            Error::invalid(OPERATION, at(field), error.message()).with_source(error)
        })?;
        Ok((template, aliases))
    }

    fn source(&self, path: &str) -> Result<Source> {
        match (&self.image, &self.snapshot) {
            (Some(image), None) => Ok(Source::Image(image.clone())),
            (None, Some(snapshot)) => {
                let id = SnapshotId::new(snapshot.as_str());
                Ok(Source::Snapshot(under(&format!("{path}.snapshot"), id)?))
            }
            (None, None) => Err(Error::invalid(
                OPERATION,
                format!("{path}.image"),
                "is missing: a template is made from an image or a snapshot",
            )),
            (Some(_), Some(_)) => Err(Error::invalid(
                OPERATION,
                format!("{path}.snapshot"),
                "cannot stand beside image",
            )),
        }
    }

    fn resources(&self, path: &str, sizes: &Sizes) -> Result<Resources> {
        let mut resources = Resources::default();
        if let Some(size) = &self.size {
            let size = under(&format!("{path}.size"), sizes.get(size))?;
            resources = size.apply(resources);
        }
        if let Some(cpus) = self.cpus {
            resources.milli_cpus = milli_cpus(&format!("{path}.cpus"), cpus)?;
        }
        if let Some(memory) = &self.memory {
            resources.memory = memory.get(&format!("{path}.memory"))?;
        }
        if let Some(disk) = &self.disk {
            resources.disk = Some(disk.get(&format!("{path}.disk"))?);
        }
        resources.pids = self.pids.unwrap_or(resources.pids);
        resources.open_files = self.open_files.unwrap_or(resources.open_files);
        Ok(resources)
    }

    fn start(&self, path: &str) -> Result<Option<Command>> {
        let mut command = match &self.start {
            Some(Start::Shell(line)) => Command::shell(line.as_str()),
            Some(Start::Argv(argv)) => Command::argv(argv.iter().map(String::as_str)),
            None if self.start_timeout.is_some() => {
                let field = format!("{path}.start_timeout");
                return Err(Error::invalid(OPERATION, field, "needs start"));
            }
            None => return Ok(None),
        };
        if let Some(timeout) = &self.start_timeout {
            let timeout = parse_duration(&format!("{path}.start_timeout"), timeout)?;
            command = command.timeout(timeout);
        }
        Ok(Some(command))
    }
}

fn known_runtime(path: &str, text: &str, runtimes: &[RuntimeName]) -> Result<RuntimeName> {
    let names: Vec<String> = runtimes.iter().map(|one| one.as_str().to_owned()).collect();
    match runtimes.iter().find(|known| known.as_str() == text) {
        Some(known) => Ok(known.clone()),
        None => {
            let message = not_known("a runtime", text, names.iter());
            Err(Error::invalid(OPERATION, path, message))
        }
    }
}
