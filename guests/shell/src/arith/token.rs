//! Tokens of arithmetic.

use super::{Error, Result};
use crate::text;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Number(i64),
    Name(Vec<u8>),
    Op(&'static str),
    End,
}

/// Longest first.
const OPERATORS: [&str; 41] = [
    "<<=", ">>=", "**=", "&&", "||", "==", "!=", "<=", ">=", "<<", ">>", "++", "--", "**", "+=",
    "-=", "*=", "/=", "%=", "&=", "|=", "^=", "+", "-", "*", "/", "%", "<", ">", "=", "!", "~",
    "&", "|", "^", "(", ")", "?", ":", ",", "[",
];

pub(super) struct Tokens<'a> {
    text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn error<T>(&self) -> Result<T> {
        let near = &self.text[self.at.min(self.text.len())..];
        Err(Error::Syntax(
            text::lossy(&near[..near.len().min(40)]).into_owned(),
        ))
    }

    /// The token at the present position, and where it ends.
    pub(super) fn peek(&self) -> Result<(Token, usize)> {
        let blanks = self.text[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        let start = self.at + blanks;
        let rest = &self.text[start..];
        let Some(&first) = rest.first() else {
            return Ok((Token::End, start));
        };
        if first.is_ascii_digit() {
            let len = rest
                .iter()
                .take_while(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'_' | b'@')
                })
                .count();
            return match number(&rest[..len]) {
                Some(value) => Ok((Token::Number(value), start + len)),
                None => self.error(),
            };
        }
        let name = text::name_len(rest);
        if name > 0 {
            return Ok((Token::Name(rest[..name].to_vec()), start + name));
        }
        match OPERATORS.iter().find(|op| rest.starts_with(op.as_bytes())) {
            Some(op) => Ok((Token::Op(op), start + op.len())),
            None => self.error(),
        }
    }

    /// The raw text up to the `]` that closes a `[` before the present position; goes behind it.
    pub(super) fn subscript(&mut self) -> Result<&'a [u8]> {
        let start = self.at;
        let mut depth = 1;
        while depth > 0 {
            match self.text.get(self.at) {
                Some(b'[') => depth += 1,
                Some(b']') => depth -= 1,
                Some(_) => {}
                None => return self.error(),
            }
            self.at += 1;
        }
        Ok(&self.text[start..self.at - 1])
    }
}

/// A constant: decimal, `0x…`, `0…` (octal), `base#digits`.
pub(super) fn number(text: &[u8]) -> Option<i64> {
    if let Some(hash) = text.iter().position(|&byte| byte == b'#') {
        let base: i64 = std::str::from_utf8(&text[..hash]).ok()?.parse().ok()?;
        return (2..=64)
            .contains(&base)
            .then(|| in_base(&text[hash + 1..], base))
            .flatten();
    }
    match text {
        [b'0', b'x' | b'X', digits @ ..] => in_base(digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => in_base(digits, 8),
        _ => in_base(text, 10),
    }
}

fn in_base(digits: &[u8], base: i64) -> Option<i64> {
    let digit = |byte: u8| -> Option<i64> {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            b'A'..=b'Z' if base <= 36 => byte - b'A' + 10,
            b'A'..=b'Z' => byte - b'A' + 36,
            b'@' => 62,
            b'_' => 63,
            _ => return None,
        };
        Some(i64::from(value)).filter(|&value| value < base)
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |value, &byte| {
        Some(value.wrapping_mul(base).wrapping_add(digit(byte)?))
    })
}
