use std::ffi::OsString;
use std::ops::{Deref, DerefMut};

use crate::{Failure, text};

/// The arguments after the name, as options and operands; a [`lexopt::Parser`].
#[derive(Debug)]
pub struct Args {
    name: &'static str,
    parser: lexopt::Parser,
}

impl Args {
    /// Arguments `args` of the applet `name`.
    #[must_use]
    pub fn new(name: &'static str, args: Vec<OsString>) -> Self {
        Self {
            name,
            parser: lexopt::Parser::from_args(args),
        }
    }

    /// What the applet is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The value of the option just read, as UTF-8.
    pub fn string(&mut self) -> Result<String, Failure> {
        Ok(text(self.parser.value()?.as_os_str())?.to_owned())
    }

    /// A number written as an option of its own, `-20`: `first` is the digit just read.
    pub fn digits(&mut self, first: char) -> Result<String, Failure> {
        let mut digits = first.to_string();
        if let Some(rest) = self.parser.optional_value() {
            digits.push_str(text(&rest)?);
        }
        Ok(digits)
    }

    /// Everything not yet read, options or not, after `first`.
    pub fn rest(&mut self, first: Option<OsString>) -> Result<Vec<OsString>, Failure> {
        let mut rest: Vec<OsString> = first.into_iter().collect();
        rest.extend(self.parser.raw_args()?);
        Ok(rest)
    }

    /// The operands, for an applet without options.
    pub fn operands(&mut self) -> Result<Vec<OsString>, Failure> {
        let mut operands = Vec::new();
        while let Some(arg) = self.parser.next()? {
            match arg {
                lexopt::Arg::Value(value) => operands.push(value),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(operands)
    }
}

impl Deref for Args {
    type Target = lexopt::Parser;
    fn deref(&self) -> &Self::Target {
        &self.parser
    }
}

impl DerefMut for Args {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.parser
    }
}

/// A count with the suffixes of GNU's programs: `b` 512, `kB` 1000, `K`/`KiB` 1024, and so on to `E`.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    let digits = text
        .find(|byte: char| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (count, suffix) = text.split_at(digits);
    let count: u64 = count.parse().ok()?;
    let unit = match suffix {
        "" => return Some(count),
        "b" => return count.checked_mul(512),
        _ => suffix.chars().next()?.to_ascii_uppercase(),
    };
    let power = 1 + "KMGTPE".find(unit)? as u32;
    let base: u64 = match &suffix[1..] {
        "" | "iB" => 1024,
        "B" => 1000,
        _ => return None,
    };
    count.checked_mul(base.checked_pow(power)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_take_the_suffixes_of_gnu() {
        assert_eq!(number("12"), Some(12));
        assert_eq!(number("2b"), Some(1024));
        assert_eq!(number("3k"), Some(3072));
        assert_eq!(number("3kB"), Some(3000));
        assert_eq!(number("1MiB"), Some(1 << 20));
        assert_eq!(number("1X"), None);
        assert_eq!(number("99999999999E"), None);
        assert_eq!(number(""), None);
    }
}
