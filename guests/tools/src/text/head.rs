//! `head`.

use std::collections::VecDeque;
use std::io::{self, Read};

use sandbox_applet::{
    Args, Failure, Input, Long, Out, Outcome, Short, Value, number, open, reason, warn,
};
use sandbox_guest::fd;

/// How much is printed.
#[derive(Clone, Copy)]
enum Count {
    First(u64),
    /// All but the last.
    ButLast(u64),
}

/// Prints the beginning of files.
pub fn run(mut args: Args) -> Outcome {
    let (mut count, mut bytes, mut titles, mut end) = (Count::First(10), false, None, b'\n');
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('n') | Long("lines") => {
                (count, bytes) = (parse(&args.string()?, "lines")?, false)
            }
            Short('c') | Long("bytes") => (count, bytes) = (parse(&args.string()?, "bytes")?, true),
            Short(digit @ '0'..='9') => {
                (count, bytes) = (parse(&args.digits(digit)?, "lines")?, false)
            }
            Short('q') | Long("quiet" | "silent") => titles = Some(false),
            Short('v') | Long("verbose") => titles = Some(true),
            Short('z') | Long("zero-terminated") => end = 0,
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        operands.push("-".into());
    }
    let titled = titles.unwrap_or(operands.len() > 1);
    let mut out = Out::new();
    let mut failed = 0;
    let mut first = true;
    for operand in &operands {
        let mut input = match open(operand) {
            Ok(input) => input,
            Err(error) => {
                out.finish()?;
                warn(
                    args.name(),
                    format_args!(
                        "cannot open '{}' for reading: {}",
                        operand.display(),
                        reason(&error)
                    ),
                );
                failed = 1;
                continue;
            }
        };
        if titled {
            out.put(title(operand, first))?;
        }
        first = false;
        let done = match (count, bytes) {
            (Count::First(count), true) => first_bytes(&mut input, count, &mut out),
            (Count::First(count), false) => first_lines(&mut input, count, end, &mut out),
            (Count::ButLast(count), bytes) => {
                but_last(&mut input, count, (!bytes).then_some(end), &mut out)
            }
        };
        if let Err(failure) = done {
            out.finish()?;
            warn(
                args.name(),
                format_args!(
                    "error reading '{}': {}",
                    operand.display(),
                    failure.message()
                ),
            );
            failed = 1;
        }
    }
    out.finish()?;
    Ok(failed)
}

/// `==> name <==`, after an empty line unless it is the first.
pub fn title(operand: &std::ffi::OsStr, first: bool) -> String {
    let name = if operand == "-" {
        "standard input".into()
    } else {
        operand.to_string_lossy()
    };
    format!("{}==> {name} <==\n", if first { "" } else { "\n" })
}

fn parse(text: &str, what: &str) -> Result<Count, Failure> {
    let (digits, but_last) = match text.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    let count = number(digits)
        .ok_or_else(|| Failure::new(format!("invalid number of {what}: '{text}'")))?;
    Ok(if but_last {
        Count::ButLast(count)
    } else {
        Count::First(count)
    })
}

fn failed(error: io::Error) -> Failure {
    Failure::new(reason(&error))
}

fn first_bytes(input: &mut Input, count: u64, out: &mut Out) -> Result<(), Failure> {
    let mut buf = vec![0; 64 << 10];
    let mut left = count;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let got = input.read(&mut buf[..most]).map_err(failed)?;
        if got == 0 {
            break;
        }
        out.put(&buf[..got])?;
        left -= got as u64;
    }
    Ok(())
}

fn first_lines(input: &mut Input, count: u64, end: u8, out: &mut Out) -> Result<(), Failure> {
    let mut buf = vec![0; 16 << 10];
    let mut left = count;
    while left > 0 {
        let got = input.read(&mut buf).map_err(failed)?;
        if got == 0 {
            break;
        }
        let mut used = got;
        for (at, _) in buf[..got]
            .iter()
            .enumerate()
            .filter(|&(_, &byte)| byte == end)
        {
            left -= 1;
            if left == 0 {
                used = at + 1;
                break;
            }
        }
        out.put(&buf[..used])?;
        if used < got && matches!(input, Input::Standard) {
            // Of a file, the next program goes on where the lines end. A pipe cannot give back.
            let _ = fd::seek_by(0, -((got - used) as i64));
        }
    }
    Ok(())
}

/// Prints all but the last `count` bytes, or lines when they have an `end`.
fn but_last(input: &mut Input, count: u64, end: Option<u8>, out: &mut Out) -> Result<(), Failure> {
    let mut held: VecDeque<Vec<u8>> = VecDeque::new();
    let mut buf = vec![0; 64 << 10];
    let mut line = Vec::new();
    loop {
        let got = input.read(&mut buf).map_err(failed)?;
        if got == 0 {
            break;
        }
        match end {
            None => {
                line.extend_from_slice(&buf[..got]);
                let keep = usize::try_from(count).unwrap_or(usize::MAX);
                let ready = line.len().saturating_sub(keep);
                out.put(&line[..ready])?;
                line.drain(..ready);
            }
            Some(end) => {
                for piece in buf[..got].split_inclusive(|&byte| byte == end) {
                    line.extend_from_slice(piece);
                    if piece.last() == Some(&end) {
                        held.push_back(std::mem::take(&mut line));
                    }
                    if held.len() as u64 > count
                        && let Some(ready) = held.pop_front()
                    {
                        out.put(ready)?;
                    }
                }
            }
        }
    }
    if end.is_some() && !line.is_empty() {
        held.push_back(line);
        if held.len() as u64 > count
            && let Some(ready) = held.pop_front()
        {
            out.put(ready)?;
        }
    }
    Ok(())
}
