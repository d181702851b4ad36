use sandbox_applet::{Args, Context, Failure, Long, Short, Value, open, text};

use crate::codec::Codec;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Task {
    Create,
    List,
    Extract,
    Append,
}

/// What the command line asks for.
pub struct Options {
    pub task: Task,
    /// `-`: standard input or output.
    pub file: String,
    pub codec: Option<Codec>,
    pub directory: Option<String>,
    pub verbose: bool,
    pub to_output: bool,
    pub keep_old: bool,
    pub keep_mode: bool,
    pub keep_time: bool,
    pub dereference: bool,
    pub recursive: bool,
    pub absolute: bool,
    pub strip: usize,
    pub exclude: Vec<String>,
    pub operands: Vec<String>,
}

impl Options {
    /// Options and files. The first word may be letters without `-`, as `xzf`.
    pub fn parse(args: &mut Args) -> Result<Self, Failure> {
        let name = args.name();
        let mut words = args.rest(None)?;
        if let Some(first) = words.first().and_then(|word| word.to_str())
            && !first.starts_with('-')
        {
            let spread = old_style(first, &words[1..])?;
            words = spread.into_iter().map(Into::into).collect();
        }
        let mut args = Args::new(name, words);
        let mut task = None;
        let mut options = Self {
            task: Task::List,
            file: "-".to_owned(),
            codec: None,
            directory: None,
            verbose: false,
            to_output: false,
            keep_old: false,
            keep_mode: sandbox_guest::system::user().0 == 0,
            keep_time: true,
            dereference: false,
            recursive: true,
            absolute: false,
            strip: 0,
            exclude: Vec::new(),
            operands: Vec::new(),
        };
        let mut by_name = false;
        while let Some(arg) = args.next()? {
            match arg {
                Short('c') | Long("create") => task = Some(Task::Create),
                Short('t') | Long("list") => task = Some(Task::List),
                Short('x') | Long("extract" | "get") => task = Some(Task::Extract),
                Short('r' | 'u') | Long("append" | "update") => task = Some(Task::Append),
                Short('f') | Long("file") => options.file = args.string()?,
                Short('C') | Long("directory") => options.directory = Some(args.string()?),
                Short('z') | Long("gzip" | "gunzip") => options.codec = Some(Codec::Gzip),
                Short('j') | Long("bzip2") => options.codec = Some(Codec::Bzip2),
                Short('J') | Long("xz") => options.codec = Some(Codec::Xz),
                Short('a') | Long("auto-compress") => by_name = true,
                Short('v') | Long("verbose") => options.verbose = true,
                Short('O') | Long("to-stdout") => options.to_output = true,
                Short('k') | Long("keep-old-files") => options.keep_old = true,
                Short('p') | Long("preserve-permissions" | "same-permissions") => {
                    options.keep_mode = true
                }
                Long("no-same-permissions") => options.keep_mode = false,
                Short('m') | Long("touch") => options.keep_time = false,
                Short('h') | Long("dereference") => options.dereference = true,
                Long("no-recursion") => options.recursive = false,
                Short('P') | Long("absolute-names") => options.absolute = true,
                Long("strip-components") => {
                    let value = args.string()?;
                    options.strip = value.parse().map_err(|_| {
                        Failure::new(format!("{value}: Invalid number of elements"))
                    })?;
                }
                Long("exclude") => options.exclude.push(args.string()?),
                Short('X') | Long("exclude-from") => {
                    options.exclude.extend(lines(&args.string()?)?)
                }
                Short('T') | Long("files-from") => options.operands.extend(lines(&args.string()?)?),
                Short('b' | 'H')
                | Long(
                    "format" | "owner" | "group" | "mode" | "mtime" | "sort" | "blocking-factor",
                ) => {
                    args.value()?;
                }
                Short('B' | 'o' | 's' | 'S' | 'l' | 'w')
                | Long(
                    "same-owner" | "no-same-owner" | "numeric-owner" | "overwrite" | "sparse"
                    | "posix" | "warning",
                ) => {
                    args.optional_value();
                }
                Value(value) => options.operands.push(text(&value)?.to_owned()),
                other => return Err(other.unexpected().into()),
            }
        }
        options.task =
            task.ok_or_else(|| Failure::new("You must specify one of the '-cxtr' options"))?;
        if by_name {
            options.codec = Codec::of_name(&options.file);
        }
        if options.directory.is_some() && options.file != "-" && !options.file.starts_with('/') {
            // The archive's own name is from where we are now.
            options.file = sandbox_applet::join(&sandbox_applet::cwd(), &options.file);
        }
        Ok(options)
    }

    /// Whether `name` is left out.
    pub fn excluded(&self, name: &str) -> bool {
        let matches =
            |pattern: &str, text: &str| sandbox_applet::glob::matches(pattern, text, false);
        self.exclude.iter().any(|pattern| {
            let pattern = pattern.trim_end_matches('/');
            // A pattern may begin at any part of the name.
            let starts = name.match_indices('/').map(|(at, _)| &name[at + 1..]);
            std::iter::once(name).chain(starts).any(|part| {
                matches(pattern, part)
                    || part
                        .match_indices('/')
                        .any(|(end, _)| matches(pattern, &part[..end]))
            })
        })
    }
}

fn lines(path: &str) -> Result<Vec<String>, Failure> {
    let mut content = String::new();
    std::io::Read::read_to_string(&mut open(path.as_ref()).context(path)?, &mut content)
        .context(path)?;
    Ok(content.lines().map(str::to_owned).collect())
}

/// `cvf archive.tar …`: letters, and then the values of those that have one.
fn old_style(letters: &str, rest: &[std::ffi::OsString]) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    let mut rest = rest.iter();
    for letter in letters.chars() {
        words.push(format!("-{letter}"));
        if "fCXTbH".contains(letter) {
            let value = rest
                .next()
                .ok_or_else(|| Failure::new(format!("option '{letter}' needs a value")))?;
            words.push(text(value)?.to_owned());
        }
    }
    for word in rest {
        words.push(text(word)?.to_owned());
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_without_a_dash_take_their_values_in_order() {
        let words = old_style("xzfC", &["a.tgz".into(), "dir".into(), "member".into()]).unwrap();
        assert_eq!(words, ["-x", "-z", "-f", "a.tgz", "-C", "dir", "member"]);
        assert!(old_style("cf", &[]).is_err());
    }
}
