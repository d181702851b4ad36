//! `timeout`.

use std::io;
use std::time::{Duration, Instant};

use sandbox_applet::{Args, Context, Failure, Long, Outcome, Short, Value, error_output, text};
use sandbox_guest::{Child, Status, poll, signal};

use super::run::{command, not_started};
use sandbox_applet::time::duration;

/// What `timeout` says of a command that took too long.
const TOO_LONG: u8 = 124;

struct Limits {
    signal: u32,
    time: Option<Duration>,
    /// How long after the signal `KILL` follows.
    kill_after: Option<Duration>,
    foreground: bool,
    keep_status: bool,
    verbose: bool,
}

/// Ends a command that takes too long.
pub fn run(mut args: Args) -> Outcome {
    let mut limits = Limits {
        signal: 15,
        time: None,
        kill_after: None,
        foreground: false,
        keep_status: false,
        verbose: false,
    };
    let mut words = Vec::new();
    while let Some(arg) = args.next().map_err(usage)? {
        match arg {
            Short('s') | Long("signal") => {
                let value = args.string()?;
                limits.signal = signal::number(&value)
                    .ok_or_else(|| usage(Failure::new(format!("'{value}': invalid signal"))))?;
            }
            Short('k') | Long("kill-after") => limits.kill_after = interval(&args.string()?)?,
            Long("foreground") | Short('f') => limits.foreground = true,
            Long("preserve-status") | Short('p') => limits.keep_status = true,
            Short('v') | Long("verbose") => limits.verbose = true,
            Value(word) => {
                limits.time = interval(text(&word)?)?;
                words = args.rest(None)?;
                break;
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    let mut command = command(&words)?;
    let chld = signal::number("CHLD").unwrap_or(17);
    for number in [chld, 15, 2, 1] {
        // The end of the child, and what is sent to us, interrupt the wait for the time.
        signal::set(number, signal::Disposition::Catch)
            .context("cannot catch signals")
            .map_err(|failure| failure.with_code(125))?;
    }
    let mut child = command
        .new_group(!limits.foreground)
        .spawn()
        .map_err(|error| not_started(&words[0], &error))?;
    limits.watch(&mut child, &words[0].to_string_lossy())
}

fn usage(error: impl Into<Failure>) -> Failure {
    error.into().with_code(125)
}

/// A duration; zero and `infinity` are no limit.
fn interval(text: &str) -> Result<Option<Duration>, Failure> {
    match duration(text) {
        Ok(time) => Ok(time.filter(|time| !time.is_zero())),
        Err(()) => Err(usage(Failure::new(format!(
            "invalid time interval '{text}'"
        )))),
    }
}

impl Limits {
    fn watch(&self, child: &mut Child, name: &str) -> Outcome {
        let (status, late) = wait(child, self.time, self.foreground)?;
        if let Some(status) = status {
            return Ok(code(status));
        }
        if late {
            self.send(child, self.signal, name);
        }
        let (mut status, still) = wait(child, self.kill_after, self.foreground)?;
        let killed = status.is_none() && still;
        if killed {
            self.send(child, 9, name);
            status = wait(child, None, self.foreground)?.0;
        }
        let ended = status.map_or(137, code);
        match (killed, self.keep_status) {
            (true, _) => Ok(137),
            (false, true) => Ok(ended),
            // As elsewhere, a command that KILL itself was sent to says so.
            (false, false) if self.signal == 9 => Ok(137),
            (false, false) => Ok(TOO_LONG),
        }
    }

    fn send(&self, child: &Child, number: u32, name: &str) {
        if self.verbose {
            let shown = signal::name(number).unwrap_or("?");
            error_output(&format!(
                "timeout: sending signal {shown} to command '{name}'\n"
            ));
        }
        forward(child, number, self.foreground);
    }
}

/// Sends to the child and to all of its group.
fn forward(child: &Child, number: u32, foreground: bool) {
    let _ = child.signal(number);
    if !foreground {
        let _ = signal::send(-child.id(), number);
        // A stopped process takes no signal but this.
        let _ = signal::send(-child.id(), signal::number("CONT").unwrap_or(18));
    }
}

fn code(status: Status) -> u8 {
    status.shell_code().to_le_bytes()[0]
}

/// Waits for the child, at most `time`: its status, or whether time is up. Signals to us are passed on.
fn wait(
    child: &mut Child,
    time: Option<Duration>,
    foreground: bool,
) -> Result<(Option<Status>, bool), Failure> {
    let until = time.and_then(|time| Instant::now().checked_add(time));
    loop {
        while let Some(number) = signal::take() {
            if Some(number) != signal::number("CHLD") {
                forward(child, number, foreground);
            }
        }
        if let Some(status) = child.try_wait().context("cannot wait")? {
            return Ok((Some(status), false));
        }
        let left = match until {
            None => Duration::MAX,
            Some(until) => until.saturating_duration_since(Instant::now()),
        };
        if left.is_zero() {
            return Ok((None, true));
        }
        match poll::sleep(left) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                return Err(Failure::io("cannot sleep", &error));
            }
            _ => {}
        }
    }
}
