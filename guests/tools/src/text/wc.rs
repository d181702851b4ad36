//! `wc`.

use std::io::Read as _;

use sandbox_applet::{Args, Failure, Input, Long, Out, Outcome, Short, Value, open, reason, warn};

#[derive(Clone, Copy, Default)]
struct Counts {
    lines: u64,
    words: u64,
    chars: u64,
    bytes: u64,
    longest: u64,
}

#[derive(Clone, Copy, Default)]
struct Wanted {
    lines: bool,
    words: bool,
    chars: bool,
    bytes: bool,
    longest: bool,
}

/// Counts lines, words, characters, bytes.
pub fn run(mut args: Args) -> Outcome {
    let mut wanted = Wanted::default();
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('l') | Long("lines") => wanted.lines = true,
            Short('w') | Long("words") => wanted.words = true,
            Short('m') | Long("chars") => wanted.chars = true,
            Short('c') | Long("bytes") => wanted.bytes = true,
            Short('L') | Long("max-line-length") => wanted.longest = true,
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if !(wanted.lines || wanted.words || wanted.chars || wanted.bytes || wanted.longest) {
        wanted = Wanted {
            lines: true,
            words: true,
            bytes: true,
            ..wanted
        };
    }
    let named = !operands.is_empty();
    if !named {
        operands.push("-".into());
    }
    let mut failed = 0;
    let mut total = Counts::default();
    let mut rows = Vec::new();
    let mut width = if operands.iter().any(|operand| operand == "-") {
        7
    } else {
        1
    };
    for operand in &operands {
        let counted = open(operand).and_then(|input| count(input, wanted));
        match counted {
            Ok(counts) => {
                total.lines += counts.lines;
                total.words += counts.words;
                total.chars += counts.chars;
                total.bytes += counts.bytes;
                total.longest = total.longest.max(counts.longest);
                let name = if named {
                    operand.to_string_lossy().into_owned()
                } else {
                    String::new()
                };
                rows.push((counts, name));
            }
            Err(error) => {
                warn(
                    args.name(),
                    format_args!("{}: {}", operand.display(), reason(&error)),
                );
                failed = 1;
            }
        }
    }
    if operands.len() > 1 {
        rows.push((total, "total".to_owned()));
    }
    width = width.max(total.bytes.to_string().len());
    let one_column = [
        wanted.lines,
        wanted.words,
        wanted.chars,
        wanted.bytes,
        wanted.longest,
    ];
    if one_column.iter().filter(|&&is| is).count() == 1 && operands.len() == 1 {
        width = 1;
    }
    show(&rows, wanted, width)?;
    Ok(failed)
}

fn show(rows: &[(Counts, String)], wanted: Wanted, width: usize) -> Result<(), Failure> {
    let mut out = Out::new();
    for (counts, name) in rows {
        let columns = [
            (wanted.lines, counts.lines),
            (wanted.words, counts.words),
            (wanted.chars, counts.chars),
            (wanted.bytes, counts.bytes),
            (wanted.longest, counts.longest),
        ];
        let columns = columns
            .iter()
            .filter(|column| column.0)
            .map(|column| format!("{:>width$}", column.1));
        let mut line = columns.collect::<Vec<_>>().join(" ");
        if !name.is_empty() {
            line = format!("{line} {name}");
        }
        out.line(line)?;
    }
    out.finish()
}

fn count(mut input: Input, wanted: Wanted) -> std::io::Result<Counts> {
    if let Input::File(file) = &input
        && wanted.bytes
        && !(wanted.lines || wanted.words || wanted.chars || wanted.longest)
    {
        let meta = file.metadata()?;
        if meta.is_file() {
            return Ok(Counts {
                bytes: meta.len(),
                ..Counts::default()
            });
        }
    }
    let mut counts = Counts::default();
    let (mut in_word, mut column) = (false, 0);
    let mut buf = vec![0; 64 << 10];
    loop {
        let got = input.read(&mut buf)?;
        if got == 0 {
            break;
        }
        counts.bytes += got as u64;
        if !(wanted.words || wanted.chars || wanted.longest) {
            counts.lines += buf[..got].iter().filter(|&&byte| byte == b'\n').count() as u64;
            continue;
        }
        for &byte in &buf[..got] {
            // What follows the first byte of a character of UTF-8 is no character.
            let begins = byte & 0xc0 != 0x80;
            counts.chars += u64::from(begins);
            match byte {
                b'\n' | b'\r' | 0x0c => {
                    counts.lines += u64::from(byte == b'\n');
                    counts.longest = counts.longest.max(column);
                    column = 0;
                }
                b'\t' => column += 8 - column % 8,
                0x20.. if byte != 0x7f => column += u64::from(begins),
                _ => {}
            }
            let space = matches!(byte, b' ' | b'\t'..=b'\r');
            counts.words += u64::from(!space && !in_word);
            in_word = !space;
        }
    }
    counts.longest = counts.longest.max(column);
    Ok(counts)
}
