//! What names mean: `alias`, `type`, `command`, `hash`, `builtin`.

use crate::ast::Bytes;
use crate::exec::Found;
use crate::flow::{Flow, NOT_FOUND, Run, USAGE};
use crate::shell::Shell;
use crate::text;

const RESERVED: [&[u8]; 18] = [
    b"!",
    b"{",
    b"}",
    b"case",
    b"do",
    b"done",
    b"elif",
    b"else",
    b"esac",
    b"fi",
    b"for",
    b"if",
    b"in",
    b"then",
    b"until",
    b"while",
    b"[[",
    b"function",
];

/// Where commands are sought by `command -p`.
const STANDARD_PATH: &[u8] = b"/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

pub(super) fn alias(shell: &mut Shell, args: &[Bytes]) -> Run {
    let words = if args.get(1).is_some_and(|arg| arg == b"--" || arg == b"-p") {
        &args[2..]
    } else {
        &args[1..]
    };
    let mut out = Bytes::new();
    let mut status = 0;
    let line = |name: &[u8], value: &[u8]| [name, b"=", &text::quoted(value), b"\n"].concat();
    if words.is_empty() {
        for (name, value) in shell.aliases.borrow().iter() {
            out.extend(line(name, value));
        }
    }
    for word in words {
        match word
            .iter()
            .position(|&byte| byte == b'=')
            .filter(|&at| at > 0)
        {
            Some(at) => {
                shell
                    .aliases
                    .borrow_mut()
                    .insert(word[..at].to_vec(), word[at + 1..].to_vec());
            }
            None => match shell.aliases.borrow().get(word) {
                Some(value) => out.extend(line(word, value)),
                None => {
                    shell.complain(&format!("alias: {} not found", text::lossy(word)));
                    status = 1;
                }
            },
        }
    }
    let printed = shell.print("alias", &out)?;
    Ok(status.max(printed))
}

pub(super) fn unalias(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((flags, names)) = super::options(shell, args, "a") else {
        return Ok(USAGE);
    };
    if !flags.is_empty() {
        shell.aliases.borrow_mut().clear();
    }
    let mut status = 0;
    for name in names {
        if shell.aliases.borrow_mut().remove(name).is_none() {
            status = shell.refuse("unalias", &format!("{} not found", text::lossy(name)))?;
        }
    }
    Ok(status)
}

/// What is said of `name`: shortly (as `command -v`), or in words.
fn describe(shell: &Shell, name: &[u8], short: bool) -> Option<Bytes> {
    let say = |words: &[u8]| {
        if short {
            name.to_vec()
        } else {
            [name, words].concat()
        }
    };
    if let Some(value) = shell.aliases.borrow().get(name) {
        return Some(match short {
            true => [b"alias ", name, b"=", &text::quoted(value)].concat(),
            false => [name, b" is an alias for ", value].concat(),
        });
    }
    if RESERVED.contains(&name) {
        return Some(say(b" is a shell keyword"));
    }
    match shell.find(name) {
        Found::Special(_) => return Some(say(b" is a special shell builtin")),
        Found::Function(_) => return Some(say(b" is a shell function")),
        Found::Regular(_) => return Some(say(b" is a shell builtin")),
        Found::External => {}
    }
    let path = shell.locate(name).ok()?;
    if name.contains(&b'/')
        && sandbox_guest::files::access(
            &shell.cwd,
            &path,
            sandbox_guest::files::permission::EXECUTE,
        )
        .is_err()
    {
        return None;
    }
    Some(match short {
        true => path.into_bytes(),
        false => [name, b" is ", path.as_bytes()].concat(),
    })
}

/// The one word of `type -t`.
fn class(shell: &Shell, name: &[u8]) -> Option<&'static [u8]> {
    if shell.aliases.borrow().contains_key(name) {
        return Some(b"alias");
    }
    if RESERVED.contains(&name) {
        return Some(b"keyword");
    }
    match shell.find(name) {
        Found::Special(_) | Found::Regular(_) => Some(b"builtin"),
        Found::Function(_) => Some(b"function"),
        Found::External => shell.locate(name).ok().map(|_| &b"file"[..]),
    }
}

pub(super) fn kind(shell: &mut Shell, args: &[Bytes]) -> Run {
    let known = if shell.bash { "tpPaf" } else { "" };
    let Some((flags, names)) = super::options(shell, args, known) else {
        return Ok(USAGE);
    };
    let has = |wanted: u8| flags.iter().any(|&(letter, _)| letter == wanted);
    let mut out = Bytes::new();
    let mut status = 0;
    for name in names {
        let said = if has(b't') {
            class(shell, name).map(<[u8]>::to_vec)
        } else if has(b'p') || has(b'P') {
            shell.locate(name).ok().map(String::into_bytes)
        } else {
            describe(shell, name, false)
        };
        match said {
            Some(line) => {
                out.extend(line);
                out.push(b'\n');
            }
            None => {
                status = if shell.bash { 1 } else { NOT_FOUND };
                if flags.is_empty() {
                    shell.complain(&format!("{}: not found", text::lossy(name)));
                }
            }
        }
    }
    let printed = shell.print("type", &out)?;
    Ok(status.max(printed))
}

pub(super) fn command(shell: &mut Shell, args: &[Bytes]) -> Run {
    let mut words = &args[1..];
    let (mut short, mut long, mut standard) = (false, false, false);
    while let Some([b'-', letters @ ..]) = words.first().map(Vec::as_slice) {
        if letters.is_empty()
            || !letters
                .iter()
                .all(|letter| matches!(letter, b'v' | b'V' | b'p' | b'-'))
        {
            break;
        }
        short |= letters.contains(&b'v');
        long |= letters.contains(&b'V');
        standard |= letters.contains(&b'p');
        let ended = letters == b"-";
        words = &words[1..];
        if ended {
            break;
        }
    }
    if short || long {
        return look_up(shell, words, short);
    }
    let Some(name) = words.first() else {
        return Ok(0);
    };
    let saved = shell.vars.clone();
    if standard {
        shell.set(b"PATH", STANDARD_PATH.to_vec())?;
    }
    let result = match super::find(name) {
        // An error of a special builtin ends the shell, but not this way.
        Some((special, builtin)) => match builtin(shell, words) {
            Err(Flow::Error(status)) if special => Ok(status),
            other => other,
        },
        None => shell.run_program(words),
    };
    if standard {
        shell.vars = saved;
    }
    result
}

fn look_up(shell: &mut Shell, names: &[Bytes], short: bool) -> Run {
    let mut out = Bytes::new();
    let mut status = 0;
    for name in names {
        match describe(shell, name, short) {
            Some(line) => {
                out.extend(line);
                out.push(b'\n');
            }
            None => {
                status = if shell.bash { 1 } else { NOT_FOUND };
                if !short {
                    shell.complain(&format!("{}: not found", text::lossy(name)));
                }
            }
        }
    }
    let printed = shell.print("command", &out)?;
    Ok(status.max(printed))
}

pub(super) fn builtin(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some(name) = args.get(1) else {
        return Ok(0);
    };
    match super::find(name) {
        Some((_, builtin)) => builtin(shell, &args[1..]),
        None => shell.refuse(
            "builtin",
            &format!("{}: not a shell builtin", text::lossy(name)),
        ),
    }
}

/// Places of commands are not remembered: there is nothing to list or to forget.
pub(super) fn hash(shell: &mut Shell, args: &[Bytes]) -> Run {
    let Some((_, names)) = super::options(shell, args, "r") else {
        return Ok(USAGE);
    };
    let mut status = 0;
    for name in names {
        if matches!(shell.find(name), Found::External) && shell.locate(name).is_err() {
            status = shell.refuse("hash", &format!("{}: not found", text::lossy(name)))?;
        }
    }
    Ok(status)
}
