//! Times of files and durations of commands.

use std::time::Duration;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAY: i64 = 86_400;

/// A time in UTC, taken apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Civil {
    /// Of the Gregorian calendar.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 60.
    pub second: i64,
    /// Within the second.
    pub nanosecond: u32,
}

impl Civil {
    /// Of `ns` nanoseconds since 1970.
    pub fn new(ns: u64) -> Self {
        let seconds = (ns / 1_000_000_000).cast_signed();
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        // Days counted from the first of March of year 0, so that the leap day is the last one.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let of_era = shifted.rem_euclid(146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        Self {
            year: year_of_era + era * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            nanosecond: (ns % 1_000_000_000) as u32,
        }
    }

    /// Seconds since 1970; negative before.
    pub fn seconds(&self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let from_march = (self.month + 9) % 12;
        let of_year = (153 * from_march + 2) / 5 + self.day - 1;
        let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
        (era * 146_097 + of_era - 719_468) * DAY + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// As `ls -l` shows it: with the hour, or the year when it is not within half a year before `now`.
    pub fn short(&self, now: i64) -> String {
        let month = MONTHS[(self.month - 1) as usize];
        let age = now - self.seconds();
        if (0..DAY * 365 / 2).contains(&age) {
            format!(
                "{month} {:>2} {:02}:{:02}",
                self.day, self.hour, self.minute
            )
        } else {
            format!("{month} {:>2}  {}", self.day, self.year)
        }
    }

    /// `2026-01-31 12:00`
    pub fn minutes(&self) -> String {
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}",
            self.year, self.month, self.day, self.hour, self.minute
        )
    }

    /// `2026-01-31 12:00:00.000000000 +0000`
    pub fn full(&self) -> String {
        format!(
            "{}:{:02}.{:09} +0000",
            self.minutes(),
            self.second,
            self.nanosecond
        )
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    since.as_secs().cast_signed()
}

/// A duration as `sleep` and `timeout` take it: a decimal number with `s`, `m`, `h` or `d`. `None` is endless.
pub fn duration(text: &str) -> Result<Option<Duration>, ()> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1.0),
        Some((at, 'm')) => (&text[..at], 60.0),
        Some((at, 'h')) => (&text[..at], 3600.0),
        Some((at, 'd')) => (&text[..at], 86_400.0),
        _ => (text, 1.0),
    };
    if matches!(text, "inf" | "infinity") {
        return Ok(None);
    }
    let number: f64 = number.parse().map_err(drop)?;
    if number.is_nan() || number < 0.0 {
        return Err(());
    }
    Ok(Duration::try_from_secs_f64(number * unit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_seconds_turn_into_each_other() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_400, "2000-02-29 00:00"),
            (1_709_210_096, "2024-02-29 12:34"),
            (4_102_444_800, "2100-01-01 00:00"),
        ] {
            let civil = Civil::new(seconds * 1_000_000_000);
            assert_eq!(civil.minutes(), text);
            assert_eq!(civil.seconds(), seconds.cast_signed());
        }
    }

    #[test]
    fn old_files_show_their_year() {
        let civil = Civil::new(1_709_210_096_000_000_000);
        assert_eq!(civil.short(1_709_210_100), "Feb 29 12:34");
        assert_eq!(civil.short(1_809_210_100), "Feb 29  2024");
    }

    #[test]
    fn durations_take_units_and_fractions() {
        assert_eq!(duration("1.5m"), Ok(Some(Duration::from_secs(90))));
        assert_eq!(duration("2"), Ok(Some(Duration::from_secs(2))));
        assert_eq!(duration("infinity"), Ok(None));
        assert_eq!(duration("-1"), Err(()));
        assert_eq!(duration("x"), Err(()));
        assert_eq!(duration(""), Err(()));
    }
}
