//! `read`.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use sandbox_guest::{errno, fd, poll};

use crate::ast::Bytes;
use crate::expand::fields::split_read;
use crate::flow::{Run, USAGE};
use crate::shell::{Shell, describe};
use crate::text;
use crate::vars::Value;

/// What is read, and until when.
#[derive(Debug)]
struct Wanted {
    raw: bool,
    delimiter: u8,
    /// At most so many characters; with `-N` delimiters are read like others.
    most: Option<usize>,
    exactly: bool,
    until: Option<Instant>,
}

/// What came.
#[derive(Debug, Default)]
struct Line {
    text: Bytes,
    /// Bytes that a backslash made plain.
    escaped: Vec<bool>,
    /// The delimiter (or enough) came, before the end.
    whole: bool,
    late: bool,
}

/// The status of `read -t` when time is up.
const LATE: i32 = 142;

pub(super) fn read(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, names)) = super::options(shell, args, "rsp:t:n:N:d:a:u:e") else {
        return Ok(USAGE);
    };
    let mut wanted = Wanted {
        raw: false,
        delimiter: b'\n',
        most: None,
        exactly: false,
        until: None,
    };
    let (mut array, mut number) = (None, 0);
    for (letter, value) in flags {
        match letter {
            b'r' => wanted.raw = true,
            b'p' => {
                let _ = shell.fds.write(2, value);
            }
            b'd' => wanted.delimiter = value.first().copied().unwrap_or(0),
            b'n' | b'N' => {
                wanted.most = text::parse_int(value).and_then(|most| usize::try_from(most).ok());
                wanted.exactly = letter == b'N';
            }
            b't' => {
                let seconds = std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse::<f64>().ok());
                let timeout = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                let Some(timeout) = timeout else {
                    return shell.refuse(
                        "read",
                        &format!("{}: invalid timeout specification", text::lossy(value)),
                    );
                };
                wanted.until = Instant::now().checked_add(timeout);
            }
            b'a' => array = Some(value.to_vec()),
            b'u' => {
                number = text::parse_int(value)
                    .and_then(|number| u32::try_from(number).ok())
                    .unwrap_or(u32::MAX)
            }
            _ => {}
        }
    }
    let default = [b"REPLY".to_vec()];
    let names = match names {
        [] if !shell.bash && array.is_none() => return shell.fail("read: arg count"),
        [] => &default,
        names => names,
    };
    if let Some(name) = names.iter().find(|name| !text::is_name(name)) {
        return shell.fail(&format!("read: {}: bad variable name", text::lossy(name)));
    }
    let line = match shell
        .fds
        .number(number)
        .and_then(|source| take(shell, source, &wanted))
    {
        Ok(line) => line,
        Err(error) => return shell.refuse("read", &describe(&error)),
    };
    store(shell, names, array, &line, wanted.exactly)?;
    Ok(if line.late {
        LATE
    } else {
        i32::from(!line.whole)
    })
}

fn store(
    shell: &mut Shell,
    names: &[Bytes],
    array: Option<Bytes>,
    line: &Line,
    exactly: bool,
) -> Run<()> {
    let ifs = shell.ifs();
    if let Some(name) = array {
        let parts = split_read(&line.text, &line.escaped, &ifs, usize::MAX);
        let items: BTreeMap<i64, Bytes> = (0..).zip(parts).collect();
        shell.writable(&name)?.value = Some(Value::Array(items));
        return Ok(());
    }
    let whole = exactly || (names.len() == 1 && names[0] == b"REPLY" && shell.bash);
    let parts = if whole {
        vec![line.text.clone()]
    } else {
        split_read(&line.text, &line.escaped, &ifs, names.len())
    };
    let mut parts = parts.into_iter();
    for name in names {
        shell.set(name, parts.next().unwrap_or_default())?;
    }
    Ok(())
}

/// Reads one line and nothing beyond it, since other commands read the same input.
fn take(shell: &mut Shell, source: u32, wanted: &Wanted) -> io::Result<Line> {
    let mut line = Line::default();
    let mut input = Input {
        source,
        wanted,
        buffer: [0; 512],
        filled: 0,
        used: 0,
        seeks: fd::seek_by(source, 0).is_ok(),
    };
    let mut after_backslash = false;
    let mut count = 0;
    loop {
        if wanted.most.is_some_and(|most| count >= most) {
            line.whole = true;
            break;
        }
        let byte = match input.next(shell) {
            Ok(Some(byte)) => byte,
            Ok(None) => break,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                line.late = true;
                break;
            }
            Err(error) => return Err(error),
        };
        if after_backslash {
            after_backslash = false;
            if byte != b'\n' {
                line.push(byte, true);
                count += usize::from(byte & 0xc0 != 0x80);
            }
            continue;
        }
        if byte == wanted.delimiter && !wanted.exactly {
            line.whole = true;
            break;
        }
        if byte == b'\\' && !wanted.raw {
            after_backslash = true;
            continue;
        }
        if byte != 0 {
            line.push(byte, false);
        }
        // A character is complete when the next one begins: its later bytes do not count.
        count += usize::from(text::char_count(&line.text) > count);
        if wanted.most.is_some_and(|most| count >= most) && byte >= 0x80 && !is_complete(&line.text)
        {
            count -= 1;
        }
    }
    input.give_back()?;
    Ok(line)
}

/// Whether the last character has all its bytes.
fn is_complete(text: &[u8]) -> bool {
    match std::str::from_utf8(text) {
        Ok(_) => true,
        Err(error) => error.error_len().is_some(),
    }
}

impl Line {
    fn push(&mut self, byte: u8, escaped: bool) {
        if escaped {
            self.escaped.resize(self.text.len(), false);
            self.escaped.push(true);
        }
        self.text.push(byte);
    }
}

/// Bytes one at a time: files are read in blocks and set back, all else is read byte by byte.
struct Input<'a> {
    source: u32,
    wanted: &'a Wanted,
    buffer: [u8; 512],
    filled: usize,
    used: usize,
    seeks: bool,
}

impl Input<'_> {
    fn next(&mut self, shell: &mut Shell) -> io::Result<Option<u8>> {
        if self.used == self.filled {
            let len = if self.seeks { self.buffer.len() } else { 1 };
            self.filled = loop {
                self.wait_for_input()?;
                match fd::read(self.source, &mut self.buffer[..len]) {
                    Ok(count) => break count,
                    // The trap of a caught signal runs; then reading goes on.
                    Err(error) if errno::is(&error, errno::INTR) => {
                        if shell.run_traps().is_err() {
                            return Err(error);
                        }
                    }
                    Err(error) => return Err(error),
                }
            };
            self.used = 0;
            if self.filled == 0 {
                return Ok(None);
            }
        }
        self.used += 1;
        Ok(Some(self.buffer[self.used - 1]))
    }

    fn wait_for_input(&self) -> io::Result<()> {
        let Some(until) = self.wanted.until else {
            return Ok(());
        };
        let left = until.saturating_duration_since(Instant::now());
        let ready = errno::retry(|| poll::wait(&[poll::Event::Readable(self.source)], Some(left)))?;
        if ready.is_empty() {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            Ok(())
        }
    }

    fn give_back(&self) -> io::Result<()> {
        let unread = i64::try_from(self.filled - self.used).unwrap_or_default();
        if unread > 0 {
            fd::seek_by(self.source, -unread)?;
        }
        Ok(())
    }
}
