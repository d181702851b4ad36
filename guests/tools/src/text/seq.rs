//! `seq`.

use sandbox_applet::{Args, Failure, Out, Outcome, text};

/// A number as it was written: as many of `scale` make 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Decimal {
    value: i128,
    places: u32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || all.len() > 30 || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let value: i128 = all.parse().ok()?;
        Some(Self {
            value: if negative { -value } else { value },
            places: fraction.len() as u32,
        })
    }

    fn scaled(self, places: u32) -> Option<i128> {
        self.value
            .checked_mul(10i128.checked_pow(places - self.places)?)
    }
}

/// `value` with `places` digits behind the point.
fn show(value: i128, places: u32) -> String {
    let digits = value.unsigned_abs().to_string();
    let sign = if value < 0 { "-" } else { "" };
    if places == 0 {
        return format!("{sign}{digits}");
    }
    let places = places as usize;
    let digits = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    format!("{sign}{whole}.{fraction}")
}

/// Prints numbers from the first to the last.
pub fn run(mut args: Args) -> Outcome {
    let words = args.rest(None)?;
    let (mut separator, mut equal_width, mut format) = ("\n".to_owned(), false, None);
    let mut numbers = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let word = text(word)?;
        let mut value = |short: &str, long: &str| -> Option<Result<String, Failure>> {
            let given = word
                .strip_prefix(long)
                .and_then(|rest| rest.strip_prefix('='))
                .or_else(|| word.strip_prefix(short).filter(|rest| !rest.is_empty()));
            match given {
                Some(given) => Some(Ok(given.to_owned())),
                None if word == short || word == long => Some(match words.next() {
                    Some(next) => text(next).map(str::to_owned),
                    None => Err(Failure::new(format!("option '{word}' needs a value"))),
                }),
                None => None,
            }
        };
        if let Some(decimal) = Decimal::parse(word) {
            numbers.push((decimal, word));
        } else if let Some(given) = value("-s", "--separator") {
            separator = given?;
        } else if let Some(given) = value("-f", "--format") {
            format = Some(given?);
        } else if matches!(word, "-w" | "--equal-width") {
            equal_width = true;
        } else if word != "--" {
            return Err(Failure::new(format!(
                "invalid floating point argument: '{word}'"
            )));
        }
    }
    let one = Decimal {
        value: 1,
        places: 0,
    };
    let (first, step, last) = match &numbers[..] {
        [(last, _)] => (one, one, *last),
        [(first, _), (last, _)] => (*first, one, *last),
        [(first, _), (step, _), (last, _)] => (*first, *step, *last),
        [] => return Err(Failure::new("missing operand")),
        [_, _, _, (_, extra), ..] => return Err(Failure::new(format!("extra operand '{extra}'"))),
    };
    if step.value == 0 {
        return Err(Failure::new(format!(
            "invalid Zero increment value: '{}'",
            numbers[1].1
        )));
    }
    let places = first.places.max(step.places);
    let fine = places.max(last.places);
    let too_long = || Failure::new("numbers have too many digits");
    let scale = |number: Decimal| number.scaled(fine).ok_or_else(too_long);
    let (first, step, last) = (scale(first)?, scale(step)?, scale(last)?);
    let unit = 10i128.pow(fine - places);
    let width = match equal_width {
        true => show(first / unit, places)
            .len()
            .max(show(last / unit, places).len()),
        false => 0,
    };
    let mut out = Out::new();
    let mut next = first;
    let mut printed = false;
    while if step > 0 { next <= last } else { next >= last } {
        if printed {
            out.put(&separator)?;
        }
        printed = true;
        let number = show(next / unit, places);
        match &format {
            Some(format) => out.put(fill(format, next / unit, places)?)?,
            None => out.put(pad(&number, width))?,
        }
        next = next.checked_add(step).ok_or_else(too_long)?;
    }
    if printed {
        out.put("\n")?;
    }
    out.finish()?;
    Ok(0)
}

/// Zeros after the sign.
fn pad(number: &str, width: usize) -> String {
    match number.strip_prefix('-') {
        Some(digits) => format!("-{digits:0>width$}", width = width.saturating_sub(1)),
        None => format!("{number:0>width$}"),
    }
}

/// `%[0][width][.places]f` or `g` in `format`.
fn fill(format: &str, value: i128, places: u32) -> Result<String, Failure> {
    let invalid = || Failure::new(format!("invalid format '{format}'"));
    let at = format.find('%').ok_or_else(invalid)?;
    let end = at + 1 + format[at + 1..].find(['f', 'g', 'e']).ok_or_else(invalid)?;
    let flags = &format[at + 1..end];
    let (width, precision) = flags.split_once('.').unwrap_or((flags, ""));
    let zero = width.starts_with('0');
    let parse = |digits: &str| match digits {
        "" => Ok(None),
        digits => digits
            .parse()
            .ok()
            .filter(|&count: &usize| count < 512)
            .map(Some)
            .ok_or_else(invalid),
    };
    let (width, precision) = (parse(width)?.unwrap_or(0), parse(precision)?);
    let shown = show(value, places);
    let number = match (&format[end..=end], precision) {
        ("f", precision) => {
            let exact: f64 = shown.parse().map_err(|_| invalid())?;
            format!("{exact:.precision$}", precision = precision.unwrap_or(6))
        }
        ("g", None) => shown,
        _ => return Err(invalid()),
    };
    let number = if zero {
        pad(&number, width)
    } else {
        format!("{number:>width$}")
    };
    Ok(format!("{}{number}{}", &format[..at], &format[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_keep_their_places() {
        assert_eq!(
            Decimal::parse("-1.50"),
            Some(Decimal {
                value: -150,
                places: 2
            })
        );
        assert_eq!(
            Decimal::parse(".5"),
            Some(Decimal {
                value: 5,
                places: 1
            })
        );
        for bad in ["", "-", ".", "1x", "1e5"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
        assert_eq!(show(-5, 1), "-0.5");
        assert_eq!(show(150, 2), "1.50");
        assert_eq!(fill("a%03gb", 7, 0).unwrap(), "a007b");
        assert_eq!(fill("%.2f", 15, 1).unwrap(), "1.50");
        assert!(fill("%s", 1, 0).is_err());
    }
}
