use std::ffi::OsString;

use sandbox_applet::{Args, Entry, Failure, Long, Short, Value};

/// Which names with a dot at their start are shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hidden {
    Leave,
    /// All but `.` and `..`.
    Almost,
    All,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sort {
    Name,
    Size,
    Time,
    Extension,
    Version,
    Not,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layout {
    Single,
    Columns,
    Commas,
    Long,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TimeStyle {
    Short,
    /// `long-iso`
    Minutes,
    Full,
}

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Options {
    pub hidden: Hidden,
    pub sort: Sort,
    pub layout: Layout,
    pub time_style: TimeStyle,
    pub reverse: bool,
    pub recursive: bool,
    pub directory: bool,
    pub dereference: bool,
    pub dereference_operands: bool,
    pub human: bool,
    pub inode: bool,
    pub blocks: bool,
    pub numeric: bool,
    pub owner: bool,
    pub group: bool,
    /// Letters after names: all kinds (`-F`), or directories alone (`-p`).
    pub classify: bool,
    pub slash: bool,
    pub quote: bool,
    pub changed: bool,
    pub color: bool,
    pub directories_first: bool,
    pub width: usize,
}

impl Options {
    fn new(name: &str) -> Self {
        Self {
            hidden: Hidden::Leave,
            sort: Sort::Name,
            layout: match name {
                "dir" => Layout::Columns,
                "vdir" => Layout::Long,
                _ if sandbox_guest::fd::is_terminal(1) => Layout::Columns,
                _ => Layout::Single,
            },
            time_style: TimeStyle::Short,
            reverse: false,
            recursive: false,
            directory: false,
            dereference: false,
            dereference_operands: false,
            human: false,
            inode: false,
            blocks: false,
            numeric: false,
            owner: true,
            group: true,
            classify: false,
            slash: false,
            quote: false,
            changed: false,
            color: false,
            directories_first: false,
            width: 80,
        }
    }

    /// Options and operands.
    pub fn parse(args: &mut Args) -> Result<(Self, Vec<OsString>), Failure> {
        let mut options = Self::new(args.name());
        let mut operands = Vec::new();
        while let Some(arg) = args.next().map_err(usage)? {
            match arg {
                Value(value) => operands.push(value),
                Short(letter) if options.letter(letter) => {}
                Short('w') | Long("width") => {
                    options.width = args.string()?.parse().unwrap_or(0);
                }
                Short('T' | 'I') => {
                    args.value().map_err(usage)?;
                }
                Long("all") => options.hidden = Hidden::All,
                Long("almost-all") => options.hidden = Hidden::Almost,
                Long("directory") => options.directory = true,
                Long("reverse") => options.reverse = true,
                Long("recursive") => options.recursive = true,
                Long("human-readable") => options.human = true,
                Long("inode") => options.inode = true,
                Long("size") => options.blocks = true,
                Long("dereference") => options.dereference = true,
                Long("dereference-command-line") => options.dereference_operands = true,
                Long("numeric-uid-gid") => options.letter_n(),
                Long("no-group") => options.group = false,
                Long("classify") => options.classify = switch(args)?,
                Long("file-type") => options.classify = true,
                Long("quote-name") => options.quote = true,
                Long("group-directories-first") => options.directories_first = true,
                Long("full-time") => {
                    options.layout = Layout::Long;
                    options.time_style = TimeStyle::Full;
                }
                Long("color") => options.color = switch(args)?,
                Long("sort") => options.sort = sort(&args.string()?)?,
                Long("time") => options.changed = matches!(&*args.string()?, "ctime" | "status"),
                Long("format") => options.layout = layout(&args.string()?)?,
                Long("time-style") => options.time_style = time_style(&args.string()?)?,
                other => return Err(usage(other.unexpected())),
            }
        }
        Ok((options, operands))
    }

    fn letter_n(&mut self) {
        self.layout = Layout::Long;
        self.numeric = true;
    }

    /// Takes an option of one letter without a value; `false` when there is no such.
    fn letter(&mut self, letter: char) -> bool {
        match letter {
            'a' => self.hidden = Hidden::All,
            'A' => self.hidden = Hidden::Almost,
            'd' => self.directory = true,
            'r' => self.reverse = true,
            'R' => self.recursive = true,
            'h' => self.human = true,
            'i' => self.inode = true,
            's' => self.blocks = true,
            'L' => self.dereference = true,
            'H' => self.dereference_operands = true,
            'n' => self.letter_n(),
            'l' => self.layout = Layout::Long,
            'g' => {
                self.layout = Layout::Long;
                self.owner = false;
            }
            'o' => {
                self.layout = Layout::Long;
                self.group = false;
            }
            'G' => self.group = false,
            // Has no effect on `-l`, as POSIX says.
            '1' if self.layout == Layout::Long => {}
            '1' => self.layout = Layout::Single,
            'C' | 'x' => self.layout = Layout::Columns,
            'm' => self.layout = Layout::Commas,
            'F' => self.classify = true,
            'p' => self.slash = true,
            'Q' => self.quote = true,
            'S' => self.sort = Sort::Size,
            't' => self.sort = Sort::Time,
            'X' => self.sort = Sort::Extension,
            'v' => self.sort = Sort::Version,
            'U' => self.sort = Sort::Not,
            'f' => {
                self.sort = Sort::Not;
                self.hidden = Hidden::All;
            }
            'c' => self.changed = true,
            // Access times are not kept, names are printed as they are, sizes are in KiB already.
            'u' | 'N' | 'q' | 'b' | 'k' | 'B' | 'Z' => {}
            _ => return false,
        }
        true
    }

    /// Whether an operand that is a link stands for what it points to.
    pub fn follow_operands(&self) -> bool {
        self.dereference
            || self.dereference_operands
            || !(self.layout == Layout::Long || self.directory || self.classify)
    }

    /// The time that is shown and sorted by.
    pub fn time(&self, entry: &Entry) -> u64 {
        if self.changed {
            entry.stat.ctime_ns
        } else {
            entry.stat.mtime_ns
        }
    }
}

fn usage(error: impl Into<Failure>) -> Failure {
    error.into().with_code(2)
}

/// `--option[=always|auto|never]`; `auto` is as if standard output were no terminal, unless it is one.
fn switch(args: &mut Args) -> Result<bool, Failure> {
    match args.optional_value() {
        None => Ok(true),
        Some(value) => match value.to_str() {
            Some("always" | "yes" | "force") => Ok(true),
            Some("never" | "no" | "none") => Ok(false),
            Some("auto" | "tty" | "if-tty") => Ok(sandbox_guest::fd::is_terminal(1)),
            _ => Err(invalid(&value.to_string_lossy())),
        },
    }
}

fn invalid(value: &str) -> Failure {
    Failure::new(format!("invalid argument '{value}'")).with_code(2)
}

fn sort(value: &str) -> Result<Sort, Failure> {
    Ok(match value {
        "none" => Sort::Not,
        "name" => Sort::Name,
        "size" => Sort::Size,
        "time" => Sort::Time,
        "extension" => Sort::Extension,
        "version" => Sort::Version,
        _ => return Err(invalid(value)),
    })
}

fn layout(value: &str) -> Result<Layout, Failure> {
    Ok(match value {
        "long" | "verbose" => Layout::Long,
        "single-column" => Layout::Single,
        "commas" => Layout::Commas,
        "vertical" | "across" | "horizontal" => Layout::Columns,
        _ => return Err(invalid(value)),
    })
}

fn time_style(value: &str) -> Result<TimeStyle, Failure> {
    Ok(match value {
        "full-iso" => TimeStyle::Full,
        "long-iso" => TimeStyle::Minutes,
        "locale" | "iso" => TimeStyle::Short,
        _ => return Err(invalid(value)),
    })
}
