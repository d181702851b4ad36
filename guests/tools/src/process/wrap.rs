//! `nohup`, `nice`, `setsid`, `watch`.

use std::fs::OpenOptions;
use std::io;
use std::time::Duration;

use sandbox_applet::{Args, Context, Failure, Long, Out, Outcome, Short, Value, error_output};
use sandbox_guest::{Command, fd, poll, process, signal};

use super::run::{become_command, command, not_started};
use sandbox_applet::time::duration;

/// `nohup`
pub fn nohup(mut args: Args) -> Outcome {
    let words = args.rest(None)?;
    let mut command = command(&words)?;
    let hang_up = signal::number("HUP").unwrap_or(1);
    signal::set(hang_up, signal::Disposition::Ignore)
        .context("cannot ignore hang-ups")
        .map_err(|failure| failure.with_code(125))?;
    if fd::is_terminal(1) {
        let open = |path: &str| OpenOptions::new().create(true).append(true).open(path);
        let file = open("nohup.out")
            .context("nohup.out")
            .map_err(|failure| failure.with_code(125))?;
        error_output("nohup: ignoring input and appending output to 'nohup.out'\n");
        command.stdout(file);
    }
    Err(become_command(&mut command, &words))
}

/// `nice`: the kernel shares its time fairly between sandboxes; within one there are no priorities.
pub fn nice(mut args: Args) -> Outcome {
    let mut words = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('n') | Long("adjustment") => {
                let value = args.string()?;
                value.parse::<i32>().map_err(|_| {
                    Failure::new(format!("invalid adjustment '{value}'")).with_code(125)
                })?;
            }
            Value(word) => {
                words = args.rest(Some(word))?;
                break;
            }
            other => return Err(Failure::from(other.unexpected()).with_code(125)),
        }
    }
    if words.is_empty() {
        let mut out = Out::new();
        out.line("0")?;
        out.finish()?;
        return Ok(0);
    }
    Err(become_command(&mut command(&words)?, &words))
}

/// `setsid`
pub fn setsid(mut args: Args) -> Outcome {
    let (mut wait, mut fork) = (false, false);
    let mut words = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('w') | Long("wait") => wait = true,
            Short('f') | Long("fork") => fork = true,
            Short('c') | Long("ctty") => {}
            Value(word) => {
                words = args.rest(Some(word))?;
                break;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let mut command = command(&words).map_err(|failure| failure.with_code(1))?;
    let own = process::id();
    // Who leads a group cannot leave it: then a child does.
    let leads = process::group(own).is_ok_and(|group| group == own);
    if !leads && !fork {
        process::new_session().context("setsid failed")?;
        return Err(become_command(&mut command, &words));
    }
    let mut child = command
        .new_session(true)
        .spawn()
        .map_err(|error| not_started(&words[0], &error))?;
    if !wait {
        return Ok(0);
    }
    let status = child.wait().context("cannot wait")?;
    Ok(status.shell_code().to_le_bytes()[0])
}

/// `watch`
pub fn watch(mut args: Args) -> Outcome {
    let mut pause = Duration::from_secs(2);
    let (mut title, mut exec, mut stop_on_error) = (true, false, false);
    let mut words = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('n') | Long("interval") => {
                let value = args.string()?;
                pause = duration(&value)
                    .ok()
                    .flatten()
                    .ok_or_else(|| Failure::new(format!("invalid interval '{value}'")))?;
            }
            Short('t') | Long("no-title") => title = false,
            Short('x') | Long("exec") => exec = true,
            Short('e') | Long("errexit") => stop_on_error = true,
            Short('d' | 'c' | 'b') | Long("differences" | "color" | "beep") => {}
            Value(word) => {
                words = args.rest(Some(word))?;
                break;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if words.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    let line = words
        .iter()
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ");
    loop {
        let mut out = Out::new();
        out.put("\x1b[H\x1b[2J")?;
        if title {
            out.put(format!("Every {:.1}s: {line}\n\n", pause.as_secs_f64()))?;
        }
        out.finish()?;
        let mut command = if exec {
            command(&words)?
        } else {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(&line);
            shell
        };
        let status = command
            .status()
            .map_err(|error| not_started(&words[0], &error))?;
        if stop_on_error && !status.success() {
            return Ok(status.shell_code().to_le_bytes()[0]);
        }
        match poll::sleep(pause) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(Failure::io("cannot sleep", &error));
            }
            _ => {}
        }
    }
}
