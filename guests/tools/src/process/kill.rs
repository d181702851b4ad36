//! `kill`.

use sandbox_applet::{Args, Failure, Out, Outcome, reason, text, warn};
use sandbox_guest::signal;

/// Sends signals to processes.
pub fn run(mut args: Args) -> Outcome {
    let words = args.rest(None)?;
    let mut words: Vec<&str> = words
        .iter()
        .map(|word| text(word))
        .collect::<Result<_, _>>()?;
    let unknown = |name: &str| Failure::new(format!("'{name}': invalid signal"));
    let mut number = 15;
    match words.first().copied() {
        Some("-l" | "-L" | "--list" | "--table") => return list(&words[1..]),
        Some("-s" | "--signal") => {
            let name = words
                .get(1)
                .copied()
                .ok_or_else(|| Failure::new("option '-s' needs a value"))?;
            number = signal::number(name).ok_or_else(|| unknown(name))?;
            words.drain(..2);
        }
        Some("--") => {
            words.remove(0);
        }
        Some(word) if word.len() > 1 && word.starts_with('-') => {
            let name = word
                .strip_prefix("-s")
                .filter(|rest| !rest.is_empty() && signal::number(word[1..].as_ref()).is_none());
            let name = name.unwrap_or(&word[1..]);
            number = signal::number(name).ok_or_else(|| unknown(name))?;
            words.remove(0);
        }
        _ => {}
    }
    if words.first() == Some(&"--") {
        words.remove(0);
    }
    if words.is_empty() {
        return Err(Failure::new("no process ID specified"));
    }
    let mut failed = 0;
    for word in words {
        let sent = match word.parse::<i32>() {
            Ok(pid) => signal::send(pid, number)
                .map_err(|error| format!("sending signal to {pid} failed: {}", reason(&error))),
            Err(_) => Err(format!("failed to parse argument: '{word}'")),
        };
        if let Err(message) = sent {
            warn(args.name(), message);
            failed = 1;
        }
    }
    Ok(failed)
}

/// All names, or the other form of each word; a status above 128 is a signal's.
fn list(words: &[&str]) -> Outcome {
    let mut out = Out::new();
    if words.is_empty() {
        for (name, _) in signal::NAMES {
            out.line(name)?;
        }
    }
    for word in words {
        let unknown = || Failure::new(format!("'{word}': invalid signal"));
        match word.parse::<u32>() {
            Ok(number) => {
                let number = if number > 128 { number - 128 } else { number };
                out.line(if number == 0 {
                    "EXIT"
                } else {
                    signal::name(number).ok_or_else(unknown)?
                })?;
            }
            Err(_) => out.line(signal::number(word).ok_or_else(unknown)?.to_string())?,
        }
    }
    out.finish()?;
    Ok(0)
}
