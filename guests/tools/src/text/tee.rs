//! `tee`.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use sandbox_applet::{Args, Failure, Long, Outcome, Short, Value, reason, warn};
use sandbox_guest::{fd, signal};

/// Copies the standard input to the standard output and to files.
pub fn run(mut args: Args) -> Outcome {
    let mut append = false;
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('a') | Long("append") => append = true,
            Short('i') | Long("ignore-interrupts") => {
                signal::number("INT")
                    .map_or(Ok(()), |number| {
                        signal::set(number, signal::Disposition::Ignore)
                    })
                    .map_err(|error| Failure::io("cannot ignore interrupts", &error))?;
            }
            Short('p') => {}
            Long("output-error") => {
                args.optional_value();
            }
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let mut failed = 0;
    let mut files: Vec<(String, File)> = Vec::new();
    for operand in &operands {
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .append(append)
            .truncate(!append)
            .open(operand);
        let path = operand.to_string_lossy().into_owned();
        match opened {
            Ok(file) => files.push((path, file)),
            Err(error) => {
                warn(args.name(), format_args!("{path}: {}", reason(&error)));
                failed = 1;
            }
        }
    }
    let mut buf = vec![0; 64 << 10];
    loop {
        let got = fd::read(0, &mut buf).map_err(|error| Failure::io("read error", &error))?;
        if got == 0 {
            return Ok(failed);
        }
        if let Err(error) = fd::write_all(1, &buf[..got]) {
            return Err(Failure::io("standard output", &error));
        }
        files.retain_mut(|(path, file)| match file.write_all(&buf[..got]) {
            Ok(()) => true,
            Err(error) => {
                warn(args.name(), format_args!("{path}: {}", reason(&error)));
                failed = 1;
                false
            }
        });
    }
}
