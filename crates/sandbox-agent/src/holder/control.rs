//! Lines in, lines out.

use std::io::{self, BufRead, Read, Write};

use serde_json::{Value, json};

use super::policy::Policy;
use super::request;

/// The longest line taken, in bytes. Longer ones are skipped to their end and answered with an error.
pub const MAX_LINE: usize = 1 << 20;

/// Writes one line, whole.
pub(super) fn say(output: &mut impl Write, value: &Value) -> io::Result<()> {
    let mut line = value.to_string();
    line.push('\n');
    output.write_all(line.as_bytes())?;
    output.flush()
}

/// Answers lines until the input ends. A last line without its newline is what a client
/// left behind that died; it is not carried out.
pub(super) fn serve(
    mut input: impl BufRead,
    output: &mut impl Write,
    policy: &Policy,
) -> io::Result<()> {
    while let Some(line) = next(&mut input)? {
        let answer = match &line {
            Line::Whole(line) if line.iter().all(u8::is_ascii_whitespace) => continue,
            Line::Whole(line) => request::answer(line, policy),
            Line::TooLong => {
                json!({"id": null, "error": format!("a line is longer than {MAX_LINE} bytes")})
            }
        };
        say(output, &answer)?;
    }
    Ok(())
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole(Vec<u8>),
    TooLong,
}

fn next(input: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    input.by_ref().take(limit).read_until(b'\n', &mut line)?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Some(Line::Whole(line)));
    }
    if line.len() < MAX_LINE {
        return Ok(None);
    }
    Ok(input.skip_until(b'\n')?.gt(&0).then_some(Line::TooLong))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_too_long_is_skipped_and_the_next_one_read() {
        let mut input = vec![b'x'; 3 * MAX_LINE];
        input.extend(b"\n{}\nleft behind");
        let mut input = io::Cursor::new(input);
        assert_eq!(next(&mut input).unwrap(), Some(Line::TooLong));
        assert_eq!(next(&mut input).unwrap(), Some(Line::Whole(b"{}".to_vec())));
        assert_eq!(next(&mut input).unwrap(), None);
    }
}
