use std::ffi::OsString;

use sandbox_applet::{Args, Context, Failure, Long, Short, Value, number, open, text};

use crate::regex::{Flags, Pattern, Syntax, translate};

/// What is printed of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Report {
    Lines,
    Count,
    /// Names of files with matches, or without.
    Files {
        with: bool,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Binary {
    /// Say that it matches.
    Mention,
    Text,
    Skip,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Posix(Syntax),
    Fixed,
    Perl,
}

/// What the command line asks for.
pub struct Options {
    pub patterns: Vec<Pattern>,
    pub invert: bool,
    pub only: bool,
    pub report: Report,
    pub most: Option<u64>,
    pub before: usize,
    pub after: usize,
    pub quiet: bool,
    pub quiet_errors: bool,
    pub line_numbers: bool,
    pub byte_offsets: bool,
    pub names: bool,
    pub label: String,
    pub zero_names: bool,
    pub initial_tab: bool,
    pub end: u8,
    pub binary: Binary,
    pub color: bool,
    pub line_buffered: bool,
    pub recursive: bool,
    pub follow: bool,
    /// The directory at hand was not named: it is searched, and not part of names.
    pub implied: bool,
    pub skip_directories: bool,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub exclude_dir: Vec<String>,
}

/// What is known before the patterns can be compiled.
struct Draft {
    kind: Kind,
    patterns: Option<Vec<String>>,
    ignore_case: bool,
    word: bool,
    line: bool,
    names: Option<bool>,
}

impl Options {
    fn new() -> Self {
        Self {
            patterns: Vec::new(),
            invert: false,
            only: false,
            report: Report::Lines,
            most: None,
            before: 0,
            after: 0,
            quiet: false,
            quiet_errors: false,
            line_numbers: false,
            byte_offsets: false,
            names: false,
            label: "(standard input)".to_owned(),
            zero_names: false,
            initial_tab: false,
            end: b'\n',
            binary: Binary::Mention,
            color: false,
            line_buffered: false,
            recursive: false,
            follow: false,
            implied: false,
            skip_directories: false,
            include: Vec::new(),
            exclude: Vec::new(),
            exclude_dir: Vec::new(),
        }
    }

    /// Options and files.
    pub fn parse(args: &mut Args) -> Result<(Self, Vec<OsString>), Failure> {
        let mut options = Self::new();
        let mut draft = Draft {
            kind: match args.name() {
                "egrep" => Kind::Posix(Syntax::Extended),
                "fgrep" => Kind::Fixed,
                _ => Kind::Posix(Syntax::Basic),
            },
            patterns: None,
            ignore_case: false,
            word: false,
            line: false,
            names: None,
        };
        let mut files = Vec::new();
        while let Some(arg) = args.next()? {
            match arg {
                Value(value) => files.push(value),
                Short(letter) if options.letter(letter) || draft.letter(letter) => {}
                Short('e') | Long("regexp") => {
                    let given = args.string()?;
                    draft.add(&given);
                }
                Short('f') | Long("file") => {
                    let path = args.value()?;
                    let mut given = String::new();
                    std::io::Read::read_to_string(
                        &mut open(&path).context(path.display())?,
                        &mut given,
                    )
                    .context(path.display())?;
                    match given
                        .strip_suffix('\n')
                        .or((!given.is_empty()).then_some(&*given))
                    {
                        Some(lines) => draft.add(lines),
                        None => draft.patterns = Some(draft.patterns.take().unwrap_or_default()),
                    }
                }
                Short('m') | Long("max-count") => {
                    let value = args.string()?;
                    options.most =
                        Some(number(&value).ok_or_else(|| Failure::new("invalid max count"))?);
                }
                Short('A') | Long("after-context") => options.after = context(&args.string()?)?,
                Short('B') | Long("before-context") => options.before = context(&args.string()?)?,
                Short('C') | Long("context") => {
                    options.before = context(&args.string()?)?;
                    options.after = options.before;
                }
                Short(digit @ '0'..='9') => {
                    options.before = context(&args.digits(digit)?)?;
                    options.after = options.before;
                }
                Long("label") => options.label = args.string()?,
                Long("include") => options.include.push(args.string()?),
                Long("exclude") => options.exclude.push(args.string()?),
                Long("exclude-dir") => options
                    .exclude_dir
                    .push(args.string()?.trim_end_matches('/').to_owned()),
                Short('d') | Long("directories") => match &*args.string()? {
                    "skip" => options.skip_directories = true,
                    "recurse" => options.recursive = true,
                    _ => {}
                },
                Short('D') | Long("devices") => {
                    args.value()?;
                }
                Long("binary-files") => {
                    options.binary = match &*args.string()? {
                        "text" => Binary::Text,
                        "without-match" => Binary::Skip,
                        _ => Binary::Mention,
                    };
                }
                Long("color" | "colour") => {
                    let when = args.optional_value();
                    options.color = match when.as_deref().and_then(|when| when.to_str()) {
                        Some("always") => true,
                        Some("never") => false,
                        _ => sandbox_guest::fd::is_terminal(1),
                    };
                }
                Long(name) => match short_of(name) {
                    Some(letter) if options.letter(letter) || draft.letter(letter) => {}
                    _ if name == "line-buffered" => options.line_buffered = true,
                    _ if name == "no-ignore-case" => draft.ignore_case = false,
                    _ => return Err(Failure::new(format!("unrecognized option '--{name}'"))),
                },
                other => return Err(other.unexpected().into()),
            }
        }
        if draft.patterns.is_none() {
            if files.is_empty() {
                return Err(Failure::new("no pattern given"));
            }
            let first = files.remove(0);
            draft.add(text(&first)?);
        }
        let names = draft.names;
        options.patterns = draft.compile()?;
        if files.is_empty() {
            options.implied = options.recursive;
            files.push(if options.recursive {
                ".".into()
            } else {
                "-".into()
            });
            options.names = names.unwrap_or(options.recursive);
        } else {
            options.names = names.unwrap_or(options.recursive || files.len() > 1);
        }
        Ok((options, files))
    }

    fn letter(&mut self, letter: char) -> bool {
        match letter {
            'v' => self.invert = true,
            'o' => self.only = true,
            'c' => self.report = Report::Count,
            'l' => self.report = Report::Files { with: true },
            'L' => self.report = Report::Files { with: false },
            'q' => self.quiet = true,
            's' => self.quiet_errors = true,
            'n' => self.line_numbers = true,
            'b' => self.byte_offsets = true,
            'Z' => self.zero_names = true,
            'T' => self.initial_tab = true,
            'z' => self.end = 0,
            'a' => self.binary = Binary::Text,
            'I' => self.binary = Binary::Skip,
            'r' => self.recursive = true,
            'R' => (self.recursive, self.follow) = (true, true),
            'U' | 'u' => {}
            _ => return false,
        }
        true
    }
}

/// The letter that a long option without a value is another name of.
fn short_of(name: &str) -> Option<char> {
    Some(match name {
        "invert-match" => 'v',
        "only-matching" => 'o',
        "count" => 'c',
        "files-with-matches" => 'l',
        "files-without-match" => 'L',
        "quiet" | "silent" => 'q',
        "no-messages" => 's',
        "line-number" => 'n',
        "byte-offset" => 'b',
        "null" => 'Z',
        "null-data" => 'z',
        "initial-tab" => 'T',
        "text" => 'a',
        "recursive" => 'r',
        "dereference-recursive" => 'R',
        "binary" => 'U',
        "ignore-case" => 'i',
        "word-regexp" => 'w',
        "line-regexp" => 'x',
        "extended-regexp" => 'E',
        "basic-regexp" => 'G',
        "fixed-strings" => 'F',
        "perl-regexp" => 'P',
        "with-filename" => 'H',
        "no-filename" => 'h',
        _ => return None,
    })
}

fn context(text: &str) -> Result<usize, Failure> {
    text.parse()
        .map_err(|_| Failure::new(format!("{text}: invalid context length argument")))
}

impl Draft {
    fn letter(&mut self, letter: char) -> bool {
        match letter {
            'i' | 'y' => self.ignore_case = true,
            'w' => self.word = true,
            'x' => self.line = true,
            'E' => self.kind = Kind::Posix(Syntax::Extended),
            'G' => self.kind = Kind::Posix(Syntax::Basic),
            'F' => self.kind = Kind::Fixed,
            'P' => self.kind = Kind::Perl,
            'H' => self.names = Some(true),
            'h' => self.names = Some(false),
            _ => return false,
        }
        true
    }

    /// Adds the lines of `given`, each a pattern of its own.
    fn add(&mut self, given: &str) {
        self.patterns
            .get_or_insert_default()
            .extend(given.split('\n').map(str::to_owned));
    }

    /// One expression for all patterns that have no back-references, and one for each of the others.
    fn compile(self) -> Result<Vec<Pattern>, Failure> {
        let flags = Flags {
            ignore_case: self.ignore_case,
            newline: true,
        };
        let perl = self.kind == Kind::Perl;
        let (mut plain, mut compiled) = (Vec::new(), Vec::new());
        let patterns = self.patterns.as_deref().unwrap_or_default();
        for pattern in patterns {
            let (body, fancy) = match self.kind {
                Kind::Fixed => (regex::escape(pattern), false),
                Kind::Perl => (pattern.clone(), false),
                Kind::Posix(syntax) => {
                    let translated = translate(pattern, syntax).map_err(Failure::new)?;
                    (translated.pattern, translated.references)
                }
            };
            let whole = match (self.line, self.word) {
                (true, _) => format!("^(?:{body})$"),
                (false, true) if fancy || perl => format!("(?<!\\w)(?:{body})(?!\\w)"),
                (false, true) => format!("\\b{{start-half}}(?:{body})\\b{{end-half}}"),
                (false, false) => body,
            };
            if fancy || perl && (self.word || regex::Regex::new(&whole).is_err()) {
                compiled.push(Pattern::new(&whole, true, false, flags).map_err(Failure::new)?);
            } else {
                plain.push(whole);
            }
        }
        if let [only] = &plain[..] {
            compiled.push(Pattern::new(only, false, !perl, flags).map_err(Failure::new)?);
        } else if !plain.is_empty() {
            let all = plain
                .iter()
                .map(|pattern| format!("(?:{pattern})"))
                .collect::<Vec<_>>()
                .join("|");
            compiled.push(Pattern::new(&all, false, !perl, flags).map_err(Failure::new)?);
        }
        Ok(compiled)
    }
}
