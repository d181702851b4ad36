use sandbox_applet::time::Civil;

use sandbox_applet::date::MONTHS;

const DAY: i64 = 86_400;

/// The time that `text` means, nanoseconds since 1970; `now` is what it is relative to.
///
/// `@SECONDS`, `2024-02-29`, `12:34[:56[.5]]`, `29 Feb 2024`, `Feb 29`, zones as `Z` or `+01:00`, and steps as
/// `tomorrow`, `2 days ago`, `+3 hours`, `last month`.
pub fn parse(text: &str, now: u64) -> Option<u64> {
    let text = text.trim();
    if let Some(seconds) = text.strip_prefix('@') {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        let fraction: u64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        return whole
            .parse::<u64>()
            .ok()?
            .checked_mul(1_000_000_000)?
            .checked_add(fraction);
    }
    let mut draft = Draft {
        civil: Civil::new(now),
        time_given: false,
        date_given: false,
        zone: 0,
        step: 0,
        months: 0,
        weekday: None,
    };
    let text = text
        .replace(',', " ")
        .replace(" + ", " +")
        .replace(" - ", " -");
    let words: Vec<String> = text.split_whitespace().flat_map(split_t).collect();
    let mut words = words.iter().map(String::as_str).peekable();
    while let Some(word) = words.next() {
        draft.word(word, &mut words)?;
    }
    draft.finish()
}

/// A date and a time joined by `T` are two words.
fn split_t(word: &str) -> Vec<String> {
    match word.split_once('T') {
        Some((date, time))
            if date.ends_with(|letter: char| letter.is_ascii_digit()) && !time.is_empty() =>
        {
            vec![date.to_owned(), time.to_owned()]
        }
        _ => vec![word.to_owned()],
    }
}

struct Draft {
    civil: Civil,
    time_given: bool,
    date_given: bool,
    /// Seconds east of Greenwich.
    zone: i64,
    step: i64,
    months: i64,
    /// Counts only without a date.
    weekday: Option<i64>,
}

impl Draft {
    fn word<'a>(
        &mut self,
        word: &str,
        rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) -> Option<()> {
        let lower = word.to_lowercase();
        match &*lower {
            "now" | "today" | "on" | "at" | "utc" | "gmt" | "z" => return Some(()),
            "midnight" => return self.time("00:00"),
            "noon" => return self.time("12:00"),
            "tomorrow" => self.step += DAY,
            "yesterday" => self.step -= DAY,
            "next" | "last" | "this" => {
                let count = match &*lower {
                    "next" => 1,
                    "last" => -1,
                    _ => 0,
                };
                return self.unit(count, rest.next()?, rest);
            }
            _ if weekday(&lower).is_some() => self.weekday = weekday(&lower),
            _ if month(&lower).is_some() => {
                self.civil.month = month(&lower)?;
                self.date_given = true;
                if let Some(day) = rest
                    .peek()
                    .and_then(|day| day.parse().ok())
                    .filter(|day| (1..=31).contains(day))
                {
                    self.civil.day = day;
                    rest.next();
                }
            }
            _ if word.contains(':') => return self.time(word),
            _ if word.matches('-').count() == 2 && !word.starts_with('-') => {
                return self.date(word, '-', [0, 1, 2]);
            }
            _ if word.matches('/').count() == 2 => return self.date(word, '/', [2, 0, 1]),
            _ => return self.number(word, rest),
        }
        Some(())
    }

    /// A count before a unit, a day before a month, or a year.
    fn number<'a>(
        &mut self,
        word: &str,
        rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) -> Option<()> {
        let signed = word.starts_with(['+', '-']);
        let split = word.rfind(|letter: char| letter.is_ascii_digit())? + 1;
        let (digits, joined) = word.split_at(split);
        let count: i64 = digits.parse().ok()?;
        if !joined.is_empty() {
            return self.unit(count, joined, rest);
        }
        let next = rest.peek().map(|next| next.to_lowercase());
        match next {
            Some(next) if !signed && month(&next).is_some() => {
                self.civil.day = count;
                self.date_given = true;
            }
            Some(next) if seconds_of(&next).is_some() || months_of(&next).is_some() => {
                rest.next();
                return self.unit(count, &next, rest);
            }
            _ if !signed && digits.len() == 8 => {
                self.civil.year = count / 10_000;
                self.civil.month = count / 100 % 100;
                self.civil.day = count % 100;
                self.date_given = true;
            }
            _ if !signed && digits.len() == 4 && self.date_given => self.civil.year = count,
            _ if signed && self.time_given && digits.len() == 5 => {
                self.zone = (count / 100) * 3600 + count % 100 * 60;
            }
            _ => return None,
        }
        Some(())
    }

    fn unit<'a>(
        &mut self,
        count: i64,
        unit: &str,
        rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) -> Option<()> {
        let ago = rest
            .peek()
            .is_some_and(|next| next.eq_ignore_ascii_case("ago"));
        if ago {
            rest.next();
        }
        let count = if ago { count.checked_neg()? } else { count };
        if let Some(seconds) = seconds_of(unit) {
            self.step = self.step.checked_add(count.checked_mul(seconds)?)?;
        } else {
            self.months = self
                .months
                .checked_add(count.checked_mul(months_of(unit)?)?)?;
        }
        Some(())
    }

    fn clear_time(&mut self) {
        if !self.time_given {
            (
                self.civil.hour,
                self.civil.minute,
                self.civil.second,
                self.civil.nanosecond,
            ) = (0, 0, 0, 0);
        }
    }

    fn date(&mut self, word: &str, separator: char, order: [usize; 3]) -> Option<()> {
        let parts: Vec<i64> = word
            .split(separator)
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        self.civil.year = parts[order[0]];
        self.civil.month = parts[order[1]];
        self.civil.day = parts[order[2]];
        self.date_given = true;
        Some(())
    }

    /// `12:34[:56[.5]][Z|+01:00|am|pm]`
    fn time(&mut self, word: &str) -> Option<()> {
        let lower = word.to_lowercase();
        let (mut clock, mut zone) = (&*lower, 0);
        if let Some(at) = clock.find(['+', '-']) {
            let sign = if &clock[at..=at] == "+" { 1 } else { -1 };
            let digits: String = clock[at + 1..]
                .chars()
                .filter(|letter| *letter != ':')
                .collect();
            let digits: i64 = digits.parse().ok()?;
            let (hours, minutes) = if digits < 100 {
                (digits, 0)
            } else {
                (digits / 100, digits % 100)
            };
            zone = sign * (hours * 3600 + minutes * 60);
            clock = &clock[..at];
        }
        clock = clock.trim_end_matches('z');
        let (clock, half) = match (clock.strip_suffix("am"), clock.strip_suffix("pm")) {
            (Some(clock), _) => (clock, Some(0)),
            (_, Some(clock)) => (clock, Some(12)),
            _ => (clock, None),
        };
        let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
        let parts: Vec<i64> = whole
            .split(':')
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        let (&hour, &minute) = (parts.first()?, parts.get(1)?);
        self.civil.hour = half.map_or(hour, |half| hour % 12 + half);
        self.civil.minute = minute;
        self.civil.second = parts.get(2).copied().unwrap_or(0);
        self.civil.nanosecond = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        self.zone = zone;
        self.time_given = true;
        Some(())
    }

    fn finish(mut self) -> Option<u64> {
        if let Some(weekday) = self.weekday.filter(|_| !self.date_given) {
            let today = (self.civil.seconds().div_euclid(DAY) + 4).rem_euclid(7);
            self.step += (weekday - today).rem_euclid(7) * DAY;
            self.clear_time();
        }
        if self.date_given {
            self.clear_time();
        }
        let months = self
            .civil
            .year
            .checked_mul(12)?
            .checked_add(self.civil.month - 1)?
            .checked_add(self.months)?;
        let valid = (1..=12).contains(&self.civil.month)
            && (1..=31).contains(&self.civil.day)
            && (0..24).contains(&self.civil.hour)
            && (0..60).contains(&self.civil.minute)
            && (0..=60).contains(&self.civil.second)
            && (0..12 * 3000).contains(&months);
        if !valid {
            return None;
        }
        let before = self.civil.day;
        (self.civil.year, self.civil.month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        // A date that is not in the calendar is none, unless steps of months led to it.
        let check = Civil::new(u64::try_from(self.civil.seconds()).ok()? * 1_000_000_000);
        if self.months == 0 && check.day != before {
            return None;
        }
        let seconds = self
            .civil
            .seconds()
            .checked_add(self.step)?
            .checked_sub(self.zone)?;
        u64::try_from(seconds)
            .ok()?
            .checked_mul(1_000_000_000)?
            .checked_add(u64::from(self.civil.nanosecond))
    }
}

fn weekday(word: &str) -> Option<i64> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let start = word.get(..3)?;
    let rest = &word[3..];
    let known = rest.is_empty() || rest.ends_with("day");
    NAMES
        .iter()
        .position(|name| *name == start && known)
        .map(|at| at as i64)
}

fn month(word: &str) -> Option<i64> {
    let fits =
        |month: &&str| month.eq_ignore_ascii_case(word) || month[..3].eq_ignore_ascii_case(word);
    MONTHS
        .iter()
        .position(|month| fits(&month))
        .map(|at| at as i64 + 1)
}

fn seconds_of(unit: &str) -> Option<i64> {
    Some(match unit.to_lowercase().trim_end_matches('s') {
        "sec" | "second" => 1,
        "min" | "minute" => 60,
        "hour" => 3600,
        "day" => DAY,
        "week" => 7 * DAY,
        "fortnight" => 14 * DAY,
        _ => return None,
    })
}

fn months_of(unit: &str) -> Option<i64> {
    match unit.to_lowercase().trim_end_matches('s') {
        "month" => Some(1),
        "year" => Some(12),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_understood() {
        // 2024-02-29 12:34:56, a Thursday.
        let now = 1_709_210_096_000_000_000;
        let show = |text: &str| parse(text, now).map(|ns| sandbox_applet::date::fill("%F %T", ns));
        for (text, expected) in [
            ("@0", "1970-01-01 00:00:00"),
            ("now", "2024-02-29 12:34:56"),
            ("2023-01-31", "2023-01-31 00:00:00"),
            ("2023-01-31 10:11", "2023-01-31 10:11:00"),
            ("2023-01-31T10:11:12Z", "2023-01-31 10:11:12"),
            ("2023-01-31T10:00:00+02:00", "2023-01-31 08:00:00"),
            ("31 Jan 2023", "2023-01-31 00:00:00"),
            ("Jan 31, 2023", "2023-01-31 00:00:00"),
            ("Tue, 31 Jan 2023 10:00:00 +0100", "2023-01-31 09:00:00"),
            ("20230131", "2023-01-31 00:00:00"),
            ("01/31/2023", "2023-01-31 00:00:00"),
            ("yesterday", "2024-02-28 12:34:56"),
            ("tomorrow 00:00", "2024-03-01 00:00:00"),
            ("2 days ago", "2024-02-27 12:34:56"),
            ("+3 hours", "2024-02-29 15:34:56"),
            ("-1 week", "2024-02-22 12:34:56"),
            ("next month", "2024-03-29 12:34:56"),
            ("1 year ago", "2023-03-01 12:34:56"),
            ("2023-01-31 + 1 day", "2023-02-01 00:00:00"),
            ("10:30pm", "2024-02-29 22:30:00"),
            ("friday", "2024-03-01 00:00:00"),
        ] {
            assert_eq!(show(text).as_deref(), Some(expected), "{text}");
        }
        for bad in ["x", "2023-13-01", "2023-02-30", "25:00", "@x", "1 parsec"] {
            assert_eq!(show(bad), None, "{bad}");
        }
    }
}
