//! `getopts`.

use crate::ast::Bytes;
use crate::flow::{Run, USAGE};
use crate::shell::Shell;
use crate::text;

pub(super) fn getopts(shell: &mut Shell, args: &[Bytes]) -> Run {
    let [_, known, name, given @ ..] = args else {
        shell.complain("getopts: Usage: getopts optstring var [arg]");
        return Ok(USAGE);
    };
    let operands = if given.is_empty() {
        shell.args.to_vec()
    } else {
        given.to_vec()
    };
    let index = shell
        .get(b"OPTIND")
        .and_then(|text| text::parse_int(&text))
        .and_then(|index| usize::try_from(index).ok());
    let mut state = State {
        index: index.unwrap_or(1).max(1),
        offset: shell.option_offset,
    };
    let found = next(&mut state, known, &operands);
    shell.set(b"OPTIND", state.index.to_string().into_bytes())?;
    // Setting `OPTIND` forgets where in an argument one is: that is for scripts that begin anew.
    shell.option_offset = state.offset;
    let quiet = known.starts_with(b":");
    let (letter, value) = match found {
        Found::End => {
            shell.set(name, b"?".to_vec())?;
            return Ok(1);
        }
        Found::Option(letter, value) => (letter, value),
        Found::Unknown(letter) if quiet => (b'?', Some(vec![letter])),
        Found::Unknown(letter) => {
            shell.complain(&format!("Illegal option -{}", char::from(letter)));
            (b'?', None)
        }
        Found::Missing(letter) if quiet => (b':', Some(vec![letter])),
        Found::Missing(letter) => {
            shell.complain(&format!("No arg for -{} option", char::from(letter)));
            (b'?', None)
        }
    };
    shell.set(name, vec![letter])?;
    match value {
        Some(value) => shell.set(b"OPTARG", value)?,
        None => {
            std::rc::Rc::make_mut(&mut shell.vars)
                .0
                .remove(&b"OPTARG"[..]);
        }
    }
    Ok(0)
}

/// Which argument comes next, and where in it one is (0: at its beginning).
#[derive(Debug, PartialEq, Eq)]
struct State {
    index: usize,
    offset: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Option(u8, Option<Bytes>),
    Unknown(u8),
    /// An option without the value that it needs.
    Missing(u8),
    End,
}

fn next(state: &mut State, known: &[u8], operands: &[Bytes]) -> Found {
    let Some(word) = operands.get(state.index - 1) else {
        return end(state);
    };
    if state.offset == 0 || state.offset >= word.len() {
        if word == b"--" {
            state.index += 1;
            return end(state);
        }
        if word.len() < 2 || word[0] != b'-' {
            return end(state);
        }
        state.offset = 1;
    }
    let letter = word[state.offset];
    state.offset += 1;
    let ended = state.offset == word.len();
    let place = known
        .iter()
        .position(|&byte| byte == letter && byte != b':');
    let takes_value = place.is_some_and(|place| known.get(place + 1) == Some(&b':'));
    if !takes_value {
        if ended {
            *state = State {
                index: state.index + 1,
                offset: 0,
            };
        }
        return if place.is_some() {
            Found::Option(letter, None)
        } else {
            Found::Unknown(letter)
        };
    }
    if !ended {
        let value = word[state.offset..].to_vec();
        *state = State {
            index: state.index + 1,
            offset: 0,
        };
        return Found::Option(letter, Some(value));
    }
    let value = operands.get(state.index).cloned();
    *state = State {
        index: state.index + 1 + usize::from(value.is_some()),
        offset: 0,
    };
    match value {
        Some(value) => Found::Option(letter, Some(value)),
        None => Found::Missing(letter),
    }
}

fn end(state: &mut State) -> Found {
    state.offset = 0;
    Found::End
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_in_bundles_and_with_values() {
        let operands: Vec<Bytes> = ["-ab", "-cvalue", "-c", "x", "-z", "--", "-a"]
            .iter()
            .map(|word| word.as_bytes().to_vec())
            .collect();
        let mut state = State {
            index: 1,
            offset: 0,
        };
        let mut step = || next(&mut state, b"abc:", &operands);
        assert_eq!(step(), Found::Option(b'a', None));
        assert_eq!(step(), Found::Option(b'b', None));
        assert_eq!(step(), Found::Option(b'c', Some(b"value".to_vec())));
        assert_eq!(step(), Found::Option(b'c', Some(b"x".to_vec())));
        assert_eq!(step(), Found::Unknown(b'z'));
        assert_eq!(step(), Found::End);
        assert_eq!(state.index, 7);
        let mut state = State {
            index: 1,
            offset: 0,
        };
        assert_eq!(
            next(&mut state, b"c:", &[b"-c".to_vec()]),
            Found::Missing(b'c')
        );
    }
}
