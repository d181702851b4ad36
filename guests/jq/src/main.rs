//! `jq`, on jaq.

mod options;

use std::io::{self, BufReader, Cursor, Read as _};

use jaq_all::data::{Filter, Runner, base_funs, run as run_filter};
use jaq_all::fmts::{read::json, write::Writer};
use jaq_all::jaq_core::Vars;
use jaq_all::json::Val;
use jaq_all::json::write::{Pp, Styles, write};
use jaq_all::load::FileReportsDisp;
use sandbox_applet::{Applet, Args, Context, Failure, Out, Outcome, open, warn};

use options::Options;

/// Exit codes of jq.
const USAGE: u8 = 2;
const COMPILE: u8 = 3;
const NO_OUTPUT: u8 = 4;
const ERROR: u8 = 5;

fn main() {
    sandbox_applet::main("jq", &[Applet { name: "jq", run }])
}

/// Filters JSON.
fn run(mut args: Args) -> Outcome {
    let options = Options::parse(&mut args).map_err(|failure| failure.with_code(USAGE))?;
    let names: Vec<String> = options
        .variables
        .iter()
        .map(|variable| variable.0.clone())
        .collect();
    let filter = jaq_all::compile_with(&options.filter, jaq_all::defs(), base_funs(), &names)
        .map_err(|reports| {
            let shown: String = reports
                .iter()
                .map(|report| FileReportsDisp::new(report).to_string())
                .collect();
            Failure::new(format!(
                "error: the filter cannot be compiled\n{}",
                shown.trim_end()
            ))
            .with_code(COMPILE)
        })?;
    let mut session = Session {
        options: &options,
        filter: &filter,
        out: Out::new(),
        last: None,
        code: 0,
    };
    session.all()?;
    session.out.finish()?;
    Ok(match session.last {
        _ if session.code != 0 => session.code,
        Some(false) if options.exit_status => 1,
        None if options.exit_status => NO_OUTPUT,
        _ => 0,
    })
}

struct Session<'a> {
    options: &'a Options,
    filter: &'a Filter,
    out: Out,
    /// Whether the last value was neither false nor null.
    last: Option<bool>,
    code: u8,
}

enum Stop {
    Halt(i32),
    Failure(Failure),
    Input(String),
}

impl Session<'_> {
    fn all(&mut self) -> Result<(), Failure> {
        let mut content = Vec::new();
        let mut name = "<stdin>";
        for file in &self.options.files {
            name = file;
            match open(file.as_ref()).and_then(|mut input| input.read_to_end(&mut content)) {
                Ok(_) => content.push(b'\n'),
                Err(error) => {
                    warn(
                        "jq",
                        format_args!(
                            "error: Could not open {file}: {}",
                            sandbox_applet::reason(&error)
                        ),
                    );
                    self.code = USAGE;
                }
            }
        }
        let input: Box<dyn io::Read> = if self.options.files.is_empty() {
            Box::new(sandbox_applet::Input::Standard)
        } else {
            Box::new(Cursor::new(content))
        };
        self.values(input, name)
    }

    fn values(&mut self, input: Box<dyn io::Read>, name: &str) -> Result<(), Failure> {
        let options = self.options;
        let mut input = BufReader::with_capacity(64 << 10, input);
        let values: Box<dyn Iterator<Item = Result<Val, String>>> = if options.raw_input {
            let mut text = String::new();
            input.read_to_string(&mut text).context(name)?;
            if options.slurp {
                Box::new(std::iter::once(Ok(Val::from(text))))
            } else {
                let lines: Vec<String> = text.lines().map(str::to_owned).collect();
                Box::new(lines.into_iter().map(|line| Ok(Val::from(line))))
            }
        } else {
            let read = json::read_many(input).map(|value| value.map_err(|error| error.to_string()));
            if options.slurp {
                Box::new(std::iter::once(
                    read.collect::<Result<Vec<_>, _>>()
                        .map(|values| values.into_iter().collect()),
                ))
            } else {
                Box::new(read)
            }
        };
        let runner = Runner {
            null_input: options.null_input,
            color_err: false,
            writer: Writer::default(),
        };
        let variables = Vars::new(
            options
                .variables
                .iter()
                .map(|variable| variable.1.clone())
                .collect::<Vec<_>>(),
        );
        let file = Val::from(name.to_owned());
        let ended = run_filter(
            &runner,
            self.filter,
            variables,
            (&file, values),
            Stop::Input,
            |value| match value {
                Ok(value) => self.show(&value).map_err(Stop::Failure),
                Err(exception) => match exception.get_err() {
                    Ok(error) => {
                        self.out.finish().map_err(Stop::Failure)?;
                        warn("jq", format_args!("error: {error}"));
                        self.code = ERROR;
                        Ok(())
                    }
                    Err(exception) => {
                        Err(Stop::Halt(exception.get_halt().unwrap_or(i32::from(ERROR))))
                    }
                },
            },
        );
        match ended {
            Ok(()) => Ok(()),
            Err(Stop::Halt(code)) => {
                self.out.finish()?;
                std::process::exit(code)
            }
            Err(Stop::Failure(failure)) => Err(failure),
            Err(Stop::Input(message)) => {
                self.out.finish()?;
                Err(Failure::new(format!("error: {name}: {message}")).with_code(USAGE))
            }
        }
    }

    fn show(&mut self, value: &Val) -> Result<(), Failure> {
        let options = self.options;
        self.last = Some(!matches!(value, Val::Null | Val::Bool(false)));
        match value {
            Val::TStr(text) | Val::BStr(text) if options.raw_output => self.out.put(&text[..])?,
            value => {
                let pretty = Pp {
                    indent: options.indent.clone(),
                    sort_keys: options.sort_keys,
                    styles: if options.color {
                        Styles::ansi()
                    } else {
                        Styles::default()
                    },
                    sep_space: options.indent.is_some(),
                };
                write(&mut self.out, &pretty, 0, value).context("write error")?;
            }
        }
        match options.end {
            Some(end) => self.out.put(end.to_string()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(filter: &str, input: &str) -> Vec<String> {
        let filter = jaq_all::compile_with(filter, jaq_all::defs(), base_funs(), &[]).unwrap();
        let runner = Runner::default();
        let input = json::parse_many(input.as_bytes())
            .map(|value| value.map_err(|error| error.to_string()));
        let name = Val::Null;
        let mut found = Vec::new();
        run_filter(
            &runner,
            &filter,
            Vars::new([]),
            (&name, input),
            |error| error,
            |value| {
                found.push(value.map_or_else(|_| "error".to_owned(), |value| value.to_string()));
                Ok(())
            },
        )
        .unwrap();
        found
    }

    #[test]
    fn filters_select_and_build() {
        assert_eq!(outputs(".a[1]", r#"{"a":[1,2]}"#), ["2"]);
        assert_eq!(outputs("map(.x) | add", r#"[{"x":1},{"x":2}]"#), ["3"]);
        assert_eq!(
            outputs("keys, length", r#"{"b":1,"a":2}"#),
            [r#"["a","b"]"#, "2"]
        );
        assert_eq!(outputs(".[] | select(. > 1)", "[1,2,3]"), ["2", "3"]);
        assert_eq!(outputs(".a.b", r#"{"a":1}"#), ["error"]);
    }
}
