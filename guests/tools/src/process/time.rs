//! `time`.

use std::time::Instant;

use sandbox_applet::{Args, Failure, Long, Outcome, Short, Value, error_output};
use sandbox_guest::system;

use super::run::{command, not_started};

/// Says how long a command took, on the standard error.
pub fn run(mut args: Args) -> Outcome {
    let mut posix = false;
    let mut words = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('p') | Long("portability") => posix = true,
            Short('v') | Long("verbose") => {}
            Value(word) => {
                words = args.rest(Some(word))?;
                break;
            }
            other => return Err(other.unexpected().into()),
        }
    }
    let mut command = command(&words)?;
    let before = system::times().unwrap_or_default();
    let start = Instant::now();
    let status = command
        .status()
        .map_err(|error| not_started(&words[0], &error))?;
    let real = start.elapsed().as_secs_f64();
    let after = system::times().map_err(|error| Failure::io("cannot read times", &error))?;
    let seconds = |ns: u64| ns as f64 / 1e9;
    let user = seconds(after.child_user.saturating_sub(before.child_user));
    let sys = seconds(after.child_system.saturating_sub(before.child_system));
    error_output(&if posix {
        format!("real {real:.2}\nuser {user:.2}\nsys {sys:.2}\n")
    } else {
        format!(
            "real\t{}\nuser\t{}\nsys\t{}\n",
            minutes(real),
            minutes(user),
            minutes(sys)
        )
    });
    Ok(status.shell_code().to_le_bytes()[0])
}

/// `1m2.345s`
fn minutes(seconds: f64) -> String {
    let whole = (seconds / 60.0).floor();
    format!("{whole:.0}m{:.3}s", seconds - whole * 60.0)
}
