use sandbox_applet::{Entry, Failure, Out};
use sandbox_guest::files::kind;

use super::options::{Layout, Options, TimeStyle};
use crate::accounts::{Accounts, Kind};
use crate::mode;
use crate::size::{blocks, human};
use sandbox_applet::time::{Civil, now};

/// Writes lists of names.
pub struct Printer<'a> {
    options: &'a Options,
    out: Out,
    /// Read when the first long list needs them.
    accounts: Option<[Accounts; 2]>,
    now: i64,
}

/// The columns of a long line.
struct Row {
    inode: String,
    blocks: String,
    mode: String,
    links: String,
    owner: String,
    group: String,
    size: String,
    time: String,
    name: String,
}

impl<'a> Printer<'a> {
    pub fn new(options: &'a Options) -> Self {
        Self {
            options,
            out: Out::new(),
            accounts: None,
            now: now(),
        }
    }

    pub fn finish(&mut self) -> Result<(), Failure> {
        self.out.finish()
    }

    /// `directory:`, after an empty line unless it is the first thing printed.
    pub fn title(&mut self, path: &str, first: bool) -> Result<(), Failure> {
        if !first {
            self.out.put("\n")?;
        }
        self.out.line(format!("{path}:"))
    }

    /// The names of a directory, after their sum.
    pub fn directory(&mut self, found: &[Entry]) -> Result<(), Failure> {
        if self.options.layout == Layout::Long || self.options.blocks {
            let total: u64 = found.iter().map(|entry| blocks(&entry.stat)).sum();
            let total = self.kib(total);
            self.out.line(format!("total {total}"))?;
        }
        self.list(found)
    }

    /// The names.
    pub fn list(&mut self, found: &[Entry]) -> Result<(), Failure> {
        match self.options.layout {
            Layout::Long => self.long(found),
            Layout::Single => {
                for cell in self.cells(found) {
                    self.out.line(cell)?;
                }
                Ok(())
            }
            Layout::Commas if found.is_empty() => Ok(()),
            Layout::Commas => self.out.line(self.cells(found).join(", ")),
            Layout::Columns => self.columns(&self.cells(found)),
        }
    }

    fn kib(&self, kib: u64) -> String {
        if self.options.human {
            human(kib * 1024)
        } else {
            kib.to_string()
        }
    }

    /// What each name looks like when it is not a long line.
    fn cells(&self, found: &[Entry]) -> Vec<String> {
        let inodes: Vec<String> = found
            .iter()
            .map(|entry| entry.stat.ino.to_string())
            .collect();
        let sizes: Vec<String> = found
            .iter()
            .map(|entry| self.kib(blocks(&entry.stat)))
            .collect();
        let (inode_width, size_width) = (widest(&inodes), widest(&sizes));
        (found.iter().zip(inodes).zip(sizes))
            .map(|((entry, inode), size)| {
                let mut cell = String::new();
                if self.options.inode {
                    cell += &format!("{inode:>inode_width$} ");
                }
                if self.options.blocks {
                    cell += &format!("{size:>size_width$} ");
                }
                cell + &self.name(entry)
            })
            .collect()
    }

    /// Fills as many columns as fit, downwards.
    fn columns(&mut self, cells: &[String]) -> Result<(), Failure> {
        let count = cells.len();
        let width = if self.options.width == 0 {
            usize::MAX
        } else {
            self.options.width
        };
        let length = |cell: &String| cell.chars().count();
        for rows in 1..=count.max(1) {
            let widths: Vec<usize> = cells
                .chunks(rows)
                .map(|column| column.iter().map(length).max().unwrap_or(0))
                .collect();
            let all = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
            if all > width && rows < count {
                continue;
            }
            for row in 0..rows {
                let mut line = String::new();
                for (column, &wide) in widths.iter().enumerate() {
                    let Some(cell) = cells.get(column * rows + row) else {
                        continue;
                    };
                    line += cell;
                    if (column + 1) * rows + row < count {
                        line.extend(std::iter::repeat_n(' ', wide + 2 - length(cell)));
                    }
                }
                if !cells.is_empty() {
                    self.out.line(line)?;
                }
            }
            break;
        }
        Ok(())
    }

    fn long(&mut self, found: &[Entry]) -> Result<(), Failure> {
        if self.accounts.is_none() && !self.options.numeric {
            self.accounts = Some([Accounts::read(Kind::User), Accounts::read(Kind::Group)]);
        }
        let rows: Vec<Row> = found.iter().map(|entry| self.row(entry)).collect();
        let width = |column: fn(&Row) -> &String| {
            rows.iter()
                .map(|row| column(row).chars().count())
                .max()
                .unwrap_or(0)
        };
        let inode = width(|row| &row.inode);
        let block = width(|row| &row.blocks);
        let links = width(|row| &row.links);
        let owner = width(|row| &row.owner);
        let group = width(|row| &row.group);
        let size = width(|row| &row.size);
        for row in &rows {
            let mut line = String::new();
            if self.options.inode {
                line += &format!("{:>inode$} ", row.inode);
            }
            if self.options.blocks {
                line += &format!("{:>block$} ", row.blocks);
            }
            line += &format!("{} {:>links$} ", row.mode, row.links);
            if self.options.owner {
                line += &format!("{:<owner$} ", row.owner);
            }
            if self.options.group {
                line += &format!("{:<group$} ", row.group);
            }
            line += &format!("{:>size$} {} {}", row.size, row.time, row.name);
            self.out.line(line)?;
        }
        Ok(())
    }

    fn row(&self, entry: &Entry) -> Row {
        let stat = &entry.stat;
        let account = |index: usize, id: u32| match &self.accounts {
            Some(accounts) if !self.options.numeric => accounts[index].name(id),
            _ => id.to_string(),
        };
        let time = Civil::new(self.options.time(entry));
        let mut name = self.name(entry);
        if stat.kind() == kind::SYMLINK
            && let Ok(target) = std::fs::read_link(&entry.path)
        {
            name = format!("{name} -> {}", target.display());
        }
        Row {
            inode: stat.ino.to_string(),
            blocks: self.kib(blocks(stat)),
            mode: mode::show(stat.mode),
            links: stat.nlink.to_string(),
            owner: account(0, stat.uid),
            group: account(1, stat.gid),
            size: if self.options.human {
                human(stat.size)
            } else {
                stat.size.to_string()
            },
            time: match self.options.time_style {
                TimeStyle::Short => time.short(self.now),
                TimeStyle::Minutes => time.minutes(),
                TimeStyle::Full => time.full(),
            },
            name,
        }
    }

    fn name(&self, entry: &Entry) -> String {
        let mut name = if self.options.quote {
            format!("{:?}", entry.name)
        } else {
            entry.name.clone()
        };
        if self.options.color
            && let Some(code) = color(&entry.stat)
        {
            name = format!("\x1b[0m\x1b[{code}m{name}\x1b[0m");
        }
        let executable = entry.stat.mode & 0o111 != 0;
        let mark = match entry.stat.kind() {
            kind::DIRECTORY => "/",
            kind::SYMLINK if self.options.layout != Layout::Long => "@",
            kind::FIFO => "|",
            kind::SOCKET => "=",
            kind::FILE if executable => "*",
            _ => "",
        };
        if self.options.classify || self.options.slash && mark == "/" {
            name += mark;
        }
        name
    }
}

fn widest(cells: &[String]) -> usize {
    cells.iter().map(String::len).max().unwrap_or(0)
}

/// The colours that `dircolors` has for kinds.
fn color(stat: &sandbox_guest::files::Stat) -> Option<&'static str> {
    match stat.kind() {
        kind::DIRECTORY if stat.mode & 0o1002 == 0o1002 => Some("30;42"),
        kind::DIRECTORY => Some("01;34"),
        kind::SYMLINK => Some("01;36"),
        kind::FIFO => Some("40;33"),
        kind::SOCKET => Some("01;35"),
        kind::CHARACTER | kind::BLOCK => Some("40;33;01"),
        _ if stat.mode & 0o111 != 0 => Some("01;32"),
        _ => None,
    }
}
