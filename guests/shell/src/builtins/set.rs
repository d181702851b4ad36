//! `set` and `shift`.

use std::rc::Rc;

use crate::ast::Bytes;
use crate::flow::Run;
use crate::shell::Shell;
use crate::text;

pub(super) fn set(shell: &mut Shell, args: &[Bytes]) -> Run {
    if args.len() == 1 {
        return print_variables(shell);
    }
    let mut words = args[1..].iter();
    while let Some(word) = words.as_slice().first() {
        let (on, letters) = match word.as_slice() {
            b"--" => {
                words.next();
                shell.args = Rc::new(words.cloned().collect());
                return Ok(0);
            }
            b"-" => {
                words.next();
                shell.options.set_letter(b'x', false);
                shell.options.set_letter(b'v', false);
                break;
            }
            [b'-', letters @ ..] => (true, letters),
            [b'+', letters @ ..] => (false, letters),
            _ => break,
        };
        words.next();
        for &letter in letters {
            if letter == b'o' {
                match words.next() {
                    Some(name) => set_name(shell, name, on)?,
                    None => return print_options(shell, on),
                }
            } else if !shell.options.set_letter(letter, on) {
                return shell.fail(&format!(
                    "set: Illegal option {}{}",
                    if on { '-' } else { '+' },
                    char::from(letter)
                ));
            }
        }
    }
    if !words.as_slice().is_empty() {
        shell.args = Rc::new(words.cloned().collect());
    }
    Ok(0)
}

/// `set -o name`
pub fn set_name(shell: &mut Shell, name: &[u8], on: bool) -> Run<()> {
    if shell.options.set_name(name, on) {
        return Ok(());
    }
    shell.fail(&format!("set: Illegal option -o {}", text::lossy(name)))
}

fn print_options(shell: &mut Shell, readable: bool) -> Run {
    let mut out = String::from(if readable {
        "Current option settings\n"
    } else {
        ""
    });
    for (_, name, on) in shell.options.iter() {
        let line = match readable {
            true => format!("{name:<16}{}\n", if on { "on" } else { "off" }),
            false => format!("set {}o {name}\n", if on { '-' } else { '+' }),
        };
        out.push_str(&line);
    }
    shell.print("set", out.as_bytes())
}

fn print_variables(shell: &mut Shell) -> Run {
    let mut out = Bytes::new();
    for (name, var) in &shell.vars.0 {
        if let Some(value) = var.text() {
            out.extend_from_slice(name);
            out.push(b'=');
            out.extend(text::quoted(value));
            out.push(b'\n');
        }
    }
    shell.print("set", &out)
}

pub(super) fn shift(shell: &mut Shell, args: &[Bytes]) -> Run {
    let count = match args.get(1) {
        None => Some(1),
        Some(arg) => text::parse_int(arg).and_then(|count| usize::try_from(count).ok()),
    };
    match count {
        Some(count) if count <= shell.args.len() => {
            Rc::make_mut(&mut shell.args).drain(..count);
            Ok(0)
        }
        Some(_) if shell.bash => Ok(1),
        Some(_) => shell.fail("shift: can't shift that many"),
        None => shell.fail(&format!("shift: Illegal number: {}", text::lossy(&args[1]))),
    }
}
