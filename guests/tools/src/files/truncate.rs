//! `truncate`.

use std::fs::OpenOptions;

use sandbox_applet::{
    Args, Context, Failure, Long, Outcome, Short, Value, cwd, number, reason, text, warn,
};
use sandbox_guest::files;

/// How the new size comes from the old one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Change {
    Set,
    Add,
    Subtract,
    AtMost,
    AtLeast,
    /// Down, or up, to a multiple.
    Down,
    Up,
}

impl Change {
    fn parse(text: &str) -> Option<(Self, u64)> {
        let change = match text.as_bytes().first()? {
            b'+' => Self::Add,
            b'-' => Self::Subtract,
            b'<' => Self::AtMost,
            b'>' => Self::AtLeast,
            b'/' => Self::Down,
            b'%' => Self::Up,
            _ => return Some((Self::Set, number(text)?)),
        };
        let amount = number(&text[1..])?;
        let divides = matches!(change, Self::Down | Self::Up);
        (!divides || amount > 0).then_some((change, amount))
    }

    /// `None` when it is too large.
    fn apply(self, old: u64, amount: u64) -> Option<u64> {
        match self {
            Self::Set => Some(amount),
            Self::Add => old.checked_add(amount),
            Self::Subtract => Some(old.saturating_sub(amount)),
            Self::AtMost => Some(old.min(amount)),
            Self::AtLeast => Some(old.max(amount)),
            Self::Down => Some(old / amount * amount),
            Self::Up => old.checked_next_multiple_of(amount),
        }
    }
}

/// Sets the sizes of files.
pub fn run(mut args: Args) -> Outcome {
    let (mut create, mut change, mut reference) = (true, None, None);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('s') | Long("size") => {
                let value = args.string()?;
                let parsed = Change::parse(value.trim());
                change =
                    Some(parsed.ok_or_else(|| Failure::new(format!("Invalid number: '{value}'")))?);
            }
            Short('r') | Long("reference") => {
                let path = args.string()?;
                let stat = files::stat(&cwd(), &path, true)
                    .context(format_args!("cannot stat '{path}'"))?;
                reference = Some(stat.size);
            }
            Short('c') | Long("no-create") => create = false,
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if change.is_none() && reference.is_none() {
        return Err(Failure::new(
            "you must specify either '--size' or '--reference'",
        ));
    }
    if operands.is_empty() {
        return Err(Failure::new("missing file operand"));
    }
    let mut failed = 0;
    for operand in &operands {
        let path = text(operand)?;
        if !create && files::stat(&cwd(), path, true).is_err() {
            continue;
        }
        let resized = OpenOptions::new()
            .write(true)
            .create(create)
            .truncate(false)
            .open(path)
            .and_then(|file| {
                let old = reference.unwrap_or(file.metadata()?.len());
                let (change, amount) = change.unwrap_or((Change::Set, old));
                let size = change
                    .apply(old, amount)
                    .ok_or(std::io::ErrorKind::FileTooLarge)?;
                file.set_len(size)
            });
        if let Err(error) = resized {
            warn(
                args.name(),
                format_args!("cannot open '{path}' for writing: {}", reason(&error)),
            );
            failed = 1;
        }
    }
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_set_or_changed() {
        for (text, expected) in [
            ("5", Some(5)),
            ("1K", Some(1024)),
            ("+5", Some(15)),
            ("-20", Some(0)),
            ("<3", Some(3)),
            (">3", Some(10)),
            ("/4", Some(8)),
            ("%4", Some(12)),
            ("/0", None),
            ("x", None),
            ("", None),
        ] {
            let found = Change::parse(text).and_then(|(change, amount)| change.apply(10, amount));
            assert_eq!(found, expected, "{text}");
        }
        assert_eq!(Change::Add.apply(u64::MAX, 1), None);
    }
}
