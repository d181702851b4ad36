//! `xxd`, `hexdump`, `hd`.

use std::ffi::OsString;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use sandbox_applet::{
    Args, Context, Failure, Input, Long, Out, Outcome, Short, Value, number, open,
};

/// Reads exactly `wanted` bytes, fewer at the end.
fn fill(input: &mut Input, wanted: usize) -> io::Result<Vec<u8>> {
    let mut row = Vec::with_capacity(wanted);
    input.by_ref().take(wanted as u64).read_to_end(&mut row)?;
    Ok(row)
}

fn skip(input: &mut Input, count: u64) -> io::Result<()> {
    match input {
        Input::File(file) => file.seek(SeekFrom::Start(count)).map(drop),
        Input::Standard => io::copy(&mut input.by_ref().take(count), &mut io::sink()).map(drop),
    }
}

fn printable(byte: u8) -> char {
    if (0x20..0x7f).contains(&byte) {
        char::from(byte)
    } else {
        '.'
    }
}

fn offset(text: &str) -> Result<u64, Failure> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => number(text),
    };
    parsed.ok_or_else(|| Failure::new(format!("invalid number '{text}'")))
}

/// `xxd`
pub fn xxd(mut args: Args) -> Outcome {
    let (mut plain, mut reverse, mut include, mut upper, mut bits) =
        (false, false, false, false, false);
    let (mut columns, mut group, mut start, mut most) = (None, None, 0, u64::MAX);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            // `-ps` is one word of old.
            Short('p') => {
                plain = true;
                args.optional_value();
            }
            Long("plain" | "postscript" | "ps") => plain = true,
            Short('r') | Long("revert") => reverse = true,
            Short('i') | Long("include") => include = true,
            Short('u') => upper = true,
            Short('b') | Long("bits") => bits = true,
            Short('c') | Long("cols") => columns = Some(offset(&args.string()?)? as usize),
            Short('g') | Long("groupsize") => group = Some(offset(&args.string()?)? as usize),
            Short('s') | Long("seek") => start = offset(&args.string()?)?,
            Short('l') | Long("len") => most = offset(&args.string()?)?,
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let path = operands.first().cloned().unwrap_or_else(|| "-".into());
    let mut input = open(&path).context(path.display())?;
    let mut out = Out::new();
    if reverse {
        let mut text = Vec::new();
        input.read_to_end(&mut text).context(path.display())?;
        out.put(revert(&String::from_utf8_lossy(&text), plain))?;
    } else {
        skip(&mut input, start).context(path.display())?;
        let default = if plain {
            30
        } else if include {
            12
        } else if bits {
            6
        } else {
            16
        };
        let columns = columns
            .filter(|columns| (1..=256).contains(columns))
            .unwrap_or(default);
        let group = group.unwrap_or(if bits { 1 } else { 2 });
        let mut shown = 0;
        let mut rows = Vec::new();
        while shown < most {
            let wanted = (most - shown).min(columns as u64) as usize;
            let row = fill(&mut input, wanted).context(path.display())?;
            if row.is_empty() {
                break;
            }
            if include {
                rows.push(
                    row.iter()
                        .map(|byte| format!("0x{byte:02x}"))
                        .collect::<Vec<_>>()
                        .join(", "),
                );
            } else if plain {
                out.line(hex(&row, upper))?;
            } else {
                out.line(xxd_row(start + shown, &row, columns, group, upper, bits))?;
            }
            shown += row.len() as u64;
        }
        if include {
            out.put(c_array(&path, &rows, shown))?;
        }
    }
    match operands.get(1) {
        Some(_) if reverse || !plain => Err(Failure::new(
            "an output file is not supported: redirect the output",
        )),
        _ => out.finish().map(|()| 0),
    }
}

fn hex(row: &[u8], upper: bool) -> String {
    row.iter()
        .map(|byte| {
            if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            }
        })
        .collect()
}

fn xxd_row(at: u64, row: &[u8], columns: usize, group: usize, upper: bool, bits: bool) -> String {
    let one = |byte: &u8| match (bits, upper) {
        (true, _) => format!("{byte:08b}"),
        (false, true) => format!("{byte:02X}"),
        (false, false) => format!("{byte:02x}"),
    };
    let digits = if bits { 8 } else { 2 };
    let mut line = format!("{at:08x}: ");
    for column in 0..columns {
        match row.get(column) {
            Some(byte) => line += &one(byte),
            None => line.extend(std::iter::repeat_n(' ', digits)),
        }
        if group != 0 && (column + 1) % group == 0 {
            line.push(' ');
        }
    }
    if group == 0 || !columns.is_multiple_of(group) {
        line.push(' ');
    }
    line.push(' ');
    line.extend(row.iter().copied().map(printable));
    line
}

fn c_array(path: &OsString, rows: &[String], count: u64) -> String {
    let body = rows.join(",\n  ");
    if path == "-" {
        return format!("  {body}\n");
    }
    let name: String = path
        .to_string_lossy()
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() {
                letter
            } else {
                '_'
            }
        })
        .collect();
    format!("unsigned char {name}[] = {{\n  {body}\n}};\nunsigned int {name}_len = {count};\n")
}

/// The bytes that a dump shows.
fn revert(text: &str, plain: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in text.lines() {
        let digits: String = if plain {
            line.chars().filter(char::is_ascii_hexdigit).collect()
        } else {
            let Some((_, rest)) = line.split_once(": ") else {
                continue;
            };
            let end = rest.find("  ").unwrap_or(rest.len());
            rest[..end]
                .chars()
                .filter(char::is_ascii_hexdigit)
                .collect()
        };
        bytes.extend(
            digits
                .as_bytes()
                .chunks_exact(2)
                .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()),
        );
    }
    bytes
}

/// `hexdump` and `hd`
pub fn hexdump(mut args: Args) -> Outcome {
    let mut canonical = args.name() == "hd";
    let (mut verbose, mut start, mut most) = (false, 0, u64::MAX);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('C') | Long("canonical") => canonical = true,
            Short('v') | Long("no-squeezing") => verbose = true,
            Short('n') | Long("length") => most = offset(&args.string()?)?,
            Short('s') | Long("skip") => start = offset(&args.string()?)?,
            Short('x') => {}
            Short('e') | Long("format") => {
                return Err(Failure::new("-e: formats are not supported; 'od' has many"));
            }
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut bytes = Vec::new();
    if operands.is_empty() {
        operands.push("-".into());
    }
    for operand in &operands {
        let mut input = open(operand).context(operand.display())?;
        input
            .by_ref()
            .take(most.saturating_add(start))
            .read_to_end(&mut bytes)
            .context(operand.display())?;
    }
    let from = usize::try_from(start)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let mut bytes = &bytes[from..];
    bytes = &bytes[..usize::try_from(most).unwrap_or(usize::MAX).min(bytes.len())];
    let mut out = Out::new();
    let mut previous: Option<&[u8]> = None;
    let mut starred = false;
    let mut at = start;
    for row in bytes.chunks(16) {
        if !verbose && previous == Some(row) && row.len() == 16 {
            if !starred {
                out.line("*")?;
            }
            starred = true;
        } else {
            starred = false;
            out.line(if canonical {
                canonical_row(at, row)
            } else {
                words(at, row)
            })?;
        }
        previous = Some(row);
        at += row.len() as u64;
    }
    if !bytes.is_empty() {
        out.line(if canonical {
            format!("{at:08x}")
        } else {
            format!("{at:07x}")
        })?;
    }
    out.finish()?;
    Ok(0)
}

fn canonical_row(at: u64, row: &[u8]) -> String {
    let mut line = format!("{at:08x} ");
    for column in 0..16 {
        if column % 8 == 0 {
            line.push(' ');
        }
        line += &row
            .get(column)
            .map_or_else(|| "   ".to_owned(), |byte| format!("{byte:02x} "));
    }
    let text: String = row.iter().copied().map(printable).collect();
    format!("{line} |{text}|")
}

fn words(at: u64, row: &[u8]) -> String {
    let mut line = format!("{at:07x}");
    for pair in row.chunks(2) {
        let word = u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]);
        line += &format!(" {word:04x}");
    }
    format!("{line:<47}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_can_be_reverted() {
        let row = b"hello\x00\xff world";
        let line = xxd_row(0, row, 16, 2, false, false);
        assert_eq!(
            line,
            "00000000: 6865 6c6c 6f00 ff20 776f 726c 64         hello.. world"
        );
        assert_eq!(revert(&line, false), row);
        assert_eq!(revert("68656c\n6c6f", true), b"hello");
    }

    #[test]
    fn rows_of_hexdump_look_as_elsewhere() {
        assert_eq!(
            canonical_row(16, b"ab"),
            "00000010  61 62                                             |ab|"
        );
        assert_eq!(words(0, b"abc"), "0000000 6261 0063");
    }
}
