use std::cmp::Ordering;
use std::ffi::OsString;

use sandbox_applet::{Args, Failure, Long, Short, Value, text};

use super::key::{Key, Rule, Rules};

/// What is to be done with the lines.
#[derive(Clone, Debug)]
pub enum Task {
    Sort { output: Option<OsString> },
    Check { quiet: bool },
}

/// How lines are ordered.
#[derive(Clone, Debug)]
pub struct Options {
    pub keys: Vec<Key>,
    pub separator: Option<u8>,
    pub unique: bool,
    pub stable: bool,
    pub reverse: bool,
    pub end: u8,
    /// For `-R`: different in every run.
    pub seed: u64,
}

impl Options {
    /// Options, task and files.
    pub fn parse(args: &mut Args) -> Result<(Self, Task, Vec<OsString>), Failure> {
        let mut options = Self {
            keys: Vec::new(),
            separator: None,
            unique: false,
            stable: false,
            reverse: false,
            end: b'\n',
            seed: seed(),
        };
        let mut task = Task::Sort { output: None };
        let mut rules = Rules::default();
        let mut files = Vec::new();
        while let Some(arg) = args.next()? {
            match arg {
                Value(value) => files.push(value),
                Short(letter) if rules.letter(letter) => {}
                Short('k') | Long("key") => options.keys.push(Key::parse(&args.string()?)?),
                Short('t') | Long("field-separator") => {
                    let value = args.string()?;
                    options.separator = Some(match value.as_bytes() {
                        b"\\0" => 0,
                        [byte] => *byte,
                        _ => return Err(Failure::new(format!("multi-character tab '{value}'"))),
                    });
                }
                Short('u') | Long("unique") => options.unique = true,
                Short('s') | Long("stable") => options.stable = true,
                Short('z') | Long("zero-terminated") => options.end = 0,
                Short('c') => task = Task::Check { quiet: false },
                Short('C') => task = Task::Check { quiet: true },
                Long("check") => {
                    let how = args.optional_value();
                    let quiet = how.is_some_and(|how| how == "quiet" || how == "silent");
                    task = Task::Check { quiet };
                }
                Short('o') | Long("output") => {
                    task = Task::Sort {
                        output: Some(args.value()?),
                    };
                }
                Long("numeric-sort") => rules.set(Rule::Number),
                Long("general-numeric-sort") => rules.set(Rule::Float),
                Long("human-numeric-sort") => rules.set(Rule::Human),
                Long("month-sort") => rules.set(Rule::Month),
                Long("version-sort") => rules.set(Rule::Version),
                Long("random-sort") => rules.set(Rule::Random),
                Long("sort") => {
                    let value = args.string()?;
                    rules.set(Rule::named(&value).ok_or_else(|| {
                        Failure::new(format!("invalid argument '{value}' for '--sort'"))
                    })?);
                }
                Long("reverse") => rules.reverse = true,
                Long("ignore-case") => rules.fold = true,
                Long("dictionary-order") => rules.dictionary = true,
                Long("ignore-nonprinting") => rules.printing = true,
                Long("ignore-leading-blanks") => rules.blanks = true,
                // Sorted files are merged by sorting them again; all is in memory, in one thread.
                Short('m') | Long("merge" | "debug") => {}
                Short('S' | 'T') => {
                    args.value()?;
                }
                Long(
                    "buffer-size"
                    | "temporary-directory"
                    | "parallel"
                    | "batch-size"
                    | "compress-program",
                ) => {
                    args.value()?;
                }
                Long("files0-from") => {
                    let path = args.value()?;
                    let list = std::fs::read(&path)
                        .map_err(|error| Failure::io(path.display(), &error))?;
                    for name in list
                        .split(|&byte| byte == 0)
                        .filter(|name| !name.is_empty())
                    {
                        files.push(String::from_utf8_lossy(name).into_owned().into());
                    }
                }
                other => return Err(other.unexpected().into()),
            }
        }
        for file in &files {
            text(file)?;
        }
        options.reverse = rules.reverse;
        // A key without rules of its own has those of the whole.
        for key in &mut options.keys {
            if !key.own_rules {
                key.rules = rules;
            }
        }
        if options.keys.is_empty() {
            options.keys.push(Key::whole(rules));
        }
        Ok((options, task, files))
    }

    /// Sorts `lines`; those with equal keys in bytes' order, unless they are to stay as they are.
    pub fn sort(&self, lines: &mut [&[u8]]) {
        if let [key] = &self.keys[..]
            && key.is_plain_line()
        {
            lines.sort_unstable();
            if self.reverse {
                lines.reverse();
            }
            return;
        }
        lines.sort_by(|a, b| self.compare(a, b));
    }

    /// Order of two lines.
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        let order = self.by_keys(a, b);
        if order != Ordering::Equal || self.stable || self.unique {
            return order;
        }
        if self.reverse { b.cmp(a) } else { a.cmp(b) }
    }

    /// Order of two lines by their keys alone.
    pub fn by_keys(&self, a: &[u8], b: &[u8]) -> Ordering {
        let orders = self
            .keys
            .iter()
            .map(|key| key.compare(a, b, self.separator, self.seed));
        orders
            .into_iter()
            .find(|&order| order != Ordering::Equal)
            .unwrap_or(Ordering::Equal)
    }
}

fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher as _};
    std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish()
}
