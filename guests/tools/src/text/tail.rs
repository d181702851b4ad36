//! `tail`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use sandbox_applet::{
    Args, Failure, Input, Long, Out, Outcome, Short, Value, number, open, reason, warn,
};
use sandbox_guest::{poll, signal};

use super::head::title;

const STEP: u64 = 64 << 10;

#[derive(Clone, Copy)]
struct Options {
    count: u64,
    /// Counted from the start: the first line or byte printed.
    from_start: bool,
    bytes: bool,
    end: u8,
}

/// Prints the end of files.
pub fn run(mut args: Args) -> Outcome {
    let mut options = Options {
        count: 10,
        from_start: false,
        bytes: false,
        end: b'\n',
    };
    let (mut titles, mut follow, mut by_name, mut pid) = (None, false, false, None);
    let mut pause = Duration::from_secs(1);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('n') | Long("lines") => options.set(&args.string()?, false)?,
            Short('c') | Long("bytes") => options.set(&args.string()?, true)?,
            Short(digit @ '0'..='9') => options.set(&args.digits(digit)?, false)?,
            Short('f') => follow = true,
            Short('F') => (follow, by_name) = (true, true),
            Long("follow") => {
                follow = true;
                by_name = args.optional_value().is_some_and(|value| value == "name");
            }
            Long("retry") => by_name = true,
            Long("pid") => pid = args.string()?.parse().ok(),
            Short('s') | Long("sleep-interval") => {
                let value = args.string()?;
                pause = sandbox_applet::time::duration(&value)
                    .ok()
                    .flatten()
                    .ok_or_else(|| Failure::new(format!("invalid number of seconds: '{value}'")))?;
            }
            Short('q') | Long("quiet" | "silent") => titles = Some(false),
            Short('v') | Long("verbose") => titles = Some(true),
            Short('z') | Long("zero-terminated") => options.end = 0,
            Value(value)
                if value.to_str().is_some_and(|value| plus(value)) && operands.is_empty() =>
            {
                options.set(&value.to_string_lossy(), false)?;
            }
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
    let mut followed = Vec::new();
    for (at, operand) in operands.iter().enumerate() {
        let shown = open(operand).and_then(|input| {
            if titled {
                out.put(title(operand, at == 0))
                    .map_err(|failure| io::Error::other(failure.message().to_owned()))?;
            }
            options.print(input, &mut out)
        });
        match shown {
            Ok(position) => followed.push((operand.as_os_str(), position)),
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
                if by_name {
                    followed.push((operand.as_os_str(), 0));
                }
            }
        }
    }
    out.finish()?;
    followed.retain(|&(operand, _)| operand != "-");
    if follow && !followed.is_empty() {
        watch(args.name(), followed, titled, pause, pid)?;
    }
    Ok(failed)
}

fn plus(text: &str) -> bool {
    text.len() > 1 && text.starts_with('+') && text[1..].bytes().all(|byte| byte.is_ascii_digit())
}

impl Options {
    fn set(&mut self, text: &str, bytes: bool) -> Result<(), Failure> {
        let digits = text.trim_start_matches(['-', '+']);
        let what = if bytes { "bytes" } else { "lines" };
        self.count = number(digits)
            .ok_or_else(|| Failure::new(format!("invalid number of {what}: '{text}'")))?;
        self.from_start = text.starts_with('+');
        self.bytes = bytes;
        Ok(())
    }

    /// Prints the end of `input`; how far it was read.
    fn print(self, input: Input, out: &mut Out) -> io::Result<u64> {
        let out: &mut dyn io::Write = out;
        match input {
            _ if self.from_start => self.skip(input, out),
            Input::File(file) => self.end_of_file(file, out),
            Input::Standard => self.end_of_stream(input, out),
        }
    }

    /// Skips the first lines or bytes and prints the rest.
    fn skip(self, mut input: Input, out: &mut dyn io::Write) -> io::Result<u64> {
        let mut left = self.count.saturating_sub(1);
        let mut buf = vec![0; STEP as usize];
        let mut position = 0;
        loop {
            let got = input.read(&mut buf)?;
            if got == 0 {
                return Ok(position);
            }
            position += got as u64;
            let mut from = 0;
            if self.bytes {
                from = usize::try_from(left).unwrap_or(usize::MAX).min(got);
                left -= from as u64;
            } else {
                while left > 0 && from < got {
                    match buf[from..got].iter().position(|&byte| byte == self.end) {
                        Some(at) => {
                            from += at + 1;
                            left -= 1;
                        }
                        None => from = got,
                    }
                }
            }
            out.write_all(&buf[from..got])?;
        }
    }

    /// Looks for the start from behind: a long file is not read whole.
    fn end_of_file(self, mut file: File, out: &mut dyn io::Write) -> io::Result<u64> {
        let size = file.seek(SeekFrom::End(0))?;
        let mut start = size.saturating_sub(self.count);
        if !self.bytes {
            start = size;
            let mut ends = 0;
            'search: while start > 0 && self.count > 0 {
                let step = start.min(STEP);
                let mut buf = vec![0; step as usize];
                file.seek(SeekFrom::Start(start - step))?;
                file.read_exact(&mut buf)?;
                for (at, &byte) in buf.iter().enumerate().rev() {
                    let place = start - step + at as u64;
                    if byte == self.end && place + 1 != size {
                        ends += 1;
                        if ends == self.count {
                            start = place + 1;
                            break 'search;
                        }
                    }
                }
                start -= step;
            }
        }
        file.seek(SeekFrom::Start(start))?;
        let copied = io::copy(&mut file, out)?;
        Ok(start + copied)
    }

    /// Keeps the last lines or bytes of what cannot be read twice.
    fn end_of_stream(self, mut input: Input, out: &mut dyn io::Write) -> io::Result<u64> {
        let mut held = Vec::new();
        let mut buf = vec![0; STEP as usize];
        let mut position = 0;
        loop {
            let got = input.read(&mut buf)?;
            position += got as u64;
            held.extend_from_slice(&buf[..got]);
            if got == 0 || held.len() as u64 > 16 * STEP {
                let start = self.start_in(&held);
                held.drain(..start);
            }
            if got == 0 {
                out.write_all(&held)?;
                return Ok(position);
            }
        }
    }

    fn start_in(self, held: &[u8]) -> usize {
        if self.bytes {
            return held
                .len()
                .saturating_sub(usize::try_from(self.count).unwrap_or(usize::MAX));
        }
        if self.count == 0 {
            return held.len();
        }
        let mut ends = 0;
        for (at, _) in held
            .iter()
            .enumerate()
            .rev()
            .filter(|&(_, &byte)| byte == self.end)
        {
            if at + 1 != held.len() {
                ends += 1;
                if ends == self.count {
                    return at + 1;
                }
            }
        }
        0
    }
}

/// Prints what is added to files, until killed or the process `pid` has ended.
fn watch(
    name: &str,
    mut followed: Vec<(&OsStr, u64)>,
    titled: bool,
    pause: Duration,
    pid: Option<i32>,
) -> Result<(), Failure> {
    let mut last = followed.len() - 1;
    loop {
        let gone = pid.is_some_and(|pid| signal::send(pid, 0).is_err());
        for (at, (path, position)) in followed.iter_mut().enumerate() {
            let Ok(size) = fs::metadata(&path).map(|meta| meta.len()) else {
                continue;
            };
            if size == *position {
                continue;
            }
            let mut out = Out::new();
            if size < *position {
                warn(name, format_args!("{}: file truncated", path.display()));
                *position = 0;
            }
            if titled && last != at {
                out.put(title(path, false))?;
                last = at;
            }
            let added = File::open(&path).and_then(|mut file| {
                file.seek(SeekFrom::Start(*position))?;
                io::copy(&mut file, &mut out)
            });
            match added {
                Ok(added) => *position += added,
                Err(error) => warn(name, format_args!("{}: {}", path.display(), reason(&error))),
            }
            out.finish()?;
        }
        if gone {
            return Ok(());
        }
        let _ = poll::sleep(pause);
    }
}
