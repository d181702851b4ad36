use sandbox_applet::{Args, Failure, number, text};

use super::convert::Convert;

/// Blocks of more than this are refused: they are held in memory.
const MAX_BLOCK: u64 = 256 << 20;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    All,
    /// Without the line about time.
    Records,
    None,
}

/// What the operands ask for. `skip` and `seek` are in bytes.
#[derive(Clone, Debug)]
pub struct Options {
    pub input: Option<String>,
    pub output: Option<String>,
    pub read_size: usize,
    pub write_size: usize,
    pub skip: u64,
    pub seek: u64,
    pub count: Option<u64>,
    pub count_bytes: Option<u64>,
    pub full_block: bool,
    pub append: bool,
    pub no_truncate: bool,
    pub no_create: bool,
    pub exclusive: bool,
    pub no_error: bool,
    pub pad: bool,
    pub sparse: bool,
    pub sync_output: bool,
    pub convert: Convert,
    pub status: Status,
}

impl Options {
    /// `NAME=value` operands.
    pub fn parse(args: &mut Args) -> Result<Self, Failure> {
        let words = args.rest(None)?;
        let words = words
            .iter()
            .map(|word| text(word))
            .collect::<Result<Vec<_>, _>>()?;
        Self::of_words(&words)
    }

    fn of_words(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self {
            input: None,
            output: None,
            read_size: 512,
            write_size: 512,
            skip: 0,
            seek: 0,
            count: None,
            count_bytes: None,
            full_block: false,
            append: false,
            no_truncate: false,
            no_create: false,
            exclusive: false,
            no_error: false,
            pad: false,
            sparse: false,
            sync_output: false,
            convert: Convert::default(),
            status: Status::All,
        };
        let (mut skip, mut seek, mut count) = (None, None, None);
        let mut in_bytes = [false; 3];
        for word in words {
            let (name, value) = word
                .split_once('=')
                .ok_or_else(|| Failure::new(format!("unrecognized operand '{word}'")))?;
            match name {
                "if" => options.input = Some(value.to_owned()),
                "of" => options.output = Some(value.to_owned()),
                "bs" => {
                    options.read_size = size(value)?;
                    options.write_size = options.read_size;
                }
                "ibs" => options.read_size = size(value)?,
                "obs" => options.write_size = size(value)?,
                "skip" | "iseek" => skip = Some(product(value)?),
                "seek" | "oseek" => seek = Some(product(value)?),
                "count" => count = Some(product(value)?),
                "conv" => {
                    for word in value.split(',') {
                        options.conversion(word)?;
                    }
                }
                "iflag" | "oflag" => {
                    for word in value.split(',') {
                        options.flag(word, &mut in_bytes)?;
                    }
                }
                "status" => {
                    options.status = match value {
                        "none" => Status::None,
                        "noxfer" => Status::Records,
                        "progress" => Status::All,
                        _ => return Err(Failure::new(format!("invalid status level: '{value}'"))),
                    };
                }
                "cbs" => {
                    product(value)?;
                }
                _ => return Err(Failure::new(format!("unrecognized operand '{word}'"))),
            }
        }
        let too_large = || Failure::new("a count of bytes is too large");
        let bytes = |blocks: u64, unit: usize, in_bytes: bool| {
            if in_bytes {
                Some(blocks)
            } else {
                blocks.checked_mul(unit as u64)
            }
            .ok_or_else(too_large)
        };
        let [skip_bytes, seek_bytes, count_bytes] = in_bytes;
        options.skip = bytes(skip.unwrap_or(0), options.read_size, skip_bytes)?;
        options.seek = bytes(seek.unwrap_or(0), options.write_size, seek_bytes)?;
        match count {
            Some(count) if count_bytes => options.count_bytes = Some(count),
            count => options.count = count,
        }
        if options.convert.lower && options.convert.upper {
            return Err(Failure::new("cannot combine lcase and ucase"));
        }
        Ok(options)
    }

    fn conversion(&mut self, word: &str) -> Result<(), Failure> {
        match word {
            "lcase" => self.convert.lower = true,
            "ucase" => self.convert.upper = true,
            "swab" => self.convert.swap = true,
            "notrunc" => self.no_truncate = true,
            "nocreat" => self.no_create = true,
            "excl" => self.exclusive = true,
            "noerror" => self.no_error = true,
            "sync" => self.pad = true,
            "sparse" => self.sparse = true,
            "fsync" | "fdatasync" => self.sync_output = true,
            _ => return Err(Failure::new(format!("invalid conversion: '{word}'"))),
        }
        Ok(())
    }

    fn flag(&mut self, word: &str, in_bytes: &mut [bool; 3]) -> Result<(), Failure> {
        match word {
            "fullblock" => self.full_block = true,
            "append" => self.append = true,
            "skip_bytes" => in_bytes[0] = true,
            "seek_bytes" => in_bytes[1] = true,
            "count_bytes" => in_bytes[2] = true,
            // Nothing is cached, and every write is in the file system at once.
            "direct" | "sync" | "dsync" | "nocache" | "noatime" | "nonblock" | "noctty"
            | "binary" => {}
            _ => return Err(Failure::new(format!("invalid flag: '{word}'"))),
        }
        Ok(())
    }
}

/// A number with suffixes, or a product of such: `2x512`.
fn product(text: &str) -> Result<u64, Failure> {
    let invalid = || Failure::new(format!("invalid number: '{text}'"));
    let one = |part: &str| match part.strip_suffix(['c', 'w']) {
        Some(digits) if part.ends_with('w') => number(digits)?.checked_mul(2),
        Some(digits) => number(digits),
        None => number(part),
    };
    // Not to be taken apart at the x of a prefix: there is none in decimal.
    text.split('x')
        .try_fold(1u64, |product, part| product.checked_mul(one(part)?))
        .ok_or_else(invalid)
}

fn size(text: &str) -> Result<usize, Failure> {
    let bytes = product(text)?;
    let valid = (1..=MAX_BLOCK).contains(&bytes);
    let bytes = usize::try_from(bytes).ok().filter(|_| valid);
    bytes.ok_or_else(|| {
        Failure::new(format!(
            "invalid number: '{text}': a block has 1 to {MAX_BLOCK} bytes"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_have_units_and_limits() {
        let options =
            Options::of_words(&["bs=1k", "count=2", "skip=3", "seek=1", "conv=ucase,notrunc"])
                .unwrap();
        assert_eq!((options.read_size, options.write_size), (1024, 1024));
        assert_eq!(
            (options.skip, options.seek, options.count),
            (3072, 1024, Some(2))
        );
        assert!(options.no_truncate && options.convert.upper);
        let options = Options::of_words(&["count=5", "iflag=count_bytes"]).unwrap();
        assert_eq!((options.count, options.count_bytes), (None, Some(5)));
        assert_eq!(product("2x512").ok(), Some(1024));
        assert_eq!(product("3w").ok(), Some(6));
        for bad in [
            "bs=0",
            "bs=1T",
            "bs=x",
            "count",
            "what=1",
            "conv=rot13",
            "conv=lcase,ucase",
            "skip=99999999999E",
        ] {
            assert!(Options::of_words(&[bad]).is_err(), "{bad}");
        }
    }
}
