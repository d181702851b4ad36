//! `sleep`: here since it is frequent, and a process for it would cost more than it does.

use std::time::{Duration, Instant};

use sandbox_guest::{errno, poll};

use crate::ast::Bytes;
use crate::flow::Run;
use crate::shell::{Shell, describe};
use crate::text;

/// `sleep number[smhd]…`
pub(super) fn sleep(shell: &mut Shell, args: &[Bytes]) -> Run {
    if args.len() < 2 {
        return shell.refuse("sleep", "missing operand");
    }
    let mut total = Duration::ZERO;
    for arg in &args[1..] {
        match interval(arg) {
            Some(time) => total = total.saturating_add(time),
            None => {
                return shell.refuse(
                    "sleep",
                    &format!("invalid time interval '{}'", text::lossy(arg)),
                );
            }
        }
    }
    let start = Instant::now();
    loop {
        let left = total.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(0);
        }
        match poll::sleep(left) {
            // A trap runs when the command is over, as it would for a program.
            Err(error) if errno::is(&error, errno::INTR) => {}
            Err(error) => return shell.refuse("sleep", &describe(&error)),
            Ok(()) => {}
        }
    }
}

fn interval(arg: &[u8]) -> Option<Duration> {
    let text = std::str::from_utf8(arg).ok()?;
    if matches!(text, "infinity" | "inf") {
        return Some(Duration::MAX);
    }
    let (number, unit) = match text.as_bytes().last()? {
        b's' => (&text[..text.len() - 1], 1.0),
        b'm' => (&text[..text.len() - 1], 60.0),
        b'h' => (&text[..text.len() - 1], 3600.0),
        b'd' => (&text[..text.len() - 1], 86400.0),
        _ => (text, 1.0),
    };
    let seconds = number.parse::<f64>().ok()? * unit;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_units() {
        assert_eq!(interval(b"1.5"), Some(Duration::from_millis(1500)));
        assert_eq!(interval(b"2m"), Some(Duration::from_secs(120)));
        assert_eq!(interval(b"-1"), None);
        assert_eq!(interval(b"x"), None);
    }
}
