//! `touch`.

use std::fs::OpenOptions;
use std::io;

use sandbox_applet::{
    Args, Context, Failure, Long, Outcome, Short, Value, cwd, reason, text, warn,
};
use sandbox_guest::files;

use sandbox_applet::time::Civil;

/// Makes files, or sets their times.
pub fn run(mut args: Args) -> Outcome {
    let (mut create, mut follow, mut time) = (true, true, None);
    let mut operands = Vec::new();
    while let Some(arg) = args.next()? {
        match arg {
            Short('c') | Long("no-create") => create = false,
            Short('h') | Long("no-dereference") => (follow, create) = (false, false),
            Short('r') | Long("reference") => {
                let path = args.string()?;
                let stat = files::stat(&cwd(), &path, true)
                    .context(format_args!("failed to get attributes of '{path}'"))?;
                time = Some(stat.mtime_ns);
            }
            Short('t') => {
                let value = args.string()?;
                time = Some(
                    stamp(&value)
                        .ok_or_else(|| Failure::new(format!("invalid date format '{value}'")))?,
                );
            }
            Short('d') | Long("date") => {
                let value = args.string()?;
                time = Some(
                    date(&value)
                        .ok_or_else(|| Failure::new(format!("invalid date format '{value}'")))?,
                );
            }
            // Access times are not kept: both are the time of the content.
            Short('a' | 'm' | 'f') => {}
            Long("time") => {
                args.value()?;
            }
            Value(value) => operands.push(value),
            other => return Err(other.unexpected().into()),
        }
    }
    if operands.is_empty() {
        return Err(Failure::new("missing file operand"));
    }
    let mut failed = 0;
    for operand in &operands {
        let path = text(operand)?;
        let exists = files::stat(&cwd(), path, follow).is_ok();
        let result = if exists {
            set(path, time, follow)
        } else if create {
            let made = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .open(path);
            made.and_then(|_| {
                if time.is_some() {
                    set(path, time, follow)
                } else {
                    Ok(())
                }
            })
        } else {
            Ok(())
        };
        if let Err(error) = result {
            warn(
                args.name(),
                format_args!("cannot touch '{path}': {}", reason(&error)),
            );
            failed = 1;
        }
    }
    Ok(failed)
}

/// Sets the times of `path`, through links, to `ns` since 1970, or to now.
pub fn set_times(path: &str, ns: Option<u64>) -> io::Result<()> {
    set(path, ns, true)
}

fn set(path: &str, ns: Option<u64>, follow: bool) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
    let time = match ns {
        None => Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_NOW,
        },
        Some(ns) => Timespec {
            tv_sec: (ns / 1_000_000_000).cast_signed(),
            tv_nsec: (ns % 1_000_000_000) as _,
        },
    };
    let flags = if follow {
        AtFlags::empty()
    } else {
        AtFlags::SYMLINK_NOFOLLOW
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    utimensat(CWD, path, &times, flags)?;
    Ok(())
}

/// `[[CC]YY]MMDDhhmm[.ss]`
fn stamp(text: &str) -> Option<u64> {
    let (digits, second) = match text.split_once('.') {
        Some((digits, second)) => (digits, second.parse().ok().filter(|second| *second <= 60)?),
        None => (text, 0),
    };
    if !digits.is_ascii() {
        return None;
    }
    let two = |from: usize| digits.get(from..from + 2)?.parse::<i64>().ok();
    let now = Civil::new(u64::try_from(sandbox_applet::time::now()).ok()? * 1_000_000_000);
    let (year, at) = match digits.len() {
        8 => (now.year, 0),
        10 => (
            two(0).map(|year| if year < 69 { 2000 + year } else { 1900 + year })?,
            2,
        ),
        12 => (two(0)? * 100 + two(2)?, 4),
        _ => return None,
    };
    ns(Civil {
        year,
        month: two(at)?,
        day: two(at + 2)?,
        hour: two(at + 4)?,
        minute: two(at + 6)?,
        second,
        nanosecond: 0,
    })
}

/// `@seconds`, `now`, or `2026-01-31[ 12:00[:30]][Z]` with `T` or a space.
pub fn date(text: &str) -> Option<u64> {
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse::<u64>().ok()?.checked_mul(1_000_000_000);
    }
    if text == "now" {
        return u64::try_from(sandbox_applet::time::now())
            .ok()?
            .checked_mul(1_000_000_000);
    }
    let text = text
        .trim_end_matches('Z')
        .trim_end_matches(" UTC")
        .trim_end_matches("+00:00");
    let (day, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let mut parts = day.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = whole.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    let nanosecond = match fraction {
        "" => 0,
        _ if fraction.len() <= 9 => format!("{fraction:0<9}").parse().ok()?,
        _ => return None,
    };
    ns(Civil {
        year,
        month,
        day,
        hour,
        minute,
        second,
        nanosecond,
    })
}

fn ns(civil: Civil) -> Option<u64> {
    let valid = (1..=12).contains(&civil.month)
        && (1..=31).contains(&civil.day)
        && (0..24).contains(&civil.hour)
        && (0..60).contains(&civil.minute)
        && (0..=60).contains(&civil.second)
        && (1970..2500).contains(&civil.year);
    if !valid {
        return None;
    }
    let seconds = u64::try_from(civil.seconds()).ok()?;
    Some(seconds * 1_000_000_000 + u64::from(civil.nanosecond))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_of_touch() {
        let expected = Some(1_709_210_096_000_000_000);
        assert_eq!(stamp("202402291234.56"), expected);
        assert_eq!(stamp("2402291234.56"), expected);
        assert_eq!(date("2024-02-29 12:34:56"), expected);
        assert_eq!(date("2024-02-29T12:34:56Z"), expected);
        assert_eq!(date("@1709210096"), expected);
        assert_eq!(date("1970-01-01 00:00:00.5"), Some(500_000_000));
        for bad in ["", "202413291234", "20240229123", "x", "2024022912é4"] {
            assert_eq!(stamp(bad), None, "{bad}");
        }
        for bad in ["", "tomorrow", "2024-13-01", "2024-01-01 25:00", "@x"] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }
}
