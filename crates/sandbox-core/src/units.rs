//! Durations and sizes as people write them.

use std::time::Duration;

use crate::Error;

/// Parses a duration such as `30s`, `5m`, `1h`, `1h30m` or `250ms`.
///
/// A unit is needed: a bare number is refused, because nobody can tell seconds from milliseconds.
///
/// # Errors
/// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) naming `field`.
///
/// ```
/// # use std::time::Duration;
/// use sandbox_core::parse_duration;
/// assert_eq!(parse_duration("timeout", "5m")?, Duration::from_secs(300));
/// assert!(parse_duration("timeout", "5").is_err());
/// # Ok::<(), sandbox_core::Error>(())
/// ```
pub fn parse_duration(field: &str, text: &str) -> Result<Duration, Error> {
    humantime::parse_duration(text).map_err(|e| {
        Error::invalid(
            "duration.parse",
            field,
            format!("{text:?} is not a duration such as 30s, 5m or 1h"),
        )
        .with_source(e)
    })
}

/// Parses a size in bytes: `1048576`, `512k`, `512KiB`, `64m`, `64MiB`, `2g`, `2GiB`, `1t`.
///
/// Every unit is a power of 1024, as memory is counted; case does not matter and `MB` means `MiB`,
/// as it does to Docker.
///
/// # Errors
/// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) naming `field` when it does not parse
/// or does not fit in 64 bits.
///
/// ```
/// use sandbox_core::parse_size;
/// assert_eq!(parse_size("resources.memory", "512MiB")?, 512 << 20);
/// assert!(parse_size("resources.memory", "lots").is_err());
/// # Ok::<(), sandbox_core::Error>(())
/// ```
pub fn parse_size(field: &str, text: &str) -> Result<u64, Error> {
    let refuse = || {
        Error::invalid(
            "size.parse",
            field,
            format!("{text:?} is not a size such as 1048576, 512MiB or 2g"),
        )
    };
    let trimmed = text.trim();
    let digits = trimmed
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let number: u64 = number.parse().map_err(|_| refuse())?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(refuse()),
    };
    number.checked_mul(1 << shift).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("1k", 1 << 10),
            ("2 MiB", 2 << 20),
            ("3G", 3 << 30),
            ("1tb", 1 << 40),
        ] {
            assert_eq!(parse_size("memory", text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn malformed_sizes_and_durations_name_the_field() {
        for bad in ["", "-1", "1.5g", "1x", "99999999999g", "g", "１"] {
            let error = parse_size("memory", bad).unwrap_err();
            assert_eq!(error.field(), Some("memory"), "{bad:?}");
        }
        for bad in ["", "5", "-5s", "5 parsecs", "99999999999999999999h"] {
            let error = parse_duration("timeout", bad).unwrap_err();
            assert_eq!(error.field(), Some("timeout"), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse_size("x", &text);
            let _ = parse_duration("x", &text);
        }
    }
}
