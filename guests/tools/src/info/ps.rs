//! `ps`, `pgrep`, `pkill`, `pidof`.

use sandbox_applet::{Args, Failure, Long, Out, Outcome, Short, Value, text};
use sandbox_guest::system::{self, Process};
use sandbox_guest::{process, signal};

fn processes() -> Result<Vec<Process>, Failure> {
    system::processes().map_err(|error| Failure::io("cannot read processes", &error))
}

/// The base name of the program.
fn name(process: &Process) -> &str {
    let program = process.command.split(' ').next().unwrap_or_default();
    program.rsplit('/').next().unwrap_or_default()
}

/// Columns by name, their titles and values.
fn column(key: &str, process: &Process) -> Option<(&'static str, String)> {
    let seconds = process.cpu_ms / 1000;
    let time = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    Some(match key {
        "pid" => ("PID", process.pid.to_string()),
        "ppid" => ("PPID", process.parent.to_string()),
        "pgid" | "pgrp" => ("PGID", process.group.to_string()),
        "sid" | "sess" => ("SID", process.session.to_string()),
        "stat" | "state" | "s" => ("STAT", process.state.to_string()),
        "tty" | "tt" => ("TTY", "?".to_owned()),
        "time" | "cputime" => ("TIME", time),
        "rss" => ("RSS", (process.memory / 1024).to_string()),
        "vsz" => ("VSZ", (process.memory / 1024).to_string()),
        "comm" | "ucmd" => ("COMMAND", name(process).to_owned()),
        "args" | "cmd" | "command" => ("COMMAND", process.command.clone()),
        "user" | "uid" => ("UID", system::user().0.to_string()),
        _ => return None,
    })
}

/// `ps`
pub fn ps(mut args: Args) -> Outcome {
    let mut keys: Vec<String> = Vec::new();
    let mut only = None;
    let mut titles = true;
    while let Some(arg) = args.next()? {
        match arg {
            Short('o') | Long("format") => {
                for key in args.string()?.split([',', ' ']) {
                    titles &= !key.ends_with('=');
                    keys.push(key.trim_end_matches('=').to_owned());
                }
            }
            Short('p') | Long("pid") => {
                let value = args.string()?;
                let pids: Result<Vec<i32>, _> = value.split([',', ' ']).map(str::parse).collect();
                only = Some(
                    pids.map_err(|_| Failure::new(format!("invalid process number '{value}'")))?,
                );
            }
            // There are no terminals to choose by: all processes of the sandbox are shown always.
            Short('e' | 'A' | 'a' | 'x' | 'w') => {}
            Short('f') | Long("full") => {
                keys = ["uid", "pid", "ppid", "stat", "time", "args"]
                    .map(str::to_owned)
                    .to_vec();
            }
            Long("no-headers") => titles = false,
            Value(value) => {
                // The letters of BSD: `aux`.
                let letters = text(&value)?;
                if letters.chars().any(|letter| !"auxwefl".contains(letter)) {
                    return Err(Failure::new(format!("unknown option '{letters}'")));
                }
                if letters.contains('u') {
                    keys = ["user", "pid", "rss", "stat", "time", "args"]
                        .map(str::to_owned)
                        .to_vec();
                } else if keys.is_empty() {
                    keys = ["pid", "stat", "time", "args"].map(str::to_owned).to_vec();
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if keys.is_empty() {
        keys = ["pid", "ppid", "stat", "time", "args"]
            .map(str::to_owned)
            .to_vec();
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    for process in processes()? {
        if only
            .as_ref()
            .is_some_and(|only| !only.contains(&process.pid))
        {
            continue;
        }
        let mut row = Vec::new();
        for key in &keys {
            let (title, value) = column(key, &process).ok_or_else(|| {
                Failure::new(format!("unknown user-defined format specifier \"{key}\""))
            })?;
            row.push((title, value));
        }
        if titles && rows.is_empty() {
            rows.push(row.iter().map(|(title, _)| (*title).to_owned()).collect());
        }
        rows.push(row.into_iter().map(|(_, value)| value).collect());
    }
    print(&rows)?;
    let found = rows.len() > usize::from(titles);
    Ok(u8::from(!found))
}

fn print(rows: &[Vec<String>]) -> Result<(), Failure> {
    let mut out = Out::new();
    let count = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..count)
        .map(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let mut line = String::new();
        for (at, value) in row.iter().enumerate() {
            let width = widths[at];
            line += &match at + 1 == count {
                true => value.clone(),
                false => format!("{value:>width$} "),
            };
        }
        out.line(line)?;
    }
    out.finish()
}

/// `pgrep`, `pkill` and `pidof`
pub fn select(mut args: Args) -> Outcome {
    let called = args.name();
    let (mut full, mut exact, mut list, mut number) = (false, called == "pidof", false, None);
    let mut words = args.rest(None)?;
    if called == "pkill"
        && let Some(name) = words
            .first()
            .and_then(|word| word.to_str()?.strip_prefix('-'))
        && let Some(found) = signal::number(name)
    {
        number = Some(found);
        words.remove(0);
    }
    let mut args = Args::new(called, words);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('f') | Long("full") => full = true,
            Short('x') | Long("exact") => exact = true,
            Short('l' | 'a') | Long("list-name") => list = true,
            Long("signal") => {
                let value = args.string()?;
                number = Some(
                    signal::number(&value)
                        .ok_or_else(|| Failure::new(format!("unknown signal '{value}'")))?,
                );
            }
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    let pattern = match operands.first() {
        Some(operand) => text(operand)?,
        None => return Err(Failure::new("no matching criteria specified").with_code(2)),
    };
    let matcher = regex_lite::Regex::new(pattern)
        .map_err(|error| Failure::new(format!("{pattern}: {error}")).with_code(2))?;
    let own = process::id();
    let mut found = Vec::new();
    for process in processes()? {
        let subject = if full {
            &process.command
        } else {
            name(&process)
        };
        let hit = if exact {
            subject == pattern
        } else {
            matcher.is_match(subject)
        };
        if hit && process.pid != own && process.state != 'Z' {
            found.push(process);
        }
    }
    if called == "pkill" {
        let number = number.or_else(|| signal::number("TERM")).unwrap_or(15);
        for process in &found {
            let _ = signal::send(process.pid, number);
        }
    } else {
        let show = |process: &Process| match list {
            true => format!("{} {}", process.pid, process.command),
            false => process.pid.to_string(),
        };
        let lines: Vec<String> = found.iter().map(show).collect();
        let mut out = Out::new();
        if !lines.is_empty() {
            out.line(lines.join(if called == "pidof" { " " } else { "\n" }))?;
        }
        out.finish()?;
    }
    Ok(u8::from(found.is_empty()))
}
