//! Numbers of `printf`, and `let`.

use crate::ast::Bytes;
use crate::flow::Run;
use crate::shell::Shell;
use crate::text;

/// What an operand gives as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Whole(i64),
    /// Something follows the number.
    Part(i64),
    None,
}

/// An integer as `printf` reads it: decimal, octal, hexadecimal, or the code of the character after a quote.
pub(super) fn integer(operand: &[u8]) -> Number {
    if let [b'\'' | b'"', char @ ..] = operand {
        return if char.is_empty() {
            Number::None
        } else {
            Number::Whole(i64::from(text::first_char(char)))
        };
    }
    let trimmed = operand.trim_ascii_start();
    let (negative, digits) = match trimmed {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (base, digits) = match digits {
        [b'0', b'x' | b'X', rest @ ..] if rest.first().is_some_and(u8::is_ascii_hexdigit) => {
            (16, rest)
        }
        [b'0', _, ..] => (8, &digits[1..]),
        rest => (10, rest),
    };
    let len = digits
        .iter()
        .take_while(|byte| char::from(**byte).is_digit(base))
        .count();
    if operand.is_empty() {
        return Number::Whole(0);
    }
    // The leading zero of an octal number is a number of its own.
    if len == 0 && base != 8 {
        return Number::None;
    }
    let mut value = digits[..len]
        .iter()
        .filter_map(|byte| char::from(*byte).to_digit(base))
        .fold(0_i128, |value, digit| {
            (value * i128::from(base) + i128::from(digit)).min(i128::from(u64::MAX))
        });
    if negative {
        value = -value;
    }
    // Above the signed range the bits are kept, as C's unsigned conversions do.
    let value = if value > i128::from(i64::MAX) {
        (value as u64).cast_signed()
    } else {
        value.max(i128::from(i64::MIN)) as i64
    };
    if len == digits.len() {
        Number::Whole(value)
    } else {
        Number::Part(value)
    }
}

pub(super) fn parse_float(operand: &[u8]) -> Option<f64> {
    if operand.is_empty() {
        return Some(0.0);
    }
    if let [b'\'' | b'"', ..] | [b'0', b'x' | b'X', ..] = operand {
        return match integer(operand) {
            Number::Whole(value) => Some(value as f64),
            _ => None,
        };
    }
    std::str::from_utf8(operand).ok()?.trim().parse().ok()
}

pub(super) fn sign(negative: bool, plus: bool, space: bool) -> &'static str {
    match (negative, plus, space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (.., true) => " ",
        _ => "",
    }
}

/// More digits than this say nothing about a 64-bit float.
const MOST_DIGITS: usize = 1100;

/// `value`, which is not negative, as `%f`, `%e` or `%g` (or their capitals) print it.
pub(super) fn float(value: f64, letter: u8, precision: usize, alternate: bool) -> String {
    let precision = precision.min(MOST_DIGITS);
    let text = if value.is_nan() {
        "nan".to_owned()
    } else if value.is_infinite() {
        "inf".to_owned()
    } else {
        match letter.to_ascii_lowercase() {
            b'f' => format!("{value:.precision$}"),
            b'e' => exponential(value, precision),
            _ => general(value, precision.max(1), alternate),
        }
    };
    if letter.is_ascii_uppercase() {
        text.to_ascii_uppercase()
    } else {
        text
    }
}

/// `1.500000e+00`
fn exponential(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

fn general(value: f64, precision: usize, alternate: bool) -> String {
    let text = exponential(value, precision - 1);
    let exponent: i32 = text
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse().ok())
        .unwrap_or(0);
    let fixed = exponent >= -4 && i64::from(exponent) < precision as i64;
    let (digits, tail) = if fixed {
        let decimals = usize::try_from(precision as i64 - 1 - i64::from(exponent)).unwrap_or(0);
        (format!("{value:.decimals$}"), String::new())
    } else {
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
        (digits.to_owned(), format!("e{exponent}"))
    };
    let digits = match digits.contains('.') && !alternate {
        true => digits
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
        false => digits,
    };
    digits + &tail
}

/// `text` so that the shell reads it back, quoted only where it must be.
pub(super) fn quoted_for_reuse(text: &[u8]) -> Bytes {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./:=,+@%^".contains(byte);
    if !text.is_empty() && text.iter().all(plain) {
        return text.to_vec();
    }
    if text.is_empty() {
        return b"''".to_vec();
    }
    if text.iter().any(|byte| byte.is_ascii_control()) {
        let mut out = b"$'".to_vec();
        for &byte in text {
            match byte {
                b'\n' => out.extend_from_slice(b"\\n"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'\r' => out.extend_from_slice(b"\\r"),
                b'\'' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
                byte if byte.is_ascii_control() => {
                    out.extend_from_slice(format!("\\{byte:03o}").as_bytes())
                }
                byte => out.push(byte),
            }
        }
        out.push(b'\'');
        return out;
    }
    let mut out = Bytes::new();
    for byte in text {
        if !plain(byte) && byte.is_ascii() {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out
}

/// `let expression…`
pub(super) fn calculate(shell: &mut Shell, args: &[Bytes]) -> Run {
    if args.len() < 2 {
        return shell.refuse("let", "expression expected");
    }
    let mut value = 0;
    for arg in &args[1..] {
        value = shell.arithmetic(arg)?;
    }
    Ok(i32::from(value == 0))
}
