//! `env`.

use std::env;
use std::ffi::OsString;

use sandbox_applet::{Args, Context, Failure, Long, Out, Outcome, Short, Value, text};

use super::run::{become_command, command};

/// Runs a program with other variables, or shows them.
pub fn run(mut args: Args) -> Outcome {
    let (mut clear, mut removed, mut end, mut dir) = (false, Vec::new(), "\n", None);
    let mut words = Vec::new();
    while let Some(arg) = args.next().map_err(usage)? {
        match arg {
            Short('i') | Long("ignore-environment") => clear = true,
            Short('u') | Long("unset") => removed.push(args.value().map_err(usage)?),
            Short('0') | Long("null") => end = "\0",
            Short('C') | Long("chdir") => dir = Some(args.string()?),
            Short('S') | Long("split-string") => {
                let line = args.string()?;
                words = args.rest(None)?;
                words.splice(0..0, split(&line)?);
                break;
            }
            Short('v') | Long("debug") => {}
            Value(word) if word == "-" => clear = true,
            Value(word) => {
                words = args.rest(Some(word))?;
                break;
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    let mut vars: Vec<(OsString, OsString)> = if clear {
        Vec::new()
    } else {
        env::vars_os().collect()
    };
    vars.retain(|(name, _)| !removed.contains(name));
    let assigned = words
        .iter()
        .take_while(|word| word.to_str().is_some_and(is_assignment))
        .count();
    for word in words.drain(..assigned) {
        let (name, value) = text(&word)?.split_once('=').unwrap_or_default();
        vars.retain(|(known, _)| known != name);
        vars.push((name.into(), value.into()));
    }
    if words.is_empty() {
        let mut out = Out::new();
        for (name, value) in &vars {
            out.put(
                [
                    name.as_encoded_bytes(),
                    b"=",
                    value.as_encoded_bytes(),
                    end.as_bytes(),
                ]
                .concat(),
            )?;
        }
        out.finish()?;
        return Ok(0);
    }
    let mut command = command(&words)?;
    command.env_clear();
    for (name, value) in vars {
        command.env(name, value);
    }
    if let Some(dir) = dir {
        let whole = std::fs::canonicalize(&dir)
            .context(format_args!("cannot change directory to '{dir}'"))
            .map_err(|failure| failure.with_code(125))?;
        command.env("PWD", &whole);
        command.current_dir(whole.to_string_lossy());
    }
    Err(become_command(&mut command, &words))
}

fn usage(error: impl Into<Failure>) -> Failure {
    error.into().with_code(125)
}

fn is_assignment(word: &str) -> bool {
    word.find('=').is_some_and(|at| at > 0)
}

/// Splits the one argument of a `#!` line, with quotes and backslashes.
fn split(line: &str) -> Result<Vec<OsString>, Failure> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, Some(open)) if letter == open => quote = None,
            ('\\', None | Some('"')) => {
                let next = letters.next().ok_or_else(|| {
                    Failure::new("invalid backslash at end of string in -S").with_code(125)
                })?;
                word.get_or_insert_default().push(match next {
                    'n' => '\n',
                    't' => '\t',
                    '_' => ' ',
                    other => other,
                });
            }
            (letter, None) if letter.is_ascii_whitespace() => {
                words.extend(word.take().map(OsString::from))
            }
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(Failure::new("no terminating quote in -S string").with_code(125));
    }
    words.extend(word.map(OsString::from));
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_argument_is_split_into_words() {
        let words = split(r#"a  'b c' "d \"e" f\_g ''"#).unwrap();
        assert_eq!(words, ["a", "b c", "d \"e", "f g", ""]);
        assert!(split("'a").is_err());
        assert!(split("a\\").is_err());
    }
}
