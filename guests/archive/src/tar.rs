//! `tar`.

mod create;
mod extract;
mod options;

use std::io::{self, BufReader, Cursor, Read};

use sandbox_applet::{Args, Context, Failure, Outcome, open};

use crate::codec::Codec;
use options::{Options, Task};

/// Makes, lists or unpacks archives.
pub fn run(mut args: Args) -> Outcome {
    let name = args.name();
    let trouble = |failure: Failure| failure.with_code(2);
    let options = Options::parse(&mut args).map_err(trouble)?;
    match options.task {
        Task::Create => create::run(&options, name),
        Task::List | Task::Extract => extract::run(&options, name),
        Task::Append => create::append(&options, name),
    }
    .map_err(trouble)
}

/// The archive, unpacked on the way when it is compressed.
fn archive(options: &Options) -> Result<Box<dyn Read>, Failure> {
    let path = &options.file;
    let mut input = open(path.as_ref()).context(format_args!("{path}: Cannot open"))?;
    let mut start = Vec::new();
    input
        .by_ref()
        .take(6)
        .read_to_end(&mut start)
        .context(path)?;
    let codec = Codec::of_content(&start);
    let whole = Cursor::new(start).chain(BufReader::with_capacity(64 << 10, input));
    match codec {
        Some(codec) => codec.reader(whole).context(path),
        None => Ok(Box::new(whole)),
    }
}

/// Skips what is left, so that who writes the archive to us does not end by a closed pipe.
fn drain(mut input: impl Read) {
    let _ = io::copy(&mut input, &mut io::sink());
}
