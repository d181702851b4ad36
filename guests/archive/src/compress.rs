//! `gzip`, `bzip2`, `xz`, and their opposites.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};

use sandbox_applet::{
    Args, Context, Failure, Input, Long, Out, Outcome, Short, Value, cwd, open, reason, text, warn,
};
use sandbox_guest::files;

use crate::codec::Codec;
use crate::restore;

struct Options {
    codec: Codec,
    decompress: bool,
    to_output: bool,
    keep: bool,
    force: bool,
    test: bool,
    list: bool,
    quiet: bool,
    verbose: bool,
    recursive: bool,
    suffix: String,
    level: u32,
}

/// Compresses files, or the standard input.
pub fn run(mut args: Args) -> Outcome {
    let name = args.name();
    let codec = match name {
        "bzip2" | "bunzip2" | "bzcat" => Codec::Bzip2,
        "xz" | "unxz" | "xzcat" => Codec::Xz,
        _ => Codec::Gzip,
    };
    let mut options = Options {
        codec,
        decompress: !matches!(name, "gzip" | "bzip2" | "xz"),
        to_output: name.ends_with("cat"),
        keep: false,
        force: false,
        test: false,
        list: false,
        quiet: false,
        verbose: false,
        recursive: false,
        suffix: codec.suffix().to_owned(),
        level: if codec == Codec::Bzip2 { 9 } else { 6 },
    };
    let mut operands: Vec<OsString> = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('d') | Long("decompress" | "uncompress") => options.decompress = true,
            Short('z') | Long("compress") => options.decompress = false,
            Short('c') | Long("stdout" | "to-stdout") => options.to_output = true,
            Short('k') | Long("keep") => options.keep = true,
            Short('f') | Long("force") => options.force = true,
            Short('t') | Long("test") => (options.test, options.decompress) = (true, true),
            Short('l') | Long("list") => (options.list, options.decompress) = (true, true),
            Short('q') | Long("quiet") => options.quiet = true,
            Short('v') | Long("verbose") => options.verbose = true,
            Short('r') | Long("recursive") => options.recursive = true,
            Short('S') | Long("suffix") => options.suffix = args.string()?,
            Short(level @ '1'..='9') => options.level = level as u32 - '0' as u32,
            Long("fast") => options.level = 1,
            Long("best") => options.level = 9,
            Short('n' | 'N' | 's') | Long("no-name" | "name" | "small" | "rsyncable") => {}
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        operands.push("-".into());
    }
    let mut failed = 0;
    for operand in &operands {
        let path = text(operand)?;
        if let Err(failure) = options.each(path, name) {
            if failure.code() != 2 || !options.quiet {
                warn(name, failure.message());
            }
            failed = failed.max(failure.code());
        }
    }
    Ok(failed)
}

impl Options {
    fn each(&self, path: &str, name: &str) -> Result<(), Failure> {
        let is_dir = path != "-" && files::stat(&cwd(), path, true).is_ok_and(|stat| stat.is_dir());
        if !is_dir {
            return self.one(path);
        }
        if !self.recursive {
            return Err(Failure::new(format!("{path} is a directory -- ignored")).with_code(2));
        }
        let mut result = Ok(());
        for entry in sandbox_applet::entries(path).context(path)? {
            if (entry.stat.is_dir() || entry.stat.is_file())
                && let Err(failure) = self.each(&entry.path, name)
            {
                warn(name, failure.message());
                result =
                    Err(Failure::new(format!("{path}: not all of it")).with_code(failure.code()));
            }
        }
        result
    }

    fn one(&self, path: &str) -> Result<(), Failure> {
        if self.list {
            return self.list(path);
        }
        if self.test {
            let mut input = self
                .codec
                .reader(open(path.as_ref()).context(path)?)
                .context(path)?;
            io::copy(&mut input, &mut io::sink()).context(path)?;
            return Ok(());
        }
        if path == "-" || self.to_output {
            let mut out = Out::new();
            self.pass(open(path.as_ref()).context(path)?, &mut out)
                .context(path)?;
            return out.finish();
        }
        let target = self.target(path)?;
        let input = open(path.as_ref()).context(path)?;
        let stat = files::stat(&cwd(), path, true).context(path)?;
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .create_new(!self.force)
            .truncate(true)
            .open(&target);
        let file = opened.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                Failure::new(format!("{target} already exists;\tnot overwritten")).with_code(2)
            }
            _ => Failure::io(&target, &error),
        })?;
        if let Err(error) = self.pass(input, BufWriter::new(&file)) {
            drop(file);
            // Half a file must not look like a whole one.
            let _ = fs::remove_file(&target);
            return Err(Failure::new(format!("{path}: {}", reason(&error))));
        }
        drop(file);
        restore::mode(&target, stat.mode).context(&target)?;
        let _ = files::chown(&cwd(), &target, true, stat.uid, stat.gid);
        restore::time(&target, stat.mtime_ns / 1_000_000_000).context(&target)?;
        if self.verbose {
            let verb = if self.keep {
                "created"
            } else {
                "replaced with"
            };
            warn(path, format_args!("{verb} {target}"));
        }
        if self.keep {
            Ok(())
        } else {
            fs::remove_file(path).context(path)
        }
    }

    fn target(&self, path: &str) -> Result<String, Failure> {
        if !self.decompress {
            if path.ends_with(&self.suffix) && !self.force {
                return Err(Failure::new(format!(
                    "{path} already has {} suffix -- unchanged",
                    self.suffix
                ))
                .with_code(2));
            }
            return Ok(format!("{path}{}", self.suffix));
        }
        for (end, instead) in [
            (&*self.suffix, ""),
            (".tgz", ".tar"),
            (".tbz2", ".tar"),
            (".tbz", ".tar"),
            (".txz", ".tar"),
        ] {
            if let Some(bare) = path.strip_suffix(end)
                && !bare.is_empty()
            {
                return Ok(format!("{bare}{instead}"));
            }
        }
        Err(Failure::new(format!("{path}: unknown suffix -- ignored")).with_code(2))
    }

    fn pass(&self, mut input: Input, output: impl Write) -> io::Result<()> {
        let mut output = output;
        if self.decompress {
            io::copy(&mut self.codec.reader(input)?, &mut output)?;
            return output.flush();
        }
        let mut encoder = self.codec.writer(&mut output, self.level)?;
        io::copy(&mut input, &mut encoder)?;
        encoder.finish()?;
        output.flush()
    }

    /// `-l`: sizes.
    fn list(&self, path: &str) -> Result<(), Failure> {
        let packed = File::open(path)
            .and_then(|file| file.metadata())
            .context(path)?
            .len();
        let mut input = self
            .codec
            .reader(open(path.as_ref()).context(path)?)
            .context(path)?;
        let whole = io::copy(&mut input.by_ref(), &mut io::sink()).context(path)?;
        let saved = if whole == 0 {
            0.0
        } else {
            100.0 - packed as f64 * 100.0 / whole as f64
        };
        let mut out = Out::new();
        out.line("         compressed        uncompressed  ratio uncompressed_name")?;
        out.line(format!(
            "{packed:>19} {whole:>19} {saved:5.1}% {}",
            self.target(path)?
        ))?;
        out.finish()
    }
}
