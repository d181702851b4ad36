//! `xargs`.

use std::ffi::OsString;
use std::io::Read as _;

use sandbox_applet::{
    Args, Context, Failure, Long, Outcome, Short, Value, error_output, open, reason,
};
use sandbox_guest::{Child, Status, Stdio, process};

use super::run::command;

/// Bytes of arguments for one command: what the kernel takes, less room for the rest.
const MAX_BYTES: usize = 128 << 10;

#[derive(Default)]
struct Options {
    separator: Separator,
    /// `-I`: one command for each line, which replaces this.
    replace: Option<String>,
    most_args: Option<usize>,
    most_lines: Option<usize>,
    most_bytes: Option<usize>,
    parallel: usize,
    skip_empty: bool,
    trace: bool,
    exit_if_long: bool,
    end: Option<String>,
}

#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Separator {
    /// Blanks, with quotes and backslashes.
    #[default]
    Blanks,
    Byte(u8),
}

/// Makes commands of the words on the standard input.
pub fn run(mut args: Args) -> Outcome {
    let mut options = Options {
        parallel: 1,
        ..Options::default()
    };
    let mut input = OsString::from("-");
    let mut words = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('0') | Long("null") => options.separator = Separator::Byte(0),
            Short('d') | Long("delimiter") => {
                let given = crate::format::backslash(&args.string()?);
                let [byte] = given.as_bytes() else {
                    return Err(Failure::new("the delimiter must be a single byte"));
                };
                options.separator = Separator::Byte(*byte);
            }
            Short('I') => options.replace = Some(args.string()?),
            Short('i') | Long("replace") => {
                let given = args.optional_value();
                options.replace = Some(given.map_or_else(
                    || "{}".to_owned(),
                    |given| given.to_string_lossy().into_owned(),
                ));
            }
            Short('n') | Long("max-args") => options.most_args = Some(count(&args.string()?)?),
            Short('L') | Long("max-lines") => options.most_lines = Some(count(&args.string()?)?),
            Short('l') => {
                options.most_lines = Some(match args.optional_value() {
                    Some(given) => count(&given.to_string_lossy())?,
                    None => 1,
                });
            }
            Short('s') | Long("max-chars") => options.most_bytes = Some(count(&args.string()?)?),
            Short('P') | Long("max-procs") => {
                let value = args.string()?;
                options.parallel = value
                    .parse()
                    .map_err(|_| Failure::new(format!("invalid number '{value}'")))?;
                if options.parallel == 0 {
                    options.parallel = 16;
                }
            }
            Short('r') | Long("no-run-if-empty") => options.skip_empty = true,
            Short('t') | Long("verbose") => options.trace = true,
            Short('x') | Long("exit") => options.exit_if_long = true,
            Short('E') => options.end = Some(args.string()?),
            Short('a') | Long("arg-file") => input = args.value()?,
            Short('o' | 'p') | Long("open-tty" | "interactive") => {
                return Err(Failure::new("there is no terminal to ask at"));
            }
            Value(word) => {
                words = args.rest(Some(word))?;
                break;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if words.is_empty() {
        words.push("echo".into());
    }
    let mut bytes = Vec::new();
    open(&input)
        .context(input.display())?
        .read_to_end(&mut bytes)
        .context(input.display())?;
    let lines = options.read(&bytes)?;
    let mut runner = Runner {
        options: &options,
        running: Vec::new(),
        code: 0,
        from_file: input != "-",
    };
    let stop = runner.all(&words, lines);
    while !runner.running.is_empty() {
        runner.reap()?;
    }
    stop?;
    Ok(runner.code)
}

fn count(text: &str) -> Result<usize, Failure> {
    let parsed = text.parse().ok().filter(|&count| count > 0);
    parsed.ok_or_else(|| Failure::new(format!("invalid number '{text}'")))
}

impl Options {
    /// The words of each line.
    fn read(&self, bytes: &[u8]) -> Result<Vec<Vec<OsString>>, Failure> {
        let mut lines: Vec<Vec<OsString>> = match self.separator {
            Separator::Byte(byte) => {
                let mut words: Vec<&[u8]> = bytes.split(|&other| other == byte).collect();
                if words.last().is_some_and(|word| word.is_empty()) {
                    words.pop();
                }
                words.into_iter().map(|word| vec![os(word)]).collect()
            }
            Separator::Blanks if self.replace.is_some() => bytes
                .split(|&byte| byte == b'\n')
                .map(|line| line.trim_ascii_start())
                .filter(|line| !line.is_empty())
                .map(|line| Ok(vec![os(&words(line)?.concat().join(&b' '))]))
                .collect::<Result<_, Failure>>()?,
            Separator::Blanks => words(bytes)?
                .into_iter()
                .map(|line| line.iter().map(|word| os(word)).collect())
                .collect(),
        };
        if let Some(end) = &self.end {
            let at = lines
                .iter()
                .position(|line| line.iter().any(|word| word == end.as_str()));
            if let Some(at) = at {
                lines.truncate(at + 1);
                if let Some(last) = lines.last_mut() {
                    last.truncate(
                        last.iter()
                            .position(|word| word == end.as_str())
                            .unwrap_or(last.len()),
                    );
                }
                lines.retain(|line| !line.is_empty());
            }
        }
        Ok(lines)
    }
}

fn os(bytes: &[u8]) -> OsString {
    #[cfg(unix)]
    use std::os::unix::ffi::OsStrExt as _;
    #[cfg(target_os = "wasi")]
    use std::os::wasi::ffi::OsStrExt as _;
    std::ffi::OsStr::from_bytes(bytes).to_owned()
}

/// Words by line, quotes and backslashes taken away; a blank at the end of a line continues it.
fn words(bytes: &[u8]) -> Result<Vec<Vec<Vec<u8>>>, Failure> {
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    let mut word: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = bytes.iter().copied();
    let mut previous = 0;
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\n', Some(quote)) => {
                let kind = if quote == b'"' { "double" } else { "single" };
                return Err(Failure::new(format!(
                    "unmatched {kind} quote; by default quotes are special to xargs unless you use the -0 option"
                )));
            }
            (byte, Some(open)) if byte == open => quote = None,
            (byte, Some(_)) => word.get_or_insert_default().push(byte),
            (b'\'' | b'"', None) => {
                quote = Some(byte);
                word.get_or_insert_default();
            }
            (b'\\', None) => word.get_or_insert_default().extend(bytes.next()),
            (b'\n', None) => {
                line.extend(word.take());
                if !matches!(previous, b' ' | b'\t') && !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                }
            }
            (b' ' | b'\t' | b'\r' | 0x0b | 0x0c, None) => line.extend(word.take()),
            (byte, None) => word.get_or_insert_default().push(byte),
        }
        previous = byte;
    }
    if quote.is_some() {
        return Err(Failure::new("unmatched quote"));
    }
    line.extend(word);
    if !line.is_empty() {
        lines.push(line);
    }
    Ok(lines)
}

struct Runner<'a> {
    options: &'a Options,
    running: Vec<Child>,
    code: u8,
    from_file: bool,
}

impl Runner<'_> {
    fn all(&mut self, template: &[OsString], lines: Vec<Vec<OsString>>) -> Result<(), Failure> {
        if let Some(mark) = &self.options.replace {
            for line in lines {
                let value = line
                    .first()
                    .map(|word| word.to_string_lossy().into_owned())
                    .unwrap_or_default();
                let filled = template
                    .iter()
                    .map(|word| word.to_string_lossy().replace(mark.as_str(), &value).into());
                self.start(filled.collect())?;
            }
            return Ok(());
        }
        if lines.is_empty() && !self.options.skip_empty {
            return self.start(template.to_vec());
        }
        let fixed: usize = template.iter().map(|word| word.len() + 1).sum();
        let most = self.options.most_bytes.unwrap_or(MAX_BYTES).min(MAX_BYTES);
        let (mut next, mut bytes, mut taken) = (template.to_vec(), fixed, 0);
        for line in lines {
            if self.options.most_lines.is_some_and(|most| taken >= most) {
                self.start(std::mem::replace(&mut next, template.to_vec()))?;
                (bytes, taken) = (fixed, 0);
            }
            taken += 1;
            for word in line {
                let size = word.len() + 1;
                if fixed + size > most {
                    return Err(Failure::new("argument line too long"));
                }
                let full = bytes + size > most;
                if full
                    && self.options.exit_if_long
                    && self.options.most_args.or(self.options.most_lines).is_some()
                {
                    return Err(Failure::new("argument list too long"));
                }
                if full
                    || self
                        .options
                        .most_args
                        .is_some_and(|most| next.len() - template.len() >= most)
                {
                    self.start(std::mem::replace(&mut next, template.to_vec()))?;
                    bytes = fixed;
                }
                bytes += size;
                next.push(word);
            }
        }
        if next.len() > template.len() {
            self.start(next)?;
        }
        Ok(())
    }

    fn start(&mut self, words: Vec<OsString>) -> Result<(), Failure> {
        while self.running.len() >= self.options.parallel {
            self.reap()?;
        }
        if self.options.trace {
            let line: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
            error_output(&format!("{}\n", line.join(" ")));
        }
        let mut command = command(&words)?;
        if !self.from_file {
            // The words are ours to read, not the command's.
            command.stdin(Stdio::Null);
        }
        match command.spawn() {
            Ok(child) => self.running.push(child),
            Err(error) => {
                let code = if error.kind() == std::io::ErrorKind::NotFound {
                    127
                } else {
                    126
                };
                return Err(
                    Failure::new(format!("{}: {}", words[0].display(), reason(&error)))
                        .with_code(code),
                );
            }
        }
        if self.options.parallel == 1 {
            self.reap()?;
        }
        Ok(())
    }

    /// Waits for one command to end.
    fn reap(&mut self) -> Result<(), Failure> {
        let (pid, status) = match &mut self.running[..] {
            [only] => (only.id(), only.wait().context("cannot wait")?),
            _ => process::wait(-1).context("cannot wait")?,
        };
        self.running.retain(|child| child.id() != pid);
        self.judge(status)
    }

    fn judge(&mut self, status: Status) -> Result<(), Failure> {
        match (status.code(), status.signal()) {
            (Some(0), _) => Ok(()),
            (Some(255), _) => {
                Err(Failure::new("command exited with status 255; aborting").with_code(124))
            }
            (_, Some(signal)) => {
                Err(Failure::new(format!("command terminated by signal {signal}")).with_code(125))
            }
            _ => {
                self.code = 123;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(line: &str) -> Vec<Vec<String>> {
        let lines = words(line.as_bytes()).unwrap().into_iter();
        let text = |word| String::from_utf8(word).unwrap();
        lines
            .map(|line| line.into_iter().map(text).collect())
            .collect()
    }

    #[test]
    fn quotes_and_backslashes_keep_words_together() {
        assert_eq!(
            split("a 'b c' \\  d\\ e\n\"f\"\n"),
            [vec!["a", "b c", " ", "d e"], vec!["f"]]
        );
        assert_eq!(split("a \nb\nc"), [vec!["a", "b"], vec!["c"]]);
        assert_eq!(split("''"), [[""]]);
        assert!(words(b"'a\n").is_err());
        assert!(words(b"\"a").is_err());
    }
}
