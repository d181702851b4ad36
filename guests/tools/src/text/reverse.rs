//! `tac` and `rev`.

use std::io::Read as _;

use sandbox_applet::{
    Args, Context, Failure, Long, Out, Outcome, Short, Value, open, reason, warn,
};

/// `tac`: the last part first.
pub fn tac(mut args: Args) -> Outcome {
    let (mut separator, mut before) = ("\n".to_owned(), false);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('s') | Long("separator") => separator = args.string()?,
            Short('b') | Long("before") => before = true,
            Short('r') | Long("regex") => {
                return Err(Failure::new("-r: a separator must be plain text"));
            }
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        operands.push("-".into());
    }
    // As with GNU's, an empty separator is a NUL.
    let separator = if separator.is_empty() {
        "\0"
    } else {
        &separator
    };
    let mut out = Out::new();
    let mut failed = 0;
    for operand in &operands {
        let mut content = Vec::new();
        let read = open(operand).and_then(|mut input| input.read_to_end(&mut content));
        if let Err(error) = read {
            out.finish()?;
            let name = operand.display();
            warn(
                args.name(),
                format_args!("failed to open '{name}' for reading: {}", reason(&error)),
            );
            failed = 1;
            continue;
        }
        for part in parts(&content, separator.as_bytes(), before)
            .into_iter()
            .rev()
        {
            out.put(part)?;
        }
    }
    out.finish()?;
    Ok(failed)
}

/// The parts of `text`, each with the separator at its end, or at its start when `before`.
fn parts<'a>(text: &'a [u8], separator: &[u8], before: bool) -> Vec<&'a [u8]> {
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at + separator.len() <= text.len() {
        if !text[at..].starts_with(separator) {
            at += 1;
            continue;
        }
        let end = if before { at } else { at + separator.len() };
        if end > start {
            found.push(&text[start..end]);
        }
        start = end;
        at += separator.len();
    }
    if start < text.len() {
        found.push(&text[start..]);
    }
    found
}

/// `rev`: each line backwards.
pub fn rev(mut args: Args) -> Outcome {
    let mut operands = args.operands()?;
    if operands.is_empty() {
        operands.push("-".into());
    }
    let mut out = Out::new();
    for operand in &operands {
        let mut content = Vec::new();
        let name = operand.display();
        let read = open(operand).and_then(|mut input| input.read_to_end(&mut content));
        read.context(format_args!("cannot open {name}"))?;
        for line in content.split_inclusive(|&byte| byte == b'\n') {
            let (line, end) = match line.strip_suffix(b"\n") {
                Some(line) => (line, "\n"),
                None => (line, ""),
            };
            out.put(
                String::from_utf8_lossy(line)
                    .chars()
                    .rev()
                    .collect::<String>(),
            )?;
            out.put(end)?;
        }
    }
    out.finish()?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_keep_their_separators() {
        assert_eq!(parts(b"a\nb", b"\n", false), [&b"a\n"[..], b"b"]);
        assert_eq!(parts(b"a--b--", b"--", false), [&b"a--"[..], b"b--"]);
        assert_eq!(parts(b"a--b--", b"--", true), [&b"a"[..], b"--b", b"--"]);
        assert!(parts(b"", b"\n", false).is_empty());
    }
}
