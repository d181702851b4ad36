//! The command line: where to start, and an expression.

use sandbox_applet::{Context, Failure, cwd, number};
use sandbox_guest::files;

use super::actions::{Batch, Exec};
use crate::accounts::{Accounts, Kind};

/// Deeper nests of parentheses are refused: the stack is not endless.
const MAX_DEPTH: usize = 200;

/// What holds for the whole search.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    pub min_depth: usize,
    pub max_depth: Option<usize>,
    /// `-depth`: what is in a directory comes before it.
    pub contents_first: bool,
    pub follow: bool,
    pub follow_starts: bool,
}

/// A number as `+5`, `-5`, `5`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Count {
    More(u64),
    Less(u64),
    Exactly(u64),
}

impl Count {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.as_bytes().first()? {
            b'+' => Self::More(text[1..].parse().ok()?),
            b'-' => Self::Less(text[1..].parse().ok()?),
            _ => Self::Exactly(text.parse().ok()?),
        })
    }

    pub fn fits(self, value: u64) -> bool {
        match self {
            Self::More(than) => value > than,
            Self::Less(than) => value < than,
            Self::Exactly(exactly) => value == exactly,
        }
    }
}

/// Which bits `-perm` wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bits {
    All(u32),
    Any(u32),
    Exactly(u32),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Time {
    Modified,
    Changed,
}

/// What is asked about a file, or done with it.
pub enum Expression {
    And(Vec<Self>),
    Or(Vec<Self>),
    /// `,`: the last one counts.
    List(Vec<Self>),
    Not(Box<Self>),
    Always(bool),
    Name {
        pattern: String,
        fold: bool,
    },
    Path {
        pattern: String,
        fold: bool,
    },
    LinkName {
        pattern: String,
        fold: bool,
    },
    Regex(regex_lite::Regex),
    Type(Vec<char>),
    Size {
        count: Count,
        unit: u64,
    },
    Age {
        time: Time,
        count: Count,
        unit_ns: u64,
    },
    Newer {
        time: Time,
        than_ns: u64,
    },
    Permissions(Bits),
    Owner(Count),
    Group(Count),
    /// Without a name in the accounts.
    Nameless(Kind),
    Links(Count),
    Inode(Count),
    SameFile {
        dev: u64,
        ino: u64,
    },
    Empty,
    Access(u32),
    Print {
        end: char,
    },
    PrintFormat(String),
    List1,
    Prune,
    Quit,
    Delete,
    Exec(Exec),
    /// Number of the batch.
    ExecBatch(usize),
}

/// A command line that was understood.
pub struct Parsed {
    pub starts: Vec<String>,
    pub expression: Expression,
    pub settings: Settings,
    pub batches: Vec<Batch>,
}

struct Parser<'a> {
    words: &'a [&'a str],
    settings: Settings,
    batches: Vec<Batch>,
    /// There is an action other than `-prune`: no `-print` is added.
    acts: bool,
    depth: usize,
}

/// Understands `words`.
pub fn parse(words: &[&str]) -> Result<Parsed, Failure> {
    let mut parser = Parser {
        words,
        settings: Settings::default(),
        batches: Vec::new(),
        acts: false,
        depth: 0,
    };
    while let Some(&option) = parser.words.first() {
        match option {
            "-L" | "-follow" => parser.settings.follow = true,
            "-H" => parser.settings.follow_starts = true,
            "-P" => parser.settings.follow = false,
            _ => break,
        }
        parser.words = &parser.words[1..];
    }
    let begins = |word: &&&str| {
        (word.starts_with('-') && word.len() > 1) || matches!(**word, "(" | "!" | ")" | ",")
    };
    let count = parser.words.iter().take_while(|word| !begins(word)).count();
    let (starts, rest) = parser.words.split_at(count);
    parser.words = rest;
    let mut expression = if rest.is_empty() {
        Expression::Always(true)
    } else {
        parser.list()?
    };
    if let Some(word) = parser.words.first() {
        return Err(Failure::new(format!(
            "unexpected '{word}' in the expression"
        )));
    }
    if !parser.acts {
        expression = Expression::And(vec![expression, Expression::Print { end: '\n' }]);
    }
    let starts = if starts.is_empty() {
        vec![".".to_owned()]
    } else {
        starts.iter().map(|&start| start.to_owned()).collect()
    };
    Ok(Parsed {
        starts,
        expression,
        settings: parser.settings,
        batches: parser.batches,
    })
}

impl<'a> Parser<'a> {
    fn list(&mut self) -> Result<Expression, Failure> {
        let mut all = vec![self.or()?];
        while self.eat(&[","]) {
            all.push(self.or()?);
        }
        Ok(one_or(all, Expression::List))
    }

    fn or(&mut self) -> Result<Expression, Failure> {
        let mut all = vec![self.and()?];
        while self.eat(&["-o", "-or"]) {
            all.push(self.and()?);
        }
        Ok(one_or(all, Expression::Or))
    }

    fn and(&mut self) -> Result<Expression, Failure> {
        let mut all = vec![self.not()?];
        loop {
            let explicit = self.eat(&["-a", "-and"]);
            match self.words.first() {
                None | Some(&("," | "-o" | "-or" | ")")) if !explicit => {
                    return Ok(one_or(all, Expression::And));
                }
                _ => all.push(self.not()?),
            }
        }
    }

    fn not(&mut self) -> Result<Expression, Failure> {
        let mut negate = false;
        while self.eat(&["!", "-not"]) {
            negate = !negate;
        }
        let inner = self.primary()?;
        Ok(if negate {
            Expression::Not(Box::new(inner))
        } else {
            inner
        })
    }

    fn eat(&mut self, words: &[&str]) -> bool {
        let is = self.words.first().is_some_and(|word| words.contains(word));
        if is {
            self.words = &self.words[1..];
        }
        is
    }

    fn primary(&mut self) -> Result<Expression, Failure> {
        let Some((&word, rest)) = self.words.split_first() else {
            return Err(Failure::new("an expression is missing after an operator"));
        };
        self.words = rest;
        if word == "(" {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(Failure::new("too many parentheses"));
            }
            let inner = self.list()?;
            self.depth -= 1;
            return if self.eat(&[")"]) {
                Ok(inner)
            } else {
                Err(Failure::new("missing ')'"))
            };
        }
        if let Some(found) = self.without_value(word) {
            return Ok(found);
        }
        if matches!(word, "-exec" | "-execdir") {
            return self.exec(word == "-execdir");
        }
        let Some((&value, rest)) = self.words.split_first() else {
            return Err(Failure::new(format!(
                "missing argument to '{word}', or unknown predicate"
            )));
        };
        let found = self.with_value(word, value)?;
        self.words = rest;
        Ok(found)
    }

    fn action(&mut self, action: Expression) -> Expression {
        self.acts = true;
        action
    }

    fn without_value(&mut self, word: &str) -> Option<Expression> {
        use files::permission;
        Some(match word {
            "-true" => Expression::Always(true),
            "-false" => Expression::Always(false),
            "-empty" => Expression::Empty,
            "-readable" => Expression::Access(permission::READ),
            "-writable" => Expression::Access(permission::WRITE),
            "-executable" => Expression::Access(permission::EXECUTE),
            "-nouser" => Expression::Nameless(Kind::User),
            "-nogroup" => Expression::Nameless(Kind::Group),
            "-prune" => Expression::Prune,
            "-print" => self.action(Expression::Print { end: '\n' }),
            "-print0" => self.action(Expression::Print { end: '\0' }),
            "-ls" => self.action(Expression::List1),
            "-quit" => self.action(Expression::Quit),
            "-delete" => {
                self.settings.contents_first = true;
                self.action(Expression::Delete)
            }
            "-depth" | "-d" => {
                self.settings.contents_first = true;
                Expression::Always(true)
            }
            "-follow" => {
                self.settings.follow = true;
                Expression::Always(true)
            }
            // A sandbox has one file system.
            "-xdev"
            | "-mount"
            | "-noleaf"
            | "-daystart"
            | "-ignore_readdir_race"
            | "-warn"
            | "-nowarn" => Expression::Always(true),
            _ => return None,
        })
    }

    fn with_value(&mut self, word: &str, value: &str) -> Result<Expression, Failure> {
        let invalid = || Failure::new(format!("invalid argument '{value}' to '{word}'"));
        let count = || Count::parse(value).ok_or_else(invalid);
        let look = || files::stat(&cwd(), value, true).context(format_args!("'{value}'"));
        let pattern = || value.to_owned();
        let account = |kind| {
            Accounts::read(kind)
                .id(value)
                .map(|id| Count::Exactly(u64::from(id)))
                .ok_or_else(|| {
                    Failure::new(format!(
                        "'{value}' is not the name of a known user or group"
                    ))
                })
        };
        const MINUTE: u64 = 60 * 1_000_000_000;
        Ok(match word {
            "-name" | "-iname" => Expression::Name {
                pattern: pattern(),
                fold: word == "-iname",
            },
            "-path" | "-wholename" => Expression::Path {
                pattern: pattern(),
                fold: false,
            },
            "-ipath" | "-iwholename" => Expression::Path {
                pattern: pattern(),
                fold: true,
            },
            "-lname" | "-ilname" => Expression::LinkName {
                pattern: pattern(),
                fold: word == "-ilname",
            },
            "-regex" | "-iregex" => {
                let whole = regex_lite::RegexBuilder::new(&format!("^(?:{})$", plain_regex(value)))
                    .case_insensitive(word == "-iregex")
                    .build();
                Expression::Regex(
                    whole.map_err(|error| Failure::new(format!("'{value}': {error}")))?,
                )
            }
            "-regextype" => Expression::Always(true),
            "-type" | "-xtype" => {
                let kinds: Vec<char> = value
                    .split(',')
                    .filter_map(|kind| kind.chars().next())
                    .collect();
                if kinds.is_empty() || kinds.iter().any(|kind| !"fdlcbps".contains(*kind)) {
                    return Err(Failure::new(format!("Unknown argument to {word}: {value}")));
                }
                Expression::Type(kinds)
            }
            "-size" => size(value).ok_or_else(invalid)?,
            "-mtime" | "-atime" => Expression::Age {
                time: Time::Modified,
                count: count()?,
                unit_ns: 1440 * MINUTE,
            },
            "-ctime" => Expression::Age {
                time: Time::Changed,
                count: count()?,
                unit_ns: 1440 * MINUTE,
            },
            "-mmin" | "-amin" => Expression::Age {
                time: Time::Modified,
                count: count()?,
                unit_ns: MINUTE,
            },
            "-cmin" => Expression::Age {
                time: Time::Changed,
                count: count()?,
                unit_ns: MINUTE,
            },
            "-newer" | "-anewer" => Expression::Newer {
                time: Time::Modified,
                than_ns: look()?.mtime_ns,
            },
            "-cnewer" => Expression::Newer {
                time: Time::Changed,
                than_ns: look()?.mtime_ns,
            },
            "-newermt" => {
                let than_ns = crate::files::touch::date(value).ok_or_else(invalid)?;
                Expression::Newer {
                    time: Time::Modified,
                    than_ns,
                }
            }
            "-perm" => Expression::Permissions(bits(value).ok_or_else(invalid)?),
            "-user" => Expression::Owner(account(Kind::User)?),
            "-group" => Expression::Group(account(Kind::Group)?),
            "-uid" => Expression::Owner(count()?),
            "-gid" => Expression::Group(count()?),
            "-links" => Expression::Links(count()?),
            "-inum" => Expression::Inode(count()?),
            "-samefile" => {
                let stat = look()?;
                Expression::SameFile {
                    dev: stat.dev,
                    ino: stat.ino,
                }
            }
            "-maxdepth" => {
                self.settings.max_depth = Some(value.parse().map_err(|_| invalid())?);
                Expression::Always(true)
            }
            "-mindepth" => {
                self.settings.min_depth = value.parse().map_err(|_| invalid())?;
                Expression::Always(true)
            }
            "-printf" => self.action(Expression::PrintFormat(value.to_owned())),
            "-ok" | "-okdir" => {
                return Err(Failure::new(format!(
                    "{word}: there is no terminal to ask at"
                )));
            }
            _ => return Err(Failure::new(format!("unknown predicate '{word}'"))),
        })
    }

    /// `-exec` up to `;` or `{} +`.
    fn exec(&mut self, in_directory: bool) -> Result<Expression, Failure> {
        let missing = || Failure::new("missing argument to '-exec'");
        let semicolon = self.words.iter().position(|&word| word == ";");
        let plus = self
            .words
            .windows(2)
            .position(|pair| pair == ["{}", "+"])
            .map(|at| at + 1);
        let (end, batch) = match (semicolon, plus) {
            (Some(end), Some(plus)) if plus < end => (plus, true),
            (Some(end), _) => (end, false),
            (None, Some(plus)) => (plus, true),
            (None, None) => return Err(missing()),
        };
        let words: Vec<String> = self.words[..end]
            .iter()
            .map(|&word| word.to_owned())
            .collect();
        self.words = &self.words[end + 1..];
        self.acts = true;
        if words.is_empty() {
            return Err(missing());
        }
        if batch {
            let template = words[..words.len() - 1].to_vec();
            if template.is_empty() {
                return Err(missing());
            }
            self.batches.push(Batch::new(template));
            return Ok(Expression::ExecBatch(self.batches.len() - 1));
        }
        Ok(Expression::Exec(Exec {
            words,
            in_directory,
        }))
    }
}

fn one_or(mut all: Vec<Expression>, make: fn(Vec<Expression>) -> Expression) -> Expression {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        Some(last) => {
            all.push(last);
            make(all)
        }
        None => Expression::Always(true),
    }
}

/// Emacs writes groups and alternatives with backslashes, extended expressions without: both are taken.
fn plain_regex(pattern: &str) -> String {
    pattern
        .replace("\\(", "(")
        .replace("\\)", ")")
        .replace("\\|", "|")
}

fn size(text: &str) -> Option<Expression> {
    let unit = match text.as_bytes().last()? {
        b'c' => 1,
        b'w' => 2,
        b'k' => 1 << 10,
        b'M' => 1 << 20,
        b'G' => 1 << 30,
        _ => 512,
    };
    let digits = text.trim_end_matches(['c', 'w', 'k', 'M', 'G', 'b']);
    number(digits.trim_start_matches(['+', '-']))?;
    Some(Expression::Size {
        count: Count::parse(digits)?,
        unit,
    })
}

fn bits(text: &str) -> Option<Bits> {
    let parse = |text: &str| crate::mode::apply(text, 0, false, 0);
    Some(match text.as_bytes().first()? {
        b'-' => Bits::All(parse(&text[1..])?),
        b'/' => Bits::Any(parse(&text[1..])?),
        _ => Bits::Exactly(parse(text)?),
    })
}
