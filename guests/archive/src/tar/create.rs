use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek as _, SeekFrom, Write};

use sandbox_applet::{Context, Failure, Out, Outcome, cwd, entries, error_output, reason, warn};
use sandbox_guest::files::{self, Stat, kind};
use tar::{Builder, EntryType, Header};

use super::options::Options;

/// `-c`
pub fn run(options: &Options, name: &str) -> Outcome {
    if options.operands.is_empty() {
        return Err(Failure::new("Cowardly refusing to create an empty archive"));
    }
    let path = &options.file;
    if path == "-" {
        let mut out = Out::new();
        let failed = pack(&mut out, options, name)?;
        out.finish()?;
        return Ok(failed);
    }
    let file = File::create(path).context(format_args!("{path}: Cannot open"))?;
    let mut out = BufWriter::new(file);
    let failed = pack(&mut out, options, name)?;
    out.flush().context(path)?;
    Ok(failed)
}

/// `-r`: after the last member of an archive that is not compressed.
pub fn append(options: &Options, name: &str) -> Outcome {
    let path = &options.file;
    if path == "-" || options.codec.is_some() {
        return Err(Failure::new("Cannot update compressed archives"));
    }
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .context(path)?;
    let mut end = 0;
    let mut archive = tar::Archive::new(&file);
    for entry in archive.entries().context(path)?.raw(true) {
        let entry = entry.context(path)?;
        end = entry.raw_file_position() + entry.size().div_ceil(512) * 512;
    }
    file.seek(SeekFrom::Start(end)).context(path)?;
    file.set_len(end).context(path)?;
    pack(&mut file, options, name)
}

fn pack(output: &mut dyn Write, options: &Options, name: &str) -> Outcome {
    let Some(codec) = options.codec else {
        return write(output, options, name);
    };
    let mut encoder = codec.writer(&mut *output, 6).context(&options.file)?;
    let failed = write(&mut encoder, options, name)?;
    encoder.finish().context(&options.file)?;
    Ok(failed)
}

fn write(output: &mut dyn Write, options: &Options, name: &str) -> Outcome {
    if let Some(directory) = &options.directory {
        std::env::set_current_dir(directory).context(format_args!("{directory}: Cannot open"))?;
    }
    let own = if options.file == "-" {
        None
    } else {
        files::stat("/", &options.file, true).ok()
    };
    let mut packer = Packer {
        builder: Builder::new(output),
        options,
        name,
        failed: 0,
        linked: HashMap::new(),
        own: own.map(|stat| (stat.dev, stat.ino)),
    };
    for operand in &options.operands {
        packer.add(operand)?;
    }
    packer.builder.finish().context(&options.file)?;
    Ok(packer.failed)
}

struct Packer<'a> {
    builder: Builder<&'a mut dyn Write>,
    options: &'a Options,
    name: &'a str,
    failed: u8,
    /// Files of several names, by the first one packed.
    linked: HashMap<(u64, u64), String>,
    /// The archive itself, which is not packed.
    own: Option<(u64, u64)>,
}

impl Packer<'_> {
    fn add(&mut self, path: &str) -> Result<(), Failure> {
        let shown = if self.options.absolute {
            path
        } else {
            path.trim_start_matches('/')
        };
        if self.options.excluded(shown.trim_end_matches('/')) {
            return Ok(());
        }
        let stat = match files::stat(&cwd(), path, self.options.dereference) {
            Ok(stat) => stat,
            Err(error) => {
                warn(
                    self.name,
                    format_args!("{path}: Cannot stat: {}", reason(&error)),
                );
                self.failed = 2;
                return Ok(());
            }
        };
        if self.own == Some((stat.dev, stat.ino)) {
            warn(
                self.name,
                format_args!("{path}: archive cannot contain itself; not dumped"),
            );
            return Ok(());
        }
        let member = match (stat.is_dir(), shown) {
            (true, "") => "./".to_owned(),
            (true, shown) => format!("{}/", shown.trim_end_matches('/')),
            (false, shown) => shown.to_owned(),
        };
        if self.options.verbose {
            error_output(&format!("{member}\n"));
        }
        self.member(path, &member, &stat).context(path)?;
        if stat.is_dir() && self.options.recursive {
            match entries(path) {
                Ok(found) => {
                    for entry in found {
                        self.add(&entry.path)?;
                    }
                }
                Err(error) => {
                    warn(
                        self.name,
                        format_args!("{path}: Cannot open: {}", reason(&error)),
                    );
                    self.failed = 2;
                }
            }
        }
        Ok(())
    }

    fn member(&mut self, path: &str, member: &str, stat: &Stat) -> io::Result<()> {
        let mut header = Header::new_gnu();
        header.set_mode(stat.mode & 0o7777);
        header.set_uid(u64::from(stat.uid));
        header.set_gid(u64::from(stat.gid));
        header.set_mtime(stat.mtime_ns / 1_000_000_000);
        header.set_size(0);
        match stat.kind() {
            kind::DIRECTORY => {
                header.set_entry_type(EntryType::Directory);
                self.builder.append_data(&mut header, member, io::empty())
            }
            kind::SYMLINK => {
                header.set_entry_type(EntryType::Symlink);
                self.builder
                    .append_link(&mut header, member, fs::read_link(path)?)
            }
            kind::FILE => {
                let id = (stat.dev, stat.ino);
                if stat.nlink > 1 {
                    if let Some(first) = self.linked.get(&id) {
                        header.set_entry_type(EntryType::Link);
                        return self.builder.append_link(&mut header, member, first);
                    }
                    self.linked.insert(id, member.to_owned());
                }
                header.set_entry_type(EntryType::Regular);
                let file = File::open(path)?;
                header.set_size(stat.size);
                // A file that grows or shrinks meanwhile must not shift what follows.
                let exact = io::Read::chain(io::Read::take(file, stat.size), io::repeat(0));
                self.builder
                    .append_data(&mut header, member, io::Read::take(exact, stat.size))
            }
            _ => {
                warn(
                    self.name,
                    format_args!("{path}: file is not of a kind that is packed; ignored"),
                );
                Ok(())
            }
        }
    }
}
