//! `shopt`: what bash scripts turn on without much thought.

use crate::ast::Bytes;
use crate::flow::{Run, USAGE};
use crate::shell::Shell;
use crate::text;

/// Options that are accepted and change nothing here.
const WITHOUT_EFFECT: [&[u8]; 8] = [
    b"expand_aliases",
    b"checkwinsize",
    b"histappend",
    b"inherit_errexit",
    b"lastpipe",
    b"cmdhist",
    b"sourcepath",
    b"interactive_comments",
];

pub(super) fn shopt(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, names)) = super::options(shell, args, "suqop") else {
        return Ok(USAGE);
    };
    let has = |wanted: u8| flags.iter().any(|&(letter, _)| letter == wanted);
    let mut status = 0;
    for name in names {
        if has(b'o') {
            if has(b's') || has(b'u') {
                super::set::set_name(shell, name, has(b's'))?;
            }
            continue;
        }
        let known = match name.as_slice() {
            b"nullglob" => Some(&mut shell.nullglob),
            b"dotglob" => Some(&mut shell.dotglob),
            _ => None,
        };
        match known {
            Some(option) if has(b's') => *option = true,
            Some(option) if has(b'u') => *option = false,
            Some(option) => status = i32::from(!*option),
            None if WITHOUT_EFFECT.contains(&name.as_slice()) => {}
            None => {
                status = shell.refuse(
                    "shopt",
                    &format!("{}: invalid shell option name", text::lossy(name)),
                )?
            }
        }
    }
    Ok(status)
}
