use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Write as _};

use sandbox_applet::{Input, Out};
use sandbox_guest::fd;

use super::options::{Binary, Options, Report};

/// Bytes at the start of a file that are searched for NUL, which makes it binary.
const PROBE: usize = 32 << 10;

/// Searches files one after the other.
pub struct Searcher<'a> {
    pub options: &'a Options,
    pub out: Out,
    /// Something has matched.
    pub any: bool,
}

/// Where a search of one file is.
struct Progress<'a> {
    label: &'a str,
    line: u64,
    offset: u64,
    matches: u64,
    /// Lines of context that are still to be printed.
    after: usize,
    /// The last lines, with their offsets, that were not printed.
    before: VecDeque<(u64, Vec<u8>)>,
    /// The last line printed; for `--` between groups.
    printed: u64,
}

impl Searcher<'_> {
    /// Searches `input`, which is called `label`.
    pub fn search(&mut self, label: &str, input: Input) -> io::Result<()> {
        let standard = matches!(input, Input::Standard);
        let mut input = BufReader::with_capacity(64 << 10, input);
        let options = self.options;
        let head = input.fill_buf()?;
        let binary = options.binary != Binary::Text
            && options.end != 0
            && head[..head.len().min(PROBE)].contains(&0);
        if binary && options.binary == Binary::Skip {
            return self.end(label, 0, false);
        }
        let mut at = Progress {
            label,
            line: 0,
            offset: 0,
            matches: 0,
            after: 0,
            before: VecDeque::new(),
            printed: 0,
        };
        let quick = options.quiet || options.report != Report::Lines;
        let mut line = Vec::new();
        let mut mentioned = false;
        while options.most.is_none_or(|most| at.matches < most) {
            line.clear();
            if input.read_until(options.end, &mut line)? == 0 {
                break;
            }
            at.line += 1;
            let length = line.len() as u64;
            if line.last() == Some(&options.end) {
                line.pop();
            }
            let hit = options
                .patterns
                .iter()
                .any(|pattern| pattern.is_match(&line))
                != options.invert;
            if hit {
                at.matches += 1;
                self.any |= options.report != (Report::Files { with: false });
                let enough =
                    options.quiet || matches!(options.report, Report::Files { .. }) || binary;
                if enough && (options.report != Report::Count || options.quiet) {
                    mentioned = binary && !quick && !(options.only && options.invert);
                    break;
                }
            }
            if !quick && !binary {
                self.line(&mut at, &line, hit)?;
            }
            at.offset += length;
        }
        let stopped = options.most.is_some_and(|most| at.matches >= most);
        if stopped && !quick && !binary {
            self.rest_of_context(&mut at, &mut input)?;
        }
        if standard && (stopped || mentioned || options.quiet) {
            // Of a file, the next program goes on behind the last line.
            let unread = input.buffer().len() as i64;
            let _ = fd::seek_by(0, -unread);
        }
        if mentioned {
            self.out
                .write_all(format!("grep: {label}: binary file matches\n").as_bytes())?;
        }
        self.end(label, at.matches, at.matches > 0)
    }

    fn rest_of_context(
        &mut self,
        at: &mut Progress<'_>,
        input: &mut BufReader<Input>,
    ) -> io::Result<()> {
        let mut line = Vec::new();
        while at.after > 0 {
            line.clear();
            if input.read_until(self.options.end, &mut line)? == 0 {
                break;
            }
            at.line += 1;
            let length = line.len() as u64;
            if line.last() == Some(&self.options.end) {
                line.pop();
            }
            self.line(at, &line, false)?;
            at.offset += length;
        }
        Ok(())
    }

    /// What is said of the file as a whole.
    fn end(&mut self, label: &str, count: u64, found: bool) -> io::Result<()> {
        let options = self.options;
        if options.quiet {
            return Ok(());
        }
        match options.report {
            Report::Lines => {}
            Report::Count => {
                if options.names {
                    self.name(label, ':', false)?;
                }
                self.out.write_all(format!("{count}\n").as_bytes())?;
            }
            Report::Files { with } if with == found => {
                self.any = true;
                self.name(label, '\n', false)?;
            }
            Report::Files { .. } => {}
        }
        Ok(())
    }

    /// The name of a file and what follows it.
    fn name(&mut self, label: &str, end: char, color: bool) -> io::Result<()> {
        let end = if self.options.zero_names { '\0' } else { end };
        let text = match (color, end) {
            (true, '\0') => format!("\x1b[35m\x1b[K{label}\x1b[m\x1b[K\0"),
            (true, end) => {
                format!("\x1b[35m\x1b[K{label}\x1b[m\x1b[K\x1b[36m\x1b[K{end}\x1b[m\x1b[K")
            }
            (false, end) => format!("{label}{end}"),
        };
        self.out.write_all(text.as_bytes())
    }

    fn line(&mut self, at: &mut Progress<'_>, line: &[u8], hit: bool) -> io::Result<()> {
        let options = self.options;
        if hit {
            self.separate(at, at.line - at.before.len() as u64)?;
            let before = std::mem::take(&mut at.before);
            let first = at.line - before.len() as u64;
            for (number, (offset, line)) in (first..).zip(before) {
                self.print(at.label, number, offset, '-', &line)?;
            }
            self.matched(at, line)?;
            at.printed = at.line;
            at.after = options.after;
        } else if at.after > 0 {
            at.after -= 1;
            if !options.only {
                self.print(at.label, at.line, at.offset, '-', line)?;
            }
            at.printed = at.line;
        } else if options.before > 0 && !options.only {
            if at.before.len() == options.before {
                at.before.pop_front();
            }
            at.before.push_back((at.offset, line.to_vec()));
        }
        if options.line_buffered {
            self.out.flush()?;
        }
        Ok(())
    }

    /// `--` between lines that were not neighbours.
    fn separate(&mut self, at: &Progress<'_>, next: u64) -> io::Result<()> {
        let context = self.options.before > 0 || self.options.after > 0;
        if context && !self.options.only && at.printed > 0 && next > at.printed + 1 {
            let line: &[u8] = if self.options.color {
                b"\x1b[36m\x1b[K--\x1b[m\x1b[K\n"
            } else {
                b"--\n"
            };
            self.out.write_all(line)?;
        }
        Ok(())
    }

    fn prefix(&mut self, label: &str, number: u64, offset: u64, mark: char) -> io::Result<()> {
        let options = self.options;
        let color = options.color;
        if options.names {
            self.name(label, mark, color)?;
        }
        let mut numbers = Vec::new();
        if options.line_numbers {
            numbers.push(number);
        }
        if options.byte_offsets {
            numbers.push(offset);
        }
        for number in numbers {
            let text = match (color, options.initial_tab) {
                (true, _) => {
                    format!("\x1b[32m\x1b[K{number}\x1b[m\x1b[K\x1b[36m\x1b[K{mark}\x1b[m\x1b[K")
                }
                (false, true) => format!("{number:>4}{mark}"),
                (false, false) => format!("{number}{mark}"),
            };
            self.out.write_all(text.as_bytes())?;
        }
        if options.initial_tab && (options.names || options.line_numbers || options.byte_offsets) {
            self.out.write_all(b"\t")?;
        }
        Ok(())
    }

    fn print(
        &mut self,
        label: &str,
        number: u64,
        offset: u64,
        mark: char,
        line: &[u8],
    ) -> io::Result<()> {
        self.prefix(label, number, offset, mark)?;
        self.out.write_all(line)?;
        self.out.write_all(&[self.options.end])
    }

    fn matched(&mut self, at: &Progress<'_>, line: &[u8]) -> io::Result<()> {
        let options = self.options;
        if options.only {
            if options.invert {
                return Ok(());
            }
            for (start, end) in self.finds(line) {
                self.prefix(at.label, at.line, at.offset + start as u64, ':')?;
                self.colored(&line[start..end])?;
                self.out.write_all(&[options.end])?;
            }
            return Ok(());
        }
        if !options.color || options.invert {
            return self.print(at.label, at.line, at.offset, ':', line);
        }
        self.prefix(at.label, at.line, at.offset, ':')?;
        let mut from = 0;
        for (start, end) in self.finds(line) {
            self.out.write_all(&line[from..start])?;
            self.colored(&line[start..end])?;
            from = end;
        }
        self.out.write_all(&line[from..])?;
        self.out.write_all(&[options.end])
    }

    fn colored(&mut self, text: &[u8]) -> io::Result<()> {
        if !self.options.color {
            return self.out.write_all(text);
        }
        self.out.write_all(b"\x1b[01;31m\x1b[K")?;
        self.out.write_all(text)?;
        self.out.write_all(b"\x1b[m\x1b[K")
    }

    /// All matches of a line that are not empty, without overlaps.
    fn finds(&self, line: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut from = 0;
        while from < line.len() {
            let first = self
                .options
                .patterns
                .iter()
                .filter_map(|pattern| pattern.find_at(line, from));
            // The leftmost, and the longest of those.
            let Some((start, end)) = first.min_by_key(|&(start, end)| (start, usize::MAX - end))
            else {
                break;
            };
            if end > start {
                found.push((start, end));
                from = end;
            } else {
                from = start + 1;
                while from < line.len() && line[from] & 0xc0 == 0x80 {
                    from += 1;
                }
            }
        }
        found
    }
}
