//! `sed`.

mod command;
mod parser;
mod run;
mod substitute;

use std::ffi::OsString;

use sandbox_applet::{Args, Context, Failure, Long, Outcome, Short, Value, open, text};

use crate::regex::Syntax;

/// What the command line asks for.
pub struct Options {
    pub quiet: bool,
    pub syntax: Syntax,
    /// `-i`: write back; with what is added to the names of old files.
    pub in_place: Option<String>,
    pub separate: bool,
    pub end: u8,
    pub unbuffered: bool,
}

/// Edits a stream.
pub fn run(mut args: Args) -> Outcome {
    let mut options = Options {
        quiet: false,
        syntax: Syntax::Basic,
        in_place: None,
        separate: false,
        end: b'\n',
        unbuffered: false,
    };
    let mut script: Option<String> = None;
    let mut add = |line: &str| {
        let script = script.get_or_insert_default();
        script.push_str(line);
        script.push('\n');
    };
    let mut operands: Vec<OsString> = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('n') | Long("quiet" | "silent") => options.quiet = true,
            Short('E' | 'r') | Long("regexp-extended") => options.syntax = Syntax::Extended,
            Short('s') | Long("separate") => options.separate = true,
            Short('z') | Long("null-data") => options.end = 0,
            Short('u') | Long("unbuffered") => options.unbuffered = true,
            Short('i') | Long("in-place") => {
                let suffix = args.optional_value();
                options.in_place = Some(
                    suffix
                        .as_deref()
                        .map(text)
                        .transpose()?
                        .unwrap_or_default()
                        .to_owned(),
                );
                options.separate = true;
            }
            Short('e') | Long("expression") => {
                let line = args.string()?;
                add(&line);
            }
            Short('f') | Long("file") => {
                let path = args.string()?;
                let mut content = String::new();
                let mut input =
                    open(path.as_ref()).context(format_args!("couldn't open file {path}"))?;
                std::io::Read::read_to_string(&mut input, &mut content).context(&path)?;
                add(content.strip_suffix('\n').unwrap_or(&content));
            }
            Short('l') | Long("line-length") => {
                args.value()?;
            }
            Long("posix" | "sandbox" | "follow-symlinks") => {}
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let script = match script {
        Some(script) => script,
        None if operands.is_empty() => return Err(Failure::new("no script specified")),
        None => text(&operands.remove(0))?.to_owned() + "\n",
    };
    let first_line = script.lines().next().unwrap_or_default();
    options.quiet |= first_line == "#n";
    let commands = parser::parse(&script, options.syntax)?;
    if operands.is_empty() {
        operands.push("-".into());
    }
    run::Editor::new(&commands, &options, operands).all()
}
