//! Errors of deserialisation that name the field.

use sandbox_core::Error;

use crate::error::ApiError;

/// The error for a value that did not deserialise. serde leaves a field that is unknown or missing
/// out of the path and writes it into the message; here it is named all the same.
pub(super) fn invalid(path: &serde_path_to_error::Path, fallback: &str, message: &str) -> ApiError {
    let parent = Some(path.to_string()).filter(|path| path != ".");
    let quoted =
        quoted_after(message, "unknown field `").or(quoted_after(message, "missing field `"));
    let field = match (parent, quoted) {
        (Some(parent), Some(name)) if !is_last(&parent, name) => format!("{parent}.{name}"),
        (Some(parent), _) => parent,
        (None, Some(name)) => name.to_owned(),
        (None, None) => fallback.to_owned(),
    };
    Error::invalid("api.request", field, message).into()
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
