//! Kinds of compression.

use std::io::{self, BufReader, Cursor, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Codec {
    Gzip,
    Bzip2,
    Xz,
}

impl Codec {
    /// By the name's end.
    pub fn of_name(name: &str) -> Option<Self> {
        let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
        if ends(&[".gz", ".tgz", ".z", ".Z"]) {
            Some(Self::Gzip)
        } else if ends(&[".bz2", ".tbz", ".tbz2"]) {
            Some(Self::Bzip2)
        } else if ends(&[".xz", ".txz"]) {
            Some(Self::Xz)
        } else {
            None
        }
    }

    /// By the first bytes of a file.
    pub fn of_content(start: &[u8]) -> Option<Self> {
        if start.starts_with(&[0x1f, 0x8b]) {
            Some(Self::Gzip)
        } else if start.starts_with(b"BZh") {
            Some(Self::Bzip2)
        } else if start.starts_with(b"\xfd7zXZ\0") {
            Some(Self::Xz)
        } else {
            None
        }
    }

    pub fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::Bzip2 => ".bz2",
            Self::Xz => ".xz",
        }
    }

    /// Reads what `input` holds compressed.
    pub fn reader(self, input: impl Read + 'static) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(
                64 << 10,
                input,
            ))),
            Self::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(input)),
            Self::Xz => {
                // Not a stream with this library: all of it is in memory.
                let mut content = Vec::new();
                lzma_rs::xz_decompress(&mut BufReader::new(input), &mut content).map_err(
                    |error| io::Error::new(io::ErrorKind::InvalidData, format!("{error:?}")),
                )?;
                Box::new(Cursor::new(content))
            }
        })
    }

    /// Compresses into `output`; `level` is 1 to 9.
    pub fn writer<'a>(self, output: impl Write + 'a, level: u32) -> io::Result<Encoder<'a>> {
        let output: Box<dyn Write + 'a> = Box::new(output);
        Ok(match self {
            Self::Gzip => Encoder::Gzip(GzEncoder::new(output, Compression::new(level))),
            Self::Bzip2 => Encoder::Bzip2(bzip2::write::BzEncoder::new(
                output,
                bzip2::Compression::new(level),
            )),
            Self::Xz => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "xz can only be unpacked here: use gzip or bzip2",
                ));
            }
        })
    }
}

/// Compresses what is written to it.
pub enum Encoder<'a> {
    Gzip(GzEncoder<Box<dyn Write + 'a>>),
    Bzip2(bzip2::write::BzEncoder<Box<dyn Write + 'a>>),
}

impl Encoder<'_> {
    /// Writes the end.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.finish()?.flush(),
            Self::Bzip2(encoder) => encoder.finish()?.flush(),
        }
    }
}

impl Write for Encoder<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Bzip2(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Bzip2(encoder) => encoder.flush(),
        }
    }
}
