//! Numbers and words for people.

use sandbox_api_types::{CommandLine, ExitStatus, Time};

/// A number of bytes in the largest unit that leaves a whole number or one decimal.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match value.fract() == 0.0 || unit == 0 {
        true => format!("{value:.0} {}", UNITS[unit]),
        false => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// Thousandths of a CPU as CPUs.
pub(super) fn cpus(milli: u64) -> String {
    format!("{}", milli as f64 / 1000.0)
}

/// A time without its milliseconds.
pub(super) fn time(time: &Time) -> String {
    let text = time.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// A command on one line.
pub(super) fn command(command: &CommandLine) -> String {
    match command {
        CommandLine::Shell(line) => line.clone(),
        CommandLine::Argv(argv) => argv.join(" "),
    }
}

/// How a process ended.
pub(super) fn exit(status: &ExitStatus) -> String {
    let why = match (status.timed_out, status.oom_killed) {
        (true, _) => " (time limit)",
        (false, true) => " (memory limit)",
        (false, false) => "",
    };
    match &status.signal {
        Some(signal) => format!("signal {signal}{why}"),
        None if status.exit_code == -1 => "lost".to_owned(),
        None => format!("{}{why}", status.exit_code),
    }
}

/// What there is, or nothing.
pub(super) fn or_none<T: ToString>(value: &Option<T>) -> String {
    value.as_ref().map(T::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_unit_that_fits() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (512 << 20, "512 MiB"),
            ((3 << 30) / 2, "1.5 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
