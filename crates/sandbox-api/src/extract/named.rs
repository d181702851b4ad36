//! Errors of deserialisation that name the field.

use sandbox_core::Error;

use crate::error::ApiError;

/// The error for a value that did not deserialise. serde leaves a field that is unknown, missing or
/// there twice out of the path and writes it into the message; here it is named all the same.
pub(super) fn invalid(path: &serde_path_to_error::Path, fallback: &str, message: &str) -> ApiError {
    let parent = known(path);
    let quoted = ["unknown field `", "missing field `", "duplicate field `"]
        .into_iter()
        .find_map(|start| quoted_after(message, start));
    let field = match (parent, quoted) {
        (Some(parent), Some(name)) if !is_last(&parent, name) => format!("{parent}.{name}"),
        (Some(parent), _) => parent,
        (None, Some(name)) => name.to_owned(),
        (None, None) => fallback.to_owned(),
    };
    Error::invalid("api.request", field, message).into()
}

/// The path as far as it is known: the text may have ended before the next name was read.
fn known(path: &serde_path_to_error::Path) -> Option<String> {
    let path = path.to_string();
    let known = path.strip_suffix('?').unwrap_or(&path);
    let known = known.trim_end_matches('.');
    (!known.is_empty()).then(|| known.to_owned())
}

/// Whether `path` ends in the field `name` already.
fn is_last(path: &str, name: &str) -> bool {
    path.strip_suffix(name)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn quoted_after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    let (name, _) = message.strip_prefix(start)?.split_once('`')?;
    Some(name)
}
