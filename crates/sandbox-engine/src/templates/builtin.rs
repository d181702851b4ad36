//! The templates that are there without any configuration.

use sandbox_core::{Error, Result, RuntimeName, Source, Template, TemplateName};

/// Name, image, other names.
///
/// The images with a tag are the ones that callers of the REST dialect name directly.
pub(super) const BUILTIN: [(&str, &str, &[&str]); 11] = [
    ("base", "debian:12-slim", &["default"]),
    ("python", "python:3.12-slim", &["code-interpreter-v1"]),
    ("node", "node:22-alpine", &["nodejs", "javascript"]),
    ("go", "golang:1.23-alpine", &["golang"]),
    ("rust", "rust:1-slim", &[]),
    ("python:3.12-slim", "python:3.12-slim", &[]),
    ("node:22-alpine", "node:22-alpine", &[]),
    ("golang:1.23-alpine", "golang:1.23-alpine", &[]),
    ("rust:1-slim", "rust:1-slim", &[]),
    ("ubuntu:24.04", "ubuntu:24.04", &["ubuntu"]),
    ("alpine:latest", "alpine:latest", &["alpine"]),
];

/// What built-in templates are made from on runtimes that know other images: the runtime's usual
/// name, the template, the image there.
const ELSEWHERE: [(&str, &str, &str); 3] = [
    ("wasm", "base", "base"),
    ("wasm", "python", "python"),
    ("wasm", "node", "quickjs"),
];

/// The built-in templates as other runtimes make them.
pub(super) fn elsewhere() -> Result<Vec<(RuntimeName, Template)>, Error> {
    ELSEWHERE
        .iter()
        .map(|(runtime, name, image)| {
            let source = Source::Image((*image).to_owned());
            let template = Template::new(TemplateName::new(*name)?, source);
            Ok((RuntimeName::new(*runtime)?, template))
        })
        .collect()
}

/// The built-in templates, each with its other names.
pub(super) fn templates() -> Result<Vec<(Template, Vec<TemplateName>)>, Error> {
    BUILTIN
        .iter()
        .map(|(name, image, aliases)| {
            let source = Source::Image((*image).to_owned());
            let template = Template::new(TemplateName::new(*name)?, source);
            let aliases = aliases.iter().map(|alias| TemplateName::new(*alias));
            Ok((template, aliases.collect::<Result<_>>()?))
        })
        .collect()
}
