//! Values on the command line: `NAME=VALUE`, sizes, durations, names.

use std::str::FromStr;

use sandbox_core::Error;

/// A name and its value.
pub(crate) type Pair = (String, String);

/// Splits `text` at its first `=`. A variable's name without one takes the value that this
/// program's own environment has for it.
pub(super) fn env_pair(text: &str) -> Result<Pair, String> {
    match text.split_once('=') {
        Some(("", _)) => Err("must be NAME=VALUE".to_owned()),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => match std::env::var(text) {
            Ok(value) => Ok((text.to_owned(), value)),
            Err(_) => Err("must be NAME=VALUE, or the name of a variable that is set".to_owned()),
        },
    }
}

/// Splits `text` at its first `=`, which has to be there.
pub(super) fn pair(text: &str) -> Result<Pair, String> {
    match text.split_once('=') {
        None | Some(("", _)) => Err("must be NAME=VALUE".to_owned()),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
    }
}

/// A value that says itself what is wrong with it, without where in the program that was found.
pub(super) fn named<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|e: Error| e.message().to_owned())
}

/// A duration such as `30s`.
pub(super) fn duration(text: &str) -> Result<std::time::Duration, String> {
    sandbox_core::parse_duration("", text).map_err(|e| e.message().to_owned())
}

/// A size such as `512MiB`, in bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    sandbox_core::parse_size("", text).map_err(|e| e.message().to_owned())
}

/// A number of CPUs, in thousandths.
pub(super) fn milli_cpus(text: &str) -> Result<u32, String> {
    let millis = text.parse::<f64>().map(|cpus| (cpus * 1000.0).round());
    match millis {
        // In range, so that the cast is exact.
        Ok(millis) if (10.0..=1_024_000.0).contains(&millis) => Ok(millis as u32),
        Ok(_) | Err(_) => Err("must be a number of CPUs from 0.01 to 1024".to_owned()),
    }
}
