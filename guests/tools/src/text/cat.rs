//! `cat`, `more`, `less`.

use std::io::Read as _;

use sandbox_applet::{Args, Failure, Long, Out, Outcome, Short, Value, open, reason, warn};
use sandbox_guest::fd;

#[derive(Default)]
struct Options {
    number: bool,
    number_nonblank: bool,
    ends: bool,
    tabs: bool,
    nonprinting: bool,
    squeeze: bool,
}

/// `cat`
pub fn run(mut args: Args) -> Outcome {
    let mut options = Options::default();
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('n') | Long("number") => options.number = true,
            Short('b') | Long("number-nonblank") => options.number_nonblank = true,
            Short('E') | Long("show-ends") => options.ends = true,
            Short('T') | Long("show-tabs") => options.tabs = true,
            Short('v') | Long("show-nonprinting") => options.nonprinting = true,
            Short('A') | Long("show-all") => {
                (options.nonprinting, options.ends, options.tabs) = (true, true, true);
            }
            Short('e') => (options.nonprinting, options.ends) = (true, true),
            Short('t') => (options.nonprinting, options.tabs) = (true, true),
            Short('s') | Long("squeeze-blank") => options.squeeze = true,
            Short('u') => {}
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        operands.push("-".into());
    }
    let plain = !(options.number
        || options.number_nonblank
        || options.ends
        || options.tabs
        || options.nonprinting
        || options.squeeze);
    let mut lines = Lines {
        options,
        out: Out::new(),
        count: 0,
        fresh: true,
        blank: 0,
    };
    let mut buf = vec![0; 64 << 10];
    let mut failed = 0;
    for operand in &operands {
        let mut input = match open(operand) {
            Ok(input) => input,
            Err(error) => {
                lines.out.finish()?;
                warn(
                    args.name(),
                    format_args!("{}: {}", operand.display(), reason(&error)),
                );
                failed = 1;
                continue;
            }
        };
        loop {
            let count = match input.read(&mut buf) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => {
                    lines.out.finish()?;
                    warn(
                        args.name(),
                        format_args!("{}: {}", operand.display(), reason(&error)),
                    );
                    failed = 1;
                    break;
                }
            };
            if plain {
                // What a pipe brings is passed on at once.
                fd::write_all(1, &buf[..count])
                    .map_err(|error| Failure::io("write error", &error))?;
            } else {
                lines.feed(&buf[..count])?;
                lines.out.finish()?;
            }
        }
    }
    Ok(failed)
}

/// `more` and `less`: there is no terminal to stop for, so the text is printed whole.
pub fn pager(mut args: Args) -> Outcome {
    let name = args.name();
    let words = args.rest(None)?;
    let files = words.into_iter().filter(|word| {
        let word = word.as_encoded_bytes();
        !(word.len() > 1 && matches!(word[0], b'-' | b'+'))
    });
    run(Args::new(name, files.collect()))
}

struct Lines {
    options: Options,
    out: Out,
    count: u64,
    /// The next byte begins a line.
    fresh: bool,
    /// Empty lines so far.
    blank: u64,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for &byte in bytes {
            if self.fresh {
                let empty = byte == b'\n';
                self.blank = if empty { self.blank + 1 } else { 0 };
                if self.options.squeeze && self.blank > 1 {
                    continue;
                }
                if self.options.number_nonblank && !empty
                    || self.options.number && !self.options.number_nonblank
                {
                    self.count += 1;
                    self.out.put(format!("{:6}\t", self.count))?;
                }
            }
            self.fresh = byte == b'\n';
            match byte {
                b'\n' if self.options.ends => self.out.put(b"$\n")?,
                b'\n' => self.out.put(b"\n")?,
                b'\t' if self.options.tabs => self.out.put(b"^I")?,
                b'\t' => self.out.put(b"\t")?,
                _ if self.options.nonprinting => self.out.put(visible(byte))?,
                _ => self.out.put([byte])?,
            }
        }
        Ok(())
    }
}

/// `byte` in the notation of `cat -v`.
fn visible(byte: u8) -> Vec<u8> {
    let low = byte & 0x7f;
    let mut out = if byte >= 0x80 {
        b"M-".to_vec()
    } else {
        Vec::new()
    };
    match low {
        0..0x20 => out.extend([b'^', low + 64]),
        0x7f => out.extend(b"^?"),
        _ => out.push(low),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_do_not_print_get_a_notation() {
        assert_eq!(visible(0), b"^@");
        assert_eq!(visible(127), b"^?");
        assert_eq!(visible(b'a'), b"a");
        assert_eq!(visible(0x89), b"M-^I");
        assert_eq!(visible(0xff), b"M-^?");
    }
}
