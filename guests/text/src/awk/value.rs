//! Values: numbers, texts, and texts from outside that look like numbers.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::rc::Rc;

use super::format::number_text;

pub type Bytes = Rc<[u8]>;
pub type Array = Rc<RefCell<HashMap<Bytes, Value>>>;

#[derive(Clone, Debug)]
pub enum Value {
    /// Never assigned: both `""` and 0.
    Unset,
    Number(f64),
    Text(Bytes),
    /// From outside, and looks like a number: compared as one.
    Both(Bytes, f64),
}

/// What a variable holds.
#[derive(Clone, Debug)]
pub enum Cell {
    Unset,
    Scalar(Value),
    Array(Array),
    /// An argument that was never assigned: becomes the array when it is used as one.
    Maybe(Array),
}

impl Value {
    pub fn text(bytes: impl AsRef<[u8]>) -> Self {
        Self::Text(bytes.as_ref().into())
    }

    /// Of text that came from outside.
    pub fn outside(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        let trimmed = bytes.trim_ascii();
        let starts = trimmed
            .first()
            .is_some_and(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.'));
        if starts {
            let (number, length) = number_at_start(trimmed);
            if length == trimmed.len() {
                return Self::Both(bytes.into(), number);
            }
        }
        Self::Text(bytes.into())
    }

    pub fn number(&self) -> f64 {
        match self {
            Self::Unset => 0.0,
            Self::Number(number) | Self::Both(_, number) => *number,
            Self::Text(bytes) => number_at_start(bytes.trim_ascii_start()).0,
        }
    }

    /// As text; numbers that are not whole by `format`.
    pub fn bytes(&self, format: &[u8]) -> Bytes {
        match self {
            Self::Unset => Rc::new([]),
            Self::Number(number) => number_text(*number, format).into(),
            Self::Text(bytes) | Self::Both(bytes, _) => Rc::clone(bytes),
        }
    }

    pub fn is_true(&self) -> bool {
        match self {
            Self::Unset => false,
            Self::Number(number) | Self::Both(_, number) => *number != 0.0,
            Self::Text(bytes) => !bytes.is_empty(),
        }
    }

    /// Compared as numbers when both are; else as text.
    pub fn compare(&self, other: &Self, format: &[u8]) -> Option<Ordering> {
        if matches!(self, Self::Text(_)) || matches!(other, Self::Text(_)) {
            return Some(self.bytes(format).cmp(&other.bytes(format)));
        }
        self.number().partial_cmp(&other.number())
    }
}

/// The decimal number at the start of `text`, and its length; 0 and 0 when there is none.
pub fn number_at_start(text: &[u8]) -> (f64, usize) {
    let digits = |from: usize| {
        text[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let rest = &text[sign..];
    if sign == 1 && rest.len() >= 3 {
        let special = match () {
            () if rest[..3].eq_ignore_ascii_case(b"inf") => Some(f64::INFINITY),
            () if rest[..3].eq_ignore_ascii_case(b"nan") => Some(f64::NAN),
            () => None,
        };
        if let Some(value) = special {
            return (if text[0] == b'-' { -value } else { value }, 4);
        }
    }
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if text.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return (0.0, 0);
    }
    // Most numbers are short and whole.
    if end == sign + whole && whole < 16 && !matches!(text.get(end), Some(b'e' | b'E')) {
        let value = text[sign..end]
            .iter()
            .fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0'));
        return (
            if text[0] == b'-' {
                -(value as f64)
            } else {
                value as f64
            },
            end,
        );
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        if text.get(end + 1 + signed).is_some_and(u8::is_ascii_digit) {
            end += 1 + signed + digits(end + 1 + signed);
        }
    }
    let number = std::str::from_utf8(&text[..end])
        .ok()
        .and_then(|text| text.parse().ok());
    (number.unwrap_or(0.0), end)
}
