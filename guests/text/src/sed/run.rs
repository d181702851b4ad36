//! The cycle over lines.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, BufWriter, Write};
use std::rc::Rc;

use sandbox_applet::{Context, Failure, Input, Out, Outcome, cwd, open, reason, text, warn};
use sandbox_guest::files::{self, Stat};

use super::Options;
use super::command::{Action, Address, Command, Until};
use super::substitute::Substitution;
use crate::regex::Pattern;

/// What happens after a cycle.
enum After {
    On,
    /// Begin again without reading a line.
    Again,
    Quit(u8),
}

pub struct Editor<'a> {
    commands: &'a [Command],
    options: &'a Options,
    files: std::vec::IntoIter<OsString>,
    input: Option<BufReader<Input>>,
    /// A line read ahead, to know whether one is the last; and whether its end was there.
    ahead: Option<(Vec<u8>, bool)>,
    name: String,
    line: u64,
    pattern: Vec<u8>,
    /// The line at hand has its end.
    ended: bool,
    hold: Vec<u8>,
    /// Of commands with ranges: the line that the range ends with, when within.
    ranges: Vec<Option<u64>>,
    appended: Vec<Appended>,
    substituted: bool,
    last: Option<Rc<Pattern>>,
    out: Output,
    written: HashMap<String, BufWriter<File>>,
    code: u8,
}

enum Appended {
    Text(String),
    File(String),
}

/// Standard output, or the new version of a file.
enum Output {
    Standard(Out),
    File {
        path: String,
        new: String,
        old: Stat,
        file: BufWriter<File>,
    },
}

impl Output {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        match self {
            Self::Standard(out) => out.put(bytes),
            Self::File { path, file, .. } => file.write_all(bytes).context(path),
        }
    }
}

/// The end of a range that an expression ends.
const OPEN: u64 = u64::MAX;

impl<'a> Editor<'a> {
    pub fn new(commands: &'a [Command], options: &'a Options, files: Vec<OsString>) -> Self {
        Self {
            commands,
            options,
            files: files.into_iter(),
            input: None,
            ahead: None,
            name: "-".to_owned(),
            line: 0,
            pattern: Vec::new(),
            ended: true,
            hold: Vec::new(),
            ranges: vec![None; commands.len()],
            appended: Vec::new(),
            substituted: false,
            last: None,
            out: Output::Standard(Out::new()),
            written: HashMap::new(),
            code: 0,
        }
    }

    /// Edits all files; the exit code.
    pub fn all(mut self) -> Outcome {
        let mut again = false;
        loop {
            if !again && !self.read_line()? {
                break;
            }
            match self.cycle()? {
                After::On => again = false,
                After::Again => again = true,
                After::Quit(code) => {
                    self.code = code;
                    self.rest_of_file()?;
                    break;
                }
            }
        }
        self.finish_file()?;
        for (path, mut file) in std::mem::take(&mut self.written) {
            file.flush().context(path)?;
        }
        if let Output::Standard(out) = &mut self.out {
            out.finish()?;
        }
        Ok(self.code)
    }

    /// With `-i`, what follows `q` stays in the file.
    fn rest_of_file(&mut self) -> Result<(), Failure> {
        if self.options.in_place.is_none() {
            return Ok(());
        }
        while let Some((line, ended)) = self
            .ahead
            .take()
            .map_or_else(|| self.fetch(), |line| Ok(Some(line)))?
        {
            self.emit(&line, ended)?;
        }
        Ok(())
    }

    /// A line of the file at hand.
    fn fetch(&mut self) -> Result<Option<(Vec<u8>, bool)>, Failure> {
        let Some(input) = &mut self.input else {
            return Ok(None);
        };
        let mut line = Vec::new();
        if let Err(error) = input.read_until(self.options.end, &mut line) {
            let failure = format!("couldn't read {}: {}", self.name, reason(&error));
            warn("sed", failure);
            self.code = 2;
            return Ok(None);
        }
        if line.is_empty() {
            return Ok(None);
        }
        let ended = line.last() == Some(&self.options.end);
        if ended {
            line.pop();
        }
        Ok(Some((line, ended)))
    }

    /// Opens the next file that can be; `false` when there is none.
    fn open_next(&mut self) -> Result<bool, Failure> {
        for operand in self.files.by_ref() {
            let path = text(&operand)?.to_owned();
            match open(&operand) {
                Ok(input) => {
                    self.input = Some(BufReader::with_capacity(64 << 10, input));
                    self.name.clone_from(&path);
                    if self.options.separate {
                        self.line = 0;
                        self.ranges.fill(None);
                    }
                    if self.options.in_place.is_some() && path != "-" {
                        self.begin_file(path)?;
                    }
                    return Ok(true);
                }
                Err(error) => {
                    let why = match error.kind() {
                        io::ErrorKind::IsADirectory => {
                            format!("couldn't edit {path}: not a regular file")
                        }
                        _ => format!("can't read {path}: {}", reason(&error)),
                    };
                    if let Output::Standard(out) = &mut self.out {
                        out.finish()?;
                    }
                    warn("sed", why);
                    self.code = 2;
                }
            }
        }
        Ok(false)
    }

    fn begin_file(&mut self, path: String) -> Result<(), Failure> {
        let old = files::stat(&cwd(), &path, true).context(&path)?;
        let new = format!("{path}.sed{}", sandbox_guest::process::id());
        let file = BufWriter::new(
            File::create(&new).context(format_args!("couldn't open temporary file {new}"))?,
        );
        self.out = Output::File {
            path,
            new,
            old,
            file,
        };
        Ok(())
    }

    /// With `-i`: puts the new version in the place of the old one.
    fn finish_file(&mut self) -> Result<(), Failure> {
        let Output::File { .. } = &self.out else {
            return Ok(());
        };
        let Output::File {
            path,
            new,
            old,
            mut file,
        } = std::mem::replace(&mut self.out, Output::Standard(Out::new()))
        else {
            return Ok(());
        };
        file.flush().context(&new)?;
        let here = cwd();
        let _ = files::chown(&here, &new, true, old.uid, old.gid);
        files::chmod(&here, &new, true, old.mode & 0o7777).context(&new)?;
        if let Some(suffix) = self
            .options
            .in_place
            .as_deref()
            .filter(|suffix| !suffix.is_empty())
        {
            let (directory, name) = path
                .rsplit_once('/')
                .map_or(("", &*path), |(directory, name)| (directory, name));
            let backup = if suffix.contains('*') {
                suffix.replace('*', name)
            } else {
                format!("{name}{suffix}")
            };
            let backup = if directory.is_empty() || backup.contains('/') {
                backup
            } else {
                format!("{directory}/{backup}")
            };
            fs::rename(&path, &backup).context(format_args!("cannot rename {path}"))?;
        }
        fs::rename(&new, &path).context(format_args!("cannot rename {new}"))
    }

    /// The line after the one at hand, across files unless they are separate.
    fn peek(&mut self) -> Result<bool, Failure> {
        if self.ahead.is_some() {
            return Ok(true);
        }
        loop {
            self.ahead = self.fetch()?;
            if self.ahead.is_some() {
                return Ok(true);
            }
            if self.input.is_some() && self.options.separate {
                return Ok(false);
            }
            self.input = None;
            if !self.open_next()? {
                return Ok(false);
            }
        }
    }

    /// Reads the next line into the pattern space.
    fn read_line(&mut self) -> Result<bool, Failure> {
        loop {
            if self.peek()? {
                break;
            }
            if self.input.take().is_none() {
                return Ok(false);
            }
            self.finish_file()?;
            if !self.open_next()? {
                return Ok(false);
            }
        }
        if let Some((line, ended)) = self.ahead.take() {
            self.pattern = line;
            self.ended = ended;
        }
        self.line += 1;
        self.substituted = false;
        Ok(true)
    }

    /// `N` and `n`: the next line, if there is one.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if !self.peek()? {
            return Ok(None);
        }
        let next = self.ahead.take();
        self.line += 1;
        Ok(next.map(|(line, ended)| {
            self.ended = ended;
            line
        }))
    }

    fn emit(&mut self, bytes: &[u8], ended: bool) -> Result<(), Failure> {
        self.out.put(bytes)?;
        if ended {
            self.out.put(&[self.options.end])?;
        }
        if self.options.unbuffered
            && let Output::Standard(out) = &mut self.out
        {
            out.finish()?;
        }
        Ok(())
    }

    /// The end of a cycle: the line, unless `quiet`, and what was to follow it.
    fn end_cycle(&mut self, quiet: bool) -> Result<(), Failure> {
        if !quiet && !self.options.quiet {
            let line = std::mem::take(&mut self.pattern);
            let ended = self.ended || !self.appended.is_empty();
            self.emit(&line, ended)?;
            self.pattern = line;
        }
        for appended in std::mem::take(&mut self.appended) {
            match appended {
                Appended::Text(text) => self.out.put(text.as_bytes())?,
                Appended::File(path) => {
                    // One that cannot be read is empty.
                    let content = if path == "/dev/stdin" {
                        Vec::new()
                    } else {
                        fs::read(path).unwrap_or_default()
                    };
                    self.out.put(&content)?;
                }
            }
        }
        Ok(())
    }

    fn cycle(&mut self) -> Result<After, Failure> {
        let commands = self.commands;
        let mut at = 0;
        while let Some(command) = commands.get(at) {
            let selected = self.selects(at, command)? != command.lines.negated;
            at += 1;
            if !selected {
                if let Action::Block(end) = command.action {
                    at = end;
                }
                continue;
            }
            match &command.action {
                Action::Block(_) | Action::EndBlock | Action::Label => {}
                Action::Append(text) => self.appended.push(Appended::Text(text.clone())),
                Action::ReadFile(path) => self.appended.push(Appended::File(path.clone())),
                Action::Insert(text) => self.out.put(text.as_bytes())?,
                Action::Change(text) => {
                    let within = self.ranges[at - 1].is_some() && !command.lines.negated;
                    if !within {
                        self.out.put(text.as_bytes())?;
                    }
                    self.end_cycle(true)?;
                    return Ok(After::On);
                }
                Action::Branch(target) => at = *target,
                Action::BranchIf(target) => {
                    if std::mem::take(&mut self.substituted) {
                        at = *target;
                    }
                }
                Action::BranchUnless(target) => {
                    if !std::mem::take(&mut self.substituted) {
                        at = *target;
                    }
                }
                Action::Delete => {
                    self.end_cycle(true)?;
                    return Ok(After::On);
                }
                Action::DeleteFirst => {
                    self.end_cycle(true)?;
                    return Ok(match self.pattern.iter().position(|&byte| byte == b'\n') {
                        Some(end) => {
                            self.pattern.drain(..=end);
                            After::Again
                        }
                        None => After::On,
                    });
                }
                Action::Next => {
                    if !self.peek()? {
                        break;
                    }
                    self.end_cycle(false)?;
                    if let Some(line) = self.next_line()? {
                        self.pattern = line;
                    }
                }
                Action::NextAppend => match self.next_line()? {
                    Some(line) => {
                        self.pattern.push(b'\n');
                        self.pattern.extend(line);
                    }
                    // GNU's prints what there is.
                    None => break,
                },
                Action::Quit(code) => {
                    self.end_cycle(false)?;
                    return Ok(After::Quit(*code));
                }
                Action::QuitSilently(code) => return Ok(After::Quit(*code)),
                action => self.simple(action)?,
            }
        }
        self.end_cycle(false)?;
        Ok(After::On)
    }

    /// Commands that end no cycle.
    fn simple(&mut self, action: &Action) -> Result<(), Failure> {
        match action {
            Action::Hold => self.hold.clone_from(&self.pattern),
            Action::HoldAppend => {
                self.hold.push(b'\n');
                self.hold.extend_from_slice(&self.pattern);
            }
            Action::Get => self.pattern.clone_from(&self.hold),
            Action::GetAppend => {
                self.pattern.push(b'\n');
                self.pattern.extend_from_slice(&self.hold);
            }
            Action::Exchange => std::mem::swap(&mut self.pattern, &mut self.hold),
            Action::Zap => self.pattern.clear(),
            Action::Print => self.emit(&self.pattern.clone(), true)?,
            Action::PrintFirst => self.emit(&self.first_line(), true)?,
            Action::List => {
                let shown = listed(&self.pattern);
                self.out.put(shown.as_bytes())?;
            }
            Action::Number => self.out.put(format!("{}\n", self.line).as_bytes())?,
            Action::FileName => self.out.put(format!("{}\n", self.name).as_bytes())?,
            Action::WriteFile(path) => self.write_file(path, &self.pattern.clone())?,
            Action::WriteFirst(path) => self.write_file(path, &self.first_line())?,
            Action::Substitute(substitution) => self.substitute(substitution)?,
            Action::Translate(pairs) => {
                let text = String::from_utf8_lossy(&self.pattern).into_owned();
                let change = |letter| {
                    pairs
                        .iter()
                        .find(|pair| pair.0 == letter)
                        .map_or(letter, |pair| pair.1)
                };
                self.pattern = text.chars().map(change).collect::<String>().into_bytes();
            }
            _ => {}
        }
        Ok(())
    }

    fn first_line(&self) -> Vec<u8> {
        self.pattern
            .split(|&byte| byte == b'\n')
            .next()
            .unwrap_or_default()
            .to_vec()
    }

    fn pattern_of(&mut self, own: Option<&Rc<Pattern>>) -> Result<Rc<Pattern>, Failure> {
        let pattern = own
            .or(self.last.as_ref())
            .cloned()
            .ok_or_else(|| Failure::new("no previous regular expression"))?;
        self.last = Some(Rc::clone(&pattern));
        Ok(pattern)
    }

    fn substitute(&mut self, substitution: &Substitution) -> Result<(), Failure> {
        let pattern = self.pattern_of(substitution.pattern.as_ref())?;
        let Some(replaced) = substitution.apply(&pattern, &self.pattern) else {
            return Ok(());
        };
        self.pattern = replaced;
        self.substituted = true;
        if substitution.print {
            self.emit(&self.pattern.clone(), true)?;
        }
        match &substitution.file {
            Some(path) => self.write_file(path, &self.pattern.clone()),
            None => Ok(()),
        }
    }

    fn write_file(&mut self, path: &str, line: &[u8]) -> Result<(), Failure> {
        let line = [line, b"\n"].concat();
        match path {
            "/dev/stdout" => return self.out.put(&line),
            "/dev/stderr" => {
                sandbox_applet::error_output(&String::from_utf8_lossy(&line));
                return Ok(());
            }
            _ => {}
        }
        if !self.written.contains_key(path) {
            let file = File::create(path).context(format_args!("couldn't open file {path}"))?;
            self.written.insert(path.to_owned(), BufWriter::new(file));
        }
        match self.written.get_mut(path) {
            // Others may read the file while this runs.
            Some(file) => file
                .write_all(&line)
                .and_then(|()| file.flush())
                .context(path),
            None => Ok(()),
        }
    }

    fn fits(&mut self, address: &Address) -> Result<bool, Failure> {
        Ok(match address {
            Address::Line(line) => self.line == *line,
            Address::Last => !self.peek()?,
            Address::Step(first, 0) => self.line == *first,
            Address::Step(first, step) => {
                self.line >= *first && (self.line - first).is_multiple_of(*step)
            }
            Address::Match(own) => {
                let pattern = self.pattern_of(own.as_ref())?;
                pattern.is_match(&self.pattern)
            }
        })
    }

    /// Whether the command's addresses select the line at hand.
    fn selects(&mut self, number: usize, command: &Command) -> Result<bool, Failure> {
        let Some(first) = &command.lines.first else {
            return Ok(true);
        };
        let Some(until) = &command.lines.until else {
            return self.fits(first);
        };
        if let Some(end) = self.ranges[number] {
            let ends = match until {
                Until::Address(Address::Line(_)) | Until::Count(_) | Until::Multiple(_) => {
                    self.line >= end
                }
                Until::Address(address) => self.fits(address)?,
            };
            if ends {
                self.ranges[number] = None;
            }
            // A range by numbers that is already behind was only its first line.
            return Ok(end == OPEN || self.line <= end);
        }
        // `0,/x/` may end at the first line.
        let from_zero = matches!(first, Address::Line(0)) && self.line == 1;
        if !from_zero && !self.fits(first)? {
            return Ok(false);
        }
        let end = match until {
            Until::Address(Address::Line(line)) => *line,
            Until::Count(count) => self.line + count,
            Until::Multiple(0) => self.line,
            Until::Multiple(multiple) => self.line.div_ceil(*multiple) * multiple,
            Until::Address(address) => {
                if from_zero && self.fits(address)? {
                    return Ok(true);
                }
                OPEN
            }
        };
        if end > self.line {
            self.ranges[number] = Some(end);
        }
        Ok(true)
    }
}

/// `l`: unambiguous, in lines of at most 70.
fn listed(line: &[u8]) -> String {
    let mut out = String::new();
    let mut width = 0;
    for &byte in line {
        let shown = match byte {
            b'\\' => "\\\\".to_owned(),
            7 => "\\a".to_owned(),
            8 => "\\b".to_owned(),
            12 => "\\f".to_owned(),
            b'\n' => "\\n".to_owned(),
            b'\r' => "\\r".to_owned(),
            b'\t' => "\\t".to_owned(),
            11 => "\\v".to_owned(),
            0x20..0x7f => char::from(byte).to_string(),
            byte => format!("\\{byte:03o}"),
        };
        if width + shown.len() > 69 {
            out += "\\\n";
            width = 0;
        }
        width += shown.len();
        out += &shown;
    }
    out + "$\n"
}
