//! Times as `date` and `strftime` write them, in UTC.

use crate::time::Civil;

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
/// Names of months.
pub const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Day of the year from 0, and day of the week from Sunday.
fn days(civil: &Civil) -> (i64, i64) {
    let start = Civil {
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        ..*civil
    };
    let day = civil.seconds().div_euclid(86_400);
    (
        day - start.seconds().div_euclid(86_400),
        (day + 4).rem_euclid(7),
    )
}

/// Year and week of ISO 8601.
fn iso_week(civil: &Civil) -> (i64, i64) {
    let (_, weekday) = days(civil);
    let monday_based = (weekday + 6) % 7;
    // The year of a week is that of its Thursday.
    let thursday = civil.seconds() + (3 - monday_based) * 86_400;
    let thursday = Civil::new(u64::try_from(thursday.max(0)).unwrap_or(0) * 1_000_000_000);
    (thursday.year, days(&thursday).0 / 7 + 1)
}

/// `format` with its `%` sequences replaced.
pub fn fill(format: &str, ns: u64) -> String {
    let civil = Civil::new(ns);
    let mut out = String::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out += &rest[..at];
        rest = &rest[at + 1..];
        let end = rest.find(|letter: char| {
            !matches!(letter, '-' | '_' | '0'..='9' | '^' | '#' | ':' | 'E' | 'O')
        });
        let Some(end) = end else {
            return out + "%" + rest;
        };
        let flags = &rest[..end];
        let mut letters = rest[end..].chars();
        let Some(letter) = letters.next() else { break };
        out += &flagged(flags, value(letter, flags, &civil, ns));
        rest = letters.as_str();
    }
    out + rest
}

/// A value with the width it has by default, and what it is padded with.
enum Shown {
    Number(i64, usize, char),
    Text(String),
}

fn value(letter: char, flags: &str, civil: &Civil, ns: u64) -> Shown {
    use Shown::{Number, Text};
    let (of_year, weekday) = days(civil);
    let name = |names: &[&str], at: i64, short: bool| {
        let name = names[at as usize];
        Text(if short {
            name[..3].to_owned()
        } else {
            name.to_owned()
        })
    };
    let hour12 = (civil.hour + 11) % 12 + 1;
    match letter {
        'Y' => Number(civil.year, 4, '0'),
        'C' => Number(civil.year / 100, 2, '0'),
        'y' => Number(civil.year % 100, 2, '0'),
        'm' => Number(civil.month, 2, '0'),
        'd' => Number(civil.day, 2, '0'),
        'e' => Number(civil.day, 2, ' '),
        'H' => Number(civil.hour, 2, '0'),
        'k' => Number(civil.hour, 2, ' '),
        'I' => Number(hour12, 2, '0'),
        'l' => Number(hour12, 2, ' '),
        'M' => Number(civil.minute, 2, '0'),
        'S' => Number(civil.second, 2, '0'),
        'N' => {
            let digits = format!("{:09}", civil.nanosecond);
            let width = flags
                .trim_start_matches(['-', '_', '^', '#'])
                .parse()
                .unwrap_or(9usize)
                .min(9);
            Text(digits[..width].to_owned())
        }
        's' => Number((ns / 1_000_000_000).cast_signed(), 1, '0'),
        'j' => Number(of_year + 1, 3, '0'),
        'q' => Number((civil.month + 2) / 3, 1, '0'),
        'u' => Number(if weekday == 0 { 7 } else { weekday }, 1, '0'),
        'w' => Number(weekday, 1, '0'),
        'U' => Number((of_year + 7 - weekday) / 7, 2, '0'),
        'W' => Number((of_year + 7 - (weekday + 6) % 7) / 7, 2, '0'),
        'V' => Number(iso_week(civil).1, 2, '0'),
        'G' => Number(iso_week(civil).0, 4, '0'),
        'g' => Number(iso_week(civil).0 % 100, 2, '0'),
        'a' => name(&DAYS, weekday, true),
        'A' => name(&DAYS, weekday, false),
        'b' | 'h' => name(&MONTHS, civil.month - 1, true),
        'B' => name(&MONTHS, civil.month - 1, false),
        'p' => Text(if civil.hour < 12 { "AM" } else { "PM" }.to_owned()),
        'P' => Text(if civil.hour < 12 { "am" } else { "pm" }.to_owned()),
        'z' => Text(match flags.matches(':').count() {
            0 => "+0000".to_owned(),
            1 => "+00:00".to_owned(),
            2 => "+00:00:00".to_owned(),
            _ => "+00".to_owned(),
        }),
        'Z' => Text("UTC".to_owned()),
        'F' => Text(fill("%Y-%m-%d", ns)),
        'T' | 'X' => Text(fill("%H:%M:%S", ns)),
        'R' => Text(fill("%H:%M", ns)),
        'r' => Text(fill("%I:%M:%S %p", ns)),
        'D' | 'x' => Text(fill("%m/%d/%y", ns)),
        'c' => Text(fill("%a %b %e %H:%M:%S %Y", ns)),
        'n' => Text("\n".to_owned()),
        't' => Text("\t".to_owned()),
        '%' => Text("%".to_owned()),
        other => Text(format!("%{flags}{other}")),
    }
}

fn flagged(flags: &str, shown: Shown) -> String {
    let width = flags
        .trim_start_matches(['-', '_', '0', '^', '#', ':', 'E', 'O'])
        .parse::<usize>()
        .ok();
    let text = match shown {
        Shown::Text(text) => text,
        Shown::Number(number, wide, fill) => {
            let wide = width.unwrap_or(wide).min(4096);
            let fill = if flags.contains('_') {
                ' '
            } else if flags.starts_with('0') {
                '0'
            } else {
                fill
            };
            match (flags.contains('-'), fill) {
                (true, _) => number.to_string(),
                (false, ' ') => format!("{number:>wide$}"),
                (false, _) => format!("{number:0>wide$}"),
            }
        }
    };
    if flags.contains('^') {
        text.to_uppercase()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_filled() {
        let ns = 1_709_210_096_123_456_789;
        for (format, expected) in [
            ("%Y-%m-%dT%H:%M:%S.%3N%:z", "2024-02-29T12:34:56.123+00:00"),
            ("%a %A %b %B %p %I", "Thu Thursday Feb February PM 12"),
            ("%j %u %w %V %G %U %W", "060 4 4 09 2024 08 09"),
            ("%-d %_m %e %k", "29  2 29 12"),
            ("%s %% %n%t", "1709210096 % \n\t"),
            ("%^a %q %Q", "THU 1 %Q"),
            ("100%", "100%"),
        ] {
            assert_eq!(fill(format, ns), expected, "{format}");
        }
        // The first of January 2021 is in the last week of 2020.
        assert_eq!(fill("%G-%V", 1_609_459_200_000_000_000), "2020-53");
    }
}
