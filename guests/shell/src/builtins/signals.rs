//! `trap` and `kill`.

use sandbox_guest::signal;

use crate::ast::Bytes;
use crate::flow::{Run, USAGE};
use crate::shell::{Shell, describe};
use crate::text;

/// The signal that `name` means; 0 is the shell's end.
fn condition(name: &[u8]) -> Option<u32> {
    if name.eq_ignore_ascii_case(b"EXIT") {
        return Some(0);
    }
    signal::number(std::str::from_utf8(name).ok()?)
}

fn condition_name(number: u32) -> String {
    match number {
        0 => "EXIT".to_owned(),
        number => signal::name(number).map_or_else(|| number.to_string(), str::to_owned),
    }
}

pub(super) fn trap(shell: &mut Shell, args: &[Bytes]) -> Run {
    let words = match args.get(1).map(Vec::as_slice) {
        Some(b"-l") => return list(shell, "trap"),
        Some(b"--" | b"-p") => &args[2..],
        _ => &args[1..],
    };
    let Some((action, conditions)) = words.split_first() else {
        return show(shell);
    };
    // `trap 2` and `trap - 2` are the same.
    let lone = conditions.is_empty() || text::parse_int(action).is_some_and(|number| number >= 0);
    let (action, conditions) = if lone {
        (None, words)
    } else {
        (Some(action).filter(|action| *action != b"-"), conditions)
    };
    let mut status = 0;
    for name in conditions {
        let Some(number) = condition(name) else {
            if shell.bash {
                status = shell.refuse(
                    "trap",
                    &format!("{}: invalid signal specification", text::lossy(name)),
                )?;
                continue;
            }
            shell.complain(&format!("trap: {}: bad trap", text::lossy(name)));
            status = 1;
            continue;
        };
        if let Err(error) = shell.traps.set(number, action.cloned()) {
            // Signals that cannot be caught are accepted by other shells.
            if !matches!(number, 9 | 19) {
                status = shell.refuse(
                    "trap",
                    &format!("{}: {}", text::lossy(name), describe(&error)),
                )?;
            }
        }
    }
    Ok(status)
}

fn show(shell: &mut Shell) -> Run {
    let mut out = Bytes::new();
    for (&number, action) in &shell.traps.actions {
        out.extend_from_slice(b"trap -- ");
        out.extend(text::quoted(action));
        out.extend(format!(" {}\n", condition_name(number)).bytes());
    }
    shell.print("trap", &out)
}

fn list(shell: &mut Shell, name: &str) -> Run {
    let lines: String = signal::NAMES
        .iter()
        .map(|(name, _)| format!("{name}\n"))
        .collect();
    shell.print(name, lines.as_bytes())
}

pub(super) fn kill(shell: &mut Shell, args: &[Bytes]) -> Run {
    let mut number = 15;
    let mut words = &args[1..];
    match words.first().map(Vec::as_slice) {
        Some(b"-l" | b"-L") => return names(shell, &words[1..]),
        Some(b"-s" | b"-n") => {
            let Some(found) = words.get(1).and_then(|name| condition(name)) else {
                return usage(shell);
            };
            number = found;
            words = &words[2..];
        }
        Some([b'-', name @ ..]) if !name.is_empty() && name != b"-" => {
            let Some(found) = condition(name) else {
                shell.complain(&format!(
                    "kill: invalid signal number or name: {}",
                    text::lossy(name)
                ));
                return Ok(USAGE);
            };
            number = found;
            words = &words[1..];
        }
        _ => {}
    }
    if words.first().is_some_and(|word| word == b"--") {
        words = &words[1..];
    }
    if words.is_empty() {
        return usage(shell);
    }
    let mut status = 0;
    for word in words {
        let Some(pid) = shell.jobs.resolve(word) else {
            let what = if word.starts_with(b"%") {
                "No such job"
            } else {
                "Illegal number"
            };
            shell.complain(&format!("kill: {what}: {}", text::lossy(word)));
            return Ok(USAGE);
        };
        if let Err(error) = signal::send(pid, number) {
            shell.complain(&format!("kill: {}", describe(&error)));
            status = 1;
        }
    }
    // A signal to this very shell is met before the next command.
    shell.run_traps()?;
    Ok(status)
}

fn usage(shell: &Shell) -> Run {
    shell.complain("kill: Usage: kill [-s sigspec | -signum | -sigspec] [pid | job]... or kill -l [exitstatus]");
    Ok(USAGE)
}

fn names(shell: &mut Shell, words: &[Bytes]) -> Run {
    if words.is_empty() {
        return list(shell, "kill");
    }
    let mut out = String::new();
    for word in words {
        // A status of a command that a signal has ended is that signal's too.
        let shown = match text::parse_int(word).and_then(|number| u32::try_from(number).ok()) {
            Some(number) => signal::name(number & 0x7f).map(str::to_owned),
            None => condition(word).map(|number| number.to_string()),
        };
        match shown {
            Some(shown) => out.push_str(&format!("{shown}\n")),
            None => {
                shell.complain(&format!(
                    "kill: invalid signal number or exit status: {}",
                    text::lossy(word)
                ));
                return Ok(USAGE);
            }
        }
    }
    shell.print("kill", out.as_bytes())
}
