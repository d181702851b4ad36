//! `dd`.

mod convert;
mod options;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::time::Instant;

use sandbox_applet::{Args, Context, Failure, Input, Outcome, error_output, open};
use sandbox_guest::fd;

use options::{Options, Status};

/// Copies blocks.
pub fn run(mut args: Args) -> Outcome {
    let options = Options::parse(&mut args)?;
    let mut input = source(&options)?;
    let mut output = Target::open(&options)?;
    let mut counts = Counts::default();
    let start = Instant::now();
    let copied = copy(&options, &mut input, &mut output, &mut counts);
    let flushed = output.finish(&options);
    counts.report(&options, start.elapsed().as_secs_f64());
    copied.and(flushed)?;
    Ok(0)
}

/// The input, what is to be skipped behind it.
fn source(options: &Options) -> Result<Input, Failure> {
    let mut input = match &options.input {
        None => Input::Standard,
        Some(path) => open(path.as_ref()).context(format_args!("failed to open '{path}'"))?,
    };
    match &mut input {
        Input::File(file) if options.skip > 0 => {
            let end = file.metadata().map_or(0, |meta| meta.len());
            if file.metadata().is_ok_and(|meta| meta.is_file()) {
                file.seek(SeekFrom::Start(options.skip.min(end)))
                    .context("cannot skip")?;
            } else {
                discard(&mut input, options.skip)?;
            }
        }
        Input::Standard if options.skip > 0 => discard(&mut input, options.skip)?,
        _ => {}
    }
    Ok(input)
}

fn discard(input: &mut Input, count: u64) -> Result<(), Failure> {
    io::copy(&mut input.by_ref().take(count), &mut io::sink()).context("cannot skip")?;
    Ok(())
}

enum Target {
    Standard,
    File(File),
}

impl Target {
    fn open(options: &Options) -> Result<Self, Failure> {
        let Some(path) = &options.output else {
            if options.seek > 0 {
                fd::seek_by(1, i64::try_from(options.seek).unwrap_or(i64::MAX))
                    .context("cannot seek")?;
            }
            return Ok(Self::Standard);
        };
        let opened = OpenOptions::new()
            .write(true)
            .append(options.append)
            .create(!options.no_create && !options.exclusive)
            .create_new(options.exclusive)
            .open(path);
        let mut file = opened.context(format_args!("failed to open '{path}'"))?;
        if file.metadata().is_ok_and(|meta| meta.is_file()) && !options.append {
            if !options.no_truncate {
                file.set_len(options.seek)
                    .context(format_args!("cannot truncate '{path}'"))?;
            }
            file.seek(SeekFrom::Start(options.seek))
                .context("cannot seek")?;
        }
        Ok(Self::File(file))
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Standard => fd::write_all(1, bytes),
            Self::File(file) => file.write_all(bytes),
        }
    }

    /// A hole as long as `count`, where there can be one.
    fn skip(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::File(file) if file.metadata()?.is_file() => {
                let end = file.seek(SeekFrom::Current(bytes.len() as i64))?;
                if file.metadata()?.len() < end {
                    file.set_len(end)?;
                }
                Ok(())
            }
            _ => self.put(bytes),
        }
    }

    fn finish(&self, options: &Options) -> Result<(), Failure> {
        match self {
            Self::File(file) if options.sync_output => file.sync_all().context("cannot sync"),
            _ => Ok(()),
        }
    }
}

#[derive(Default)]
struct Counts {
    /// Whole and partial blocks.
    read: [u64; 2],
    written: [u64; 2],
    bytes: u64,
}

impl Counts {
    fn report(&self, options: &Options, seconds: f64) {
        if options.status == Status::None {
            return;
        }
        let [whole, partial] = self.read;
        let mut text = format!("{whole}+{partial} records in\n");
        let [whole, partial] = self.written;
        text += &format!("{whole}+{partial} records out\n");
        if options.status == Status::All {
            let bytes = self.bytes;
            let unit = if bytes == 1 { "byte" } else { "bytes" };
            let rate = bytes as f64 / seconds.max(1e-9) / 1e6;
            text += &format!("{bytes} {unit} copied, {seconds:.6} s, {rate:.1} MB/s\n");
        }
        error_output(&text);
    }
}

/// Reads one block: what one read gives, or all of it when it must be full.
fn block(input: &mut Input, buf: &mut [u8], full: bool) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        let count = input.read(&mut buf[filled..])?;
        filled += count;
        if count == 0 || !full {
            break;
        }
    }
    Ok(filled)
}

fn copy(
    options: &Options,
    input: &mut Input,
    output: &mut Target,
    counts: &mut Counts,
) -> Result<(), Failure> {
    let mut buf = vec![0; options.read_size];
    let mut waiting: Vec<u8> = Vec::new();
    let mut blocks = 0;
    let mut left = options.count_bytes.unwrap_or(u64::MAX);
    while options.count.is_none_or(|count| blocks < count) && left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let count = match block(input, &mut buf[..most], options.full_block) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if options.no_error => {
                error_output(&format!(
                    "dd: error reading: {}\n",
                    sandbox_applet::reason(&error)
                ));
                break;
            }
            Err(error) => return Err(Failure::io("error reading", &error)),
        };
        blocks += 1;
        left -= count as u64;
        counts.read[usize::from(count < options.read_size)] += 1;
        let mut bytes = buf[..count].to_vec();
        if options.pad {
            bytes.resize(options.read_size, 0);
        }
        options.convert.apply(&mut bytes);
        if options.write_size == options.read_size && waiting.is_empty() {
            write(options, output, counts, &bytes)?;
            continue;
        }
        waiting.extend(bytes);
        while waiting.len() >= options.write_size {
            let rest = waiting.split_off(options.write_size);
            write(options, output, counts, &waiting)?;
            waiting = rest;
        }
    }
    if waiting.is_empty() {
        Ok(())
    } else {
        write(options, output, counts, &waiting)
    }
}

fn write(
    options: &Options,
    output: &mut Target,
    counts: &mut Counts,
    bytes: &[u8],
) -> Result<(), Failure> {
    let hole = options.sparse && bytes.iter().all(|&byte| byte == 0);
    let written = if hole {
        output.skip(bytes)
    } else {
        output.put(bytes)
    };
    written.context("error writing")?;
    counts.written[usize::from(bytes.len() < options.write_size)] += 1;
    counts.bytes += bytes.len() as u64;
    Ok(())
}
