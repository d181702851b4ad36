//! `printf`.

use super::value::Value;

/// More than this is no width.
const MAX_WIDTH: usize = 1 << 20;

/// A number as text: whole ones as they are, others by `format`.
pub fn number_text(number: f64, format: &[u8]) -> Vec<u8> {
    if number.is_nan() {
        return if number.is_sign_negative() {
            b"-nan".to_vec()
        } else {
            b"nan".to_vec()
        };
    }
    if number.is_infinite() {
        return if number < 0.0 {
            b"-inf".to_vec()
        } else {
            b"inf".to_vec()
        };
    }
    if number.trunc() == number && number.abs() < 1e16 {
        return (number as i64).to_string().into_bytes();
    }
    if number.trunc() == number && number.abs() < 1e30 {
        return format!("{number:.0}").into_bytes();
    }
    if format == b"%.6g" {
        return general(number, 6, false, false).into_bytes();
    }
    sprintf(format, &[Value::Number(number)], b"%.6g")
}

#[derive(Clone, Copy, Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// Fills `format` with `args`; numbers become text by `convfmt`.
pub fn sprintf(format: &[u8], args: &[Value], convfmt: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut args = args.iter();
    let mut at = 0;
    while at < format.len() {
        let byte = format[at];
        at += 1;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let start = at - 1;
        let mut spec = Spec::default();
        while let Some(&flag) = format.get(at) {
            match flag {
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                b' ' => spec.space = true,
                b'0' => spec.zero = true,
                b'#' => spec.alternate = true,
                _ => break,
            }
            at += 1;
        }
        let mut count = |at: &mut usize| {
            if format.get(*at) == Some(&b'*') {
                *at += 1;
                return args.next().map_or(0, |value| value.number() as i64);
            }
            let mut value = 0i64;
            while let Some(digit) = format.get(*at).filter(|byte| byte.is_ascii_digit()) {
                value = value
                    .saturating_mul(10)
                    .saturating_add(i64::from(digit - b'0'));
                *at += 1;
            }
            value
        };
        let width = count(&mut at);
        spec.left |= width < 0;
        spec.width = usize::try_from(width.unsigned_abs())
            .unwrap_or(MAX_WIDTH)
            .min(MAX_WIDTH);
        if format.get(at) == Some(&b'.') {
            at += 1;
            let precision = count(&mut at);
            spec.precision = usize::try_from(precision)
                .ok()
                .map(|precision| precision.min(MAX_WIDTH));
        }
        while matches!(
            format.get(at),
            Some(b'l' | b'h' | b'L' | b'q' | b'j' | b'z' | b't')
        ) {
            at += 1;
        }
        let Some(&letter) = format.get(at) else {
            out.extend_from_slice(&format[start..]);
            break;
        };
        at += 1;
        if letter == b'%' {
            out.push(b'%');
            continue;
        }
        if !b"diouxXeEfFgGcs".contains(&letter) {
            out.extend_from_slice(&format[start..at]);
            continue;
        }
        let value = args.next().cloned().unwrap_or(Value::Unset);
        out.extend(spec.one(letter, &value, convfmt));
    }
    out
}

impl Spec {
    fn one(self, letter: u8, value: &Value, convfmt: &[u8]) -> Vec<u8> {
        match letter {
            b'c' => {
                let bytes = match value {
                    Value::Number(number) | Value::Both(_, number) => {
                        let code = *number as u32;
                        match char::from_u32(code) {
                            Some(letter) => letter.to_string().into_bytes(),
                            None => vec![code.to_le_bytes()[0]],
                        }
                    }
                    value => first_letter(&value.bytes(convfmt)).to_vec(),
                };
                self.pad(bytes, false)
            }
            b's' => {
                let bytes = value.bytes(convfmt);
                let kept = match self.precision {
                    Some(most) => &bytes[..letters_end(&bytes, most)],
                    None => &bytes[..],
                };
                self.pad(kept.to_vec(), false)
            }
            letter => self.number(letter, value.number()),
        }
    }

    fn number(self, letter: u8, number: f64) -> Vec<u8> {
        if !number.is_finite() {
            let sign = if number.is_sign_negative() {
                "-"
            } else if self.plus {
                "+"
            } else {
                ""
            };
            let name = if number.is_nan() { "nan" } else { "inf" };
            return self.pad(format!("{sign}{name}").into_bytes(), false);
        }
        let negative = number.is_sign_negative() && number != 0.0
            || number == 0.0 && number.is_sign_negative() && b"eEfFgG".contains(&letter);
        let size = number.abs();
        let upper = letter.is_ascii_uppercase();
        let mut body = match letter.to_ascii_lowercase() {
            b'd' | b'i' => format!("{:.0}", size.trunc()),
            b'u' if number < 0.0 => return self.number(b'd', number),
            b'u' => format!("{:.0}", size.trunc()),
            b'o' => format!("{:o}", number as i64),
            b'x' if upper => format!("{:X}", number as i64),
            b'x' => format!("{:x}", number as i64),
            b'e' => exponent(size, self.precision.unwrap_or(6), upper),
            b'f' => format!(
                "{size:.precision$}",
                precision = self.precision.unwrap_or(6)
            ),
            _ => general(size, self.precision.unwrap_or(6), upper, self.alternate),
        };
        let whole = b"diouxX".contains(&letter);
        let signed = !b"ouxX".contains(&letter);
        if let Some(precision) = self.precision.filter(|_| whole) {
            body = format!("{body:0>precision$}");
        }
        if self.alternate && number != 0.0 {
            match letter {
                b'x' => body.insert_str(0, "0x"),
                b'X' => body.insert_str(0, "0X"),
                b'o' => body.insert(0, '0'),
                _ => {}
            }
        }
        let negative = negative && !(whole && size.trunc() == 0.0);
        if negative && signed {
            body.insert(0, '-');
        } else if self.plus && signed {
            body.insert(0, '+');
        } else if self.space && signed {
            body.insert(0, ' ');
        }
        self.pad(
            body.into_bytes(),
            self.zero && !(whole && self.precision.is_some()),
        )
    }

    fn pad(self, mut bytes: Vec<u8>, zero: bool) -> Vec<u8> {
        let length = letters(&bytes);
        let missing = self.width.saturating_sub(length);
        if missing == 0 {
            return bytes;
        }
        if self.left {
            bytes.extend(std::iter::repeat_n(b' ', missing));
        } else if zero {
            let at = usize::from(matches!(bytes.first(), Some(b'-' | b'+' | b' ')));
            bytes.splice(at..at, std::iter::repeat_n(b'0', missing));
        } else {
            bytes.splice(0..0, std::iter::repeat_n(b' ', missing));
        }
        bytes
    }
}

/// `1.5e+06`
fn exponent(number: f64, precision: usize, upper: bool) -> String {
    let text = format!("{number:.precision$e}");
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match power.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', power),
    };
    format!(
        "{mantissa}{}{sign}{digits:0>2}",
        if upper { 'E' } else { 'e' }
    )
}

/// `%g`: the shorter of the two, without zeros at the end.
fn general(number: f64, precision: usize, upper: bool, alternate: bool) -> String {
    let negative = number < 0.0;
    let size = number.abs();
    let precision = precision.max(1);
    let text = format!("{size:.places$e}", places = precision - 1);
    let power: i32 = text
        .split_once('e')
        .and_then(|(_, power)| power.parse().ok())
        .unwrap_or(0);
    let trim = |text: String| {
        if alternate || !text.contains('.') {
            return text;
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let body = if power < -4 || power >= precision as i32 {
        let text = exponent(size, precision - 1, upper);
        let at = text.find(['e', 'E']).unwrap_or(text.len());
        format!("{}{}", trim(text[..at].to_owned()), &text[at..])
    } else {
        let places = (precision as i32 - 1 - power).max(0) as usize;
        trim(format!("{size:.places$}"))
    };
    if negative { format!("-{body}") } else { body }
}

/// Letters of UTF-8, bytes of anything else.
pub fn letters(bytes: &[u8]) -> usize {
    if bytes.is_ascii() {
        return bytes.len();
    }
    bytes.iter().filter(|&&byte| byte & 0xc0 != 0x80).count()
}

/// Where the first `count` letters end.
pub fn letters_end(bytes: &[u8], count: usize) -> usize {
    if bytes.is_ascii() {
        return count.min(bytes.len());
    }
    let starts = bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte & 0xc0 != 0x80);
    starts.map(|(at, _)| at).nth(count).unwrap_or(bytes.len())
}

fn first_letter(bytes: &[u8]) -> &[u8] {
    &bytes[..letters_end(bytes, 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_by_c() {
        let show = |format: &str, number: f64| {
            String::from_utf8(sprintf(
                format.as_bytes(),
                &[Value::Number(number)],
                b"%.6g",
            ))
            .unwrap()
        };
        for (format, number, expected) in [
            ("%d", 3.9, "3"),
            ("%d", -3.9, "-3"),
            ("%05d", -42.0, "-0042"),
            ("%-5d|", 42.0, "42   |"),
            ("%+d", 42.0, "+42"),
            ("%x", 255.0, "ff"),
            ("%#o", 8.0, "010"),
            ("%.3d", 5.0, "005"),
            ("%e", 1_500_000.0, "1.500000e+06"),
            ("%.2f", 2.675, "2.67"),
            ("%g", 0.0001, "0.0001"),
            ("%g", 0.00001, "1e-05"),
            ("%g", 1e6, "1e+06"),
            ("%g", 123_456.0, "123456"),
            ("%g", 0.1 + 0.2, "0.3"),
            ("%10.3e|", 12345.678, " 1.235e+04|"),
            ("%c", 65.0, "A"),
            ("100%", 1.0, "100%"),
        ] {
            assert_eq!(show(format, number), expected, "{format} {number}");
        }
        assert_eq!(number_text(0.1, b"%.6g"), b"0.1");
        assert_eq!(number_text(1e15, b"%.6g"), b"1000000000000000");
        assert_eq!(number_text(-0.0, b"%.6g"), b"0");
    }
}
