//! `zip` and `unzip`.

use std::fs::{self, File};
use std::io::{self, BufWriter, Cursor, Read as _, Write as _};

use sandbox_applet::{
    Args, Context, Failure, Long, Out, Outcome, Short, Value, cwd, entries, glob, join, open, text,
    warn,
};
use sandbox_guest::files::{self, Stat, kind};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::restore;

/// The mode that says "symbolic link" in an archive.
const LINK: u32 = kind::SYMLINK;

struct Unzip {
    list: bool,
    to_output: bool,
    overwrite: Option<bool>,
    quiet: bool,
    junk: bool,
    test: bool,
    directory: String,
    exclude: Vec<String>,
}

/// `unzip`
pub fn unzip(mut args: Args) -> Outcome {
    let mut options = Unzip {
        list: false,
        to_output: false,
        overwrite: None,
        quiet: false,
        junk: false,
        test: false,
        directory: ".".to_owned(),
        exclude: Vec::new(),
    };
    let mut operands = Vec::new();
    let mut excluding = false;
    while let Some(arg) = args.next()? {
        match arg {
            Short('l' | 'v') => options.list = true,
            Short('p' | 'c') => options.to_output = true,
            Short('o') => options.overwrite = Some(true),
            Short('n') => options.overwrite = Some(false),
            Short('q') => options.quiet = true,
            Short('j') => options.junk = true,
            Short('t') => options.test = true,
            Short('d') => options.directory = args.string()?,
            Short('x') => excluding = true,
            Value(value) if excluding => options.exclude.push(text(&value)?.to_owned()),
            Value(value) => operands.push(text(&value)?.to_owned()),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("no archive given").with_code(10));
    }
    let path = operands.remove(0);
    let mut content = Vec::new();
    let missing = |failure: Failure| failure.with_code(9);
    open(path.as_ref())
        .context(format_args!("cannot find or open {path}"))
        .map_err(missing)?
        .read_to_end(&mut content)
        .context(&path)?;
    let mut archive = ZipArchive::new(Cursor::new(content))
        .map_err(|error| Failure::new(format!("{path}: {error}")).with_code(9))?;
    let mut out = Out::new();
    if !options.quiet && !options.to_output {
        out.line(format!("Archive:  {path}"))?;
    }
    let failed = options.all(&mut archive, &operands, &mut out)?;
    out.finish()?;
    Ok(failed)
}

impl Unzip {
    fn all(
        &self,
        archive: &mut ZipArchive<Cursor<Vec<u8>>>,
        wanted: &[String],
        out: &mut Out,
    ) -> Outcome {
        let (mut sum, mut count, mut failed) = (0, 0, 0);
        if self.list {
            out.line("  Length      Date    Time    Name\n---------  ---------- -----   ----")?;
        }
        for number in 0..archive.len() {
            let damaged =
                |error: zip::result::ZipError| Failure::new(error.to_string()).with_code(3);
            let mut member = archive.by_index(number).map_err(damaged)?;
            let name = String::from_utf8_lossy(member.name_raw()).into_owned();
            let fits = |patterns: &[String]| {
                patterns
                    .iter()
                    .any(|pattern| glob::matches(pattern, &name, false))
            };
            if !wanted.is_empty() && !fits(wanted) || fits(&self.exclude) {
                continue;
            }
            count += 1;
            sum += member.size();
            if self.list {
                let time = member.last_modified().map_or_else(
                    || "1980-01-01 00:00".to_owned(),
                    |time| {
                        format!(
                            "{:04}-{:02}-{:02} {:02}:{:02}",
                            time.year(),
                            time.month(),
                            time.day(),
                            time.hour(),
                            time.minute()
                        )
                    },
                );
                out.line(format!("{:>9}  {time}   {name}", member.size()))?;
                continue;
            }
            let mode = member.unix_mode();
            let done = if self.to_output {
                io::copy(&mut member, out).map(drop)
            } else if self.test {
                io::copy(&mut member, &mut io::sink()).map(drop)
            } else {
                self.unpack(&mut member, &name, mode, out)
            };
            if let Err(error) = done {
                out.finish()?;
                warn(
                    "unzip",
                    format_args!("{name}: {}", sandbox_applet::reason(&error)),
                );
                failed = 2;
            }
        }
        if self.list {
            let plural = if count == 1 { "file" } else { "files" };
            out.line(format!("---------                     -------\n{sum:>9}                     {count} {plural}"))?;
        } else if self.test && failed == 0 && !self.quiet {
            out.line("No errors detected in compressed data.")?;
        }
        Ok(if count == 0 && !wanted.is_empty() {
            11
        } else {
            failed
        })
    }

    fn unpack(
        &self,
        member: &mut impl io::Read,
        name: &str,
        mode: Option<u32>,
        out: &mut Out,
    ) -> io::Result<()> {
        let invalid =
            |message: &str| io::Error::new(io::ErrorKind::InvalidData, message.to_owned());
        let inner = restore::inside(name)
            .ok_or_else(|| invalid("leads out of the directory; not unpacked"))?;
        let inner = if self.junk {
            inner.rsplit('/').next().unwrap_or_default().to_owned()
        } else {
            inner
        };
        if inner.is_empty() {
            return Ok(());
        }
        let path = if self.directory == "." {
            inner
        } else {
            join(&self.directory, &inner)
        };
        if name.ends_with('/') {
            return if self.junk {
                Ok(())
            } else {
                fs::create_dir_all(&path)
            };
        }
        if let Some((above, _)) = path.rsplit_once('/') {
            fs::create_dir_all(above)?;
        }
        if files::stat(&cwd(), &path, false).is_ok() {
            match self.overwrite {
                Some(true) => fs::remove_file(&path)?,
                Some(false) => return Ok(()),
                None => return Err(invalid("exists already: use -o to overwrite, -n to leave")),
            }
        }
        let mut say = |verb: &str| {
            if self.quiet {
                Ok(())
            } else {
                writeln!(out, "{verb:>11}: {path}")
            }
        };
        if mode.is_some_and(|mode| mode & kind::MASK == LINK) {
            let mut target = String::new();
            member.take(4096).read_to_string(&mut target)?;
            say("linking")?;
            return restore::symlink(&target, &path);
        }
        say("inflating")?;
        io::copy(member, &mut File::create(&path)?)?;
        match mode {
            Some(mode) if mode & 0o777 != 0 => restore::mode(&path, mode & 0o777),
            _ => Ok(()),
        }
    }
}

struct Zip {
    recursive: bool,
    junk: bool,
    quiet: bool,
    links: bool,
    level: i64,
    exclude: Vec<String>,
}

/// `zip`
pub fn zip(mut args: Args) -> Outcome {
    let mut options = Zip {
        recursive: false,
        junk: false,
        quiet: false,
        links: false,
        level: 6,
        exclude: Vec::new(),
    };
    let mut operands = Vec::new();
    let mut excluding = false;
    while let Some(arg) = args.next()? {
        match arg {
            Short('r') | Long("recurse-paths") => options.recursive = true,
            Short('j') => options.junk = true,
            Short('q') | Long("quiet") => options.quiet = true,
            Short('y') => options.links = true,
            Short(level @ '0'..='9') => options.level = i64::from(level as u32 - '0' as u32),
            Short('x') => excluding = true,
            Value(value) if excluding => options.exclude.push(text(&value)?.to_owned()),
            Value(value) => operands.push(text(&value)?.to_owned()),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.len() < 2 {
        return Err(Failure::new("an archive and files are needed").with_code(16));
    }
    let mut path = operands.remove(0);
    if path != "-" && !path.rsplit('/').next().unwrap_or_default().contains('.') {
        path.push_str(".zip");
    }
    let mut found = Vec::new();
    let mut failed = 0;
    for operand in &operands {
        match files::stat(&cwd(), operand, !options.links) {
            Ok(stat) => options.collect(operand, stat, &mut found)?,
            Err(_) => {
                warn("zip", format_args!("name not matched: {operand}"));
                failed = 12;
            }
        }
    }
    if found.is_empty() {
        return Err(Failure::new("Nothing to do!").with_code(12));
    }
    let content = options.pack(&path, &found)?;
    if path == "-" {
        let mut out = Out::new();
        out.put(content)?;
        out.finish()?;
    } else {
        let mut file = BufWriter::new(File::create(&path).context(&path)?);
        file.write_all(&content)
            .and_then(|()| file.flush())
            .context(&path)?;
    }
    Ok(failed)
}

impl Zip {
    fn collect(
        &self,
        path: &str,
        stat: Stat,
        found: &mut Vec<(String, Stat)>,
    ) -> Result<(), Failure> {
        if self
            .exclude
            .iter()
            .any(|pattern| glob::matches(pattern, path, false))
        {
            return Ok(());
        }
        found.push((path.to_owned(), stat));
        if stat.is_dir() && self.recursive {
            for entry in entries(path).context(path)? {
                let stat = if self.links {
                    entry.stat
                } else {
                    files::stat(&cwd(), &entry.path, true).unwrap_or(entry.stat)
                };
                self.collect(&entry.path, stat, found)?;
            }
        }
        Ok(())
    }

    /// The whole archive: what is in an old one of this name and is not packed anew stays.
    fn pack(&self, path: &str, found: &[(String, Stat)]) -> Result<Vec<u8>, Failure> {
        let failed = |error: zip::result::ZipError| Failure::new(error.to_string());
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let member = |path: &str| {
            let name = path.trim_start_matches('/').trim_start_matches("./");
            if self.junk {
                name.rsplit('/').next().unwrap_or(name).to_owned()
            } else {
                name.to_owned()
            }
        };
        let names: Vec<String> = found.iter().map(|(path, _)| member(path)).collect();
        if let Ok(old) = fs::read(path) {
            let mut old = ZipArchive::new(Cursor::new(old)).map_err(failed)?;
            for number in 0..old.len() {
                let entry = old.by_index_raw(number).map_err(failed)?;
                let known = String::from_utf8_lossy(entry.name_raw()).into_owned();
                if !names.iter().any(|name| name == known.trim_end_matches('/')) {
                    writer.raw_copy_file(entry).map_err(failed)?;
                }
            }
        }
        let mut out = Out::new();
        for ((source, stat), name) in found.iter().zip(&names) {
            let method = if self.level == 0 {
                CompressionMethod::Stored
            } else {
                CompressionMethod::Deflated
            };
            let options = SimpleFileOptions::default()
                .compression_method(method)
                .compression_level((self.level > 0).then_some(self.level))
                .unix_permissions(stat.mode & 0o7777)
                .large_file(stat.size >= 1 << 32);
            if stat.is_dir() {
                if !self.junk && !name.is_empty() && name != "." {
                    writer
                        .add_directory(name.trim_end_matches('/'), options)
                        .map_err(failed)?;
                }
                continue;
            }
            if stat.kind() == kind::SYMLINK {
                let target = fs::read_link(source).context(source)?;
                writer
                    .add_symlink(name.as_str(), target.to_string_lossy(), options)
                    .map_err(failed)?;
            } else {
                writer.start_file(name.as_str(), options).map_err(failed)?;
                io::copy(&mut File::open(source).context(source)?, &mut writer).context(source)?;
            }
            if !self.quiet && path != "-" {
                out.line(format!("  adding: {name}"))?;
            }
        }
        out.finish()?;
        Ok(writer.finish().map_err(failed)?.into_inner())
    }
}
