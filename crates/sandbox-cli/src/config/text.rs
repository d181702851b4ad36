//! The configuration's text.

use sandbox_core::{Error, Result};
use serde::de::DeserializeOwned;
use toml::Table;

use super::nearest::not_one_of;

const OPERATION: &str = "config";

/// Parses the text as a table; a syntax error names the line.
pub(super) fn table(text: &str) -> Result<Table> {
    toml::from_str(text).map_err(|e: toml::de::Error| {
        let before = e.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        let message = format!("is not TOML: {}", one_line(e.message()));
        Error::invalid(OPERATION, format!("line {line}"), message)
    })
}

/// Reads a value from a table; an error names the field by its path.
pub(super) fn value<T: DeserializeOwned>(table: Table) -> Result<T> {
    serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|e| {
        let path = e.path().to_string();
        let message = one_line(e.into_inner().message());
        match unknown_field(&message) {
            Some((field, known)) => {
                // The path ends with the field itself, or with what it stands in.
                let path = match path.as_str() {
                    "." | "" => field.to_owned(),
                    path if path == field || path.ends_with(&format!(".{field}")) => {
                        path.to_owned()
                    }
                    path => format!("{path}.{field}"),
                };
                Error::invalid(OPERATION, path, not_one_of(field, &known))
            }
            None => Error::invalid(OPERATION, path, message),
        }
    })
}

/// The field and its possible names, in what serde says about an unknown one.
fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (field, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).collect();
    Some((field, known))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
