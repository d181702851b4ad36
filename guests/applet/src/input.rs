use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};

use sandbox_guest::fd;

/// A file, or the standard input.
#[derive(Debug)]
pub enum Input {
    /// Descriptor 0, without a buffer: what is not used stays for the next program.
    Standard,
    /// A file.
    File(File),
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Standard => fd::read(0, buf),
            Self::File(file) => file.read(buf),
        }
    }
}

/// Opens `path` for reading; `-` is the standard input. A directory is refused, as by `read(2)`.
pub fn open(path: &OsStr) -> io::Result<Input> {
    if path == "-" {
        return Ok(Input::Standard);
    }
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(sandbox_guest::errno::error(sandbox_guest::errno::ISDIR));
    }
    Ok(Input::File(file))
}
