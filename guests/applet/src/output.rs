use std::io::{self, BufWriter, Write};

use sandbox_guest::fd;

use crate::{Context, Failure};

/// The standard output with a buffer of 32 KiB, written when full and at [`finish`](Self::finish).
///
/// `std`'s own is written at every line.
#[derive(Debug)]
pub struct Out(BufWriter<Descriptor>);

#[derive(Debug)]
struct Descriptor;

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        fd::write(1, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Default for Out {
    fn default() -> Self {
        Self::new()
    }
}

impl Out {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self(BufWriter::with_capacity(32 << 10, Descriptor))
    }

    /// Writes `bytes`.
    pub fn put(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.0.write_all(bytes.as_ref()).context("write error")
    }

    /// Writes `text` and ends the line.
    pub fn line(&mut self, text: impl AsRef<[u8]>) -> Result<(), Failure> {
        self.put(text)?;
        self.put(b"\n")
    }

    /// Writes what is in the buffer.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.0.flush().context("write error")
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Writes `text` to the standard error in one piece; nobody is told when that fails.
pub fn error_output(text: &str) {
    let _ = fd::write_all(2, text.as_bytes());
}
