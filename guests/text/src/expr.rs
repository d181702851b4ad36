//! `expr`.

use sandbox_applet::{Args, Failure, Out, Outcome, text};

use crate::regex::{Flags, Pattern, Syntax};

/// Deeper nests of parentheses are refused: the stack is not endless.
const MAX_DEPTH: usize = 200;

/// Evaluates an expression: 0 when it is neither empty nor zero, 1 when it is, 2 when it is none.
pub fn run(mut args: Args) -> Outcome {
    let words = args.rest(None)?;
    let mut words = words
        .iter()
        .map(|word| text(word))
        .collect::<Result<Vec<_>, Failure>>()?;
    if words.first() == Some(&"--") {
        words.remove(0);
    }
    let value = evaluate(&words).map_err(|failure| failure.with_code(2))?;
    let mut out = Out::new();
    out.line(&value)?;
    out.finish()?;
    Ok(u8::from(is_null(&value)))
}

fn evaluate(words: &[&str]) -> Result<String, Failure> {
    if words.is_empty() {
        return Err(Failure::new("missing operand"));
    }
    let mut parser = Parser { words, depth: 0 };
    let value = parser.level(0, true)?;
    match parser.words.first() {
        None => Ok(value),
        Some(word) => Err(Failure::new(format!(
            "syntax error: unexpected argument '{word}'"
        ))),
    }
}

/// Empty, or a number that is zero.
fn is_null(value: &str) -> bool {
    value.is_empty() || integer(value) == Some(0)
}

fn integer(value: &str) -> Option<i128> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| value.parse().ok()).flatten()
}

struct Parser<'a> {
    words: &'a [&'a str],
    depth: usize,
}

/// Operators that bind ever more strongly.
const LEVELS: [&[&str]; 6] = [
    &["|"],
    &["&"],
    &["<", "<=", "=", "==", "!=", ">=", ">"],
    &["+", "-"],
    &["*", "/", "%"],
    &[":"],
];

impl<'a> Parser<'a> {
    /// An expression of operators from `level` on. What is not `live` is only read: `0 & 1 / 0` is fine.
    fn level(&mut self, level: usize, live: bool) -> Result<String, Failure> {
        let Some(operators) = LEVELS.get(level) else {
            return self.primary(live);
        };
        let mut left = self.level(level + 1, live)?;
        while let Some((&operator, rest)) = self.words.split_first() {
            if !operators.contains(&operator) {
                break;
            }
            self.words = rest;
            let matters = match operator {
                "|" => is_null(&left),
                "&" => !is_null(&left),
                _ => true,
            };
            let right = self.level(level + 1, live && matters)?;
            if live {
                left = apply(left, operator, &right)?;
            }
        }
        Ok(left)
    }

    fn next(&mut self) -> Result<&'a str, Failure> {
        let Some((&word, rest)) = self.words.split_first() else {
            return Err(Failure::new("syntax error: missing argument"));
        };
        self.words = rest;
        Ok(word)
    }

    fn primary(&mut self, live: bool) -> Result<String, Failure> {
        let word = self.next()?;
        match word {
            "(" => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(Failure::new("too many parentheses"));
                }
                let value = self.level(0, live)?;
                self.depth -= 1;
                match self.words.split_first() {
                    Some((&")", rest)) => {
                        self.words = rest;
                        Ok(value)
                    }
                    _ => Err(Failure::new("syntax error: expecting ')'")),
                }
            }
            ")" => Err(Failure::new("syntax error: unexpected ')'")),
            "+" => Ok(self.next()?.to_owned()),
            "length" if !self.words.is_empty() => {
                Ok(self.primary(live)?.chars().count().to_string())
            }
            "index" if self.words.len() >= 2 => {
                let (subject, letters) = (self.primary(live)?, self.primary(live)?);
                let found = subject.chars().position(|letter| letters.contains(letter));
                Ok(found.map_or(0, |at| at + 1).to_string())
            }
            "substr" if self.words.len() >= 3 => {
                let subject = self.primary(live)?;
                let (from, count) = (self.primary(live)?, self.primary(live)?);
                let range = integer(&from).zip(integer(&count));
                let valid = range.filter(|&(from, count)| from > 0 && count > 0);
                Ok(valid.map_or_else(String::new, |(from, count)| {
                    let size = |number: i128| usize::try_from(number).unwrap_or(usize::MAX);
                    subject
                        .chars()
                        .skip(size(from - 1))
                        .take(size(count))
                        .collect()
                }))
            }
            "match" if self.words.len() >= 2 => {
                let (subject, pattern) = (self.primary(live)?, self.primary(live)?);
                matched(&subject, &pattern)
            }
            word => Ok(word.to_owned()),
        }
    }
}

fn apply(left: String, operator: &str, right: &str) -> Result<String, Failure> {
    let flag = |is: bool| Ok(u8::from(is).to_string());
    let numbers = || {
        let number = |text: &str| integer(text).ok_or_else(|| Failure::new("non-integer argument"));
        Ok::<_, Failure>((number(&left)?, number(right)?))
    };
    let order = || match (integer(&left), integer(right)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => (*left).cmp(right),
    };
    let exact = |value: Option<i128>| {
        value
            .map(|value| value.to_string())
            .ok_or_else(|| Failure::new("integer result too large"))
    };
    match operator {
        "|" if !is_null(&left) => Ok(left),
        "|" if is_null(right) => Ok("0".to_owned()),
        "|" => Ok(right.to_owned()),
        "&" if is_null(&left) || is_null(right) => Ok("0".to_owned()),
        "&" => Ok(left),
        "<" => flag(order().is_lt()),
        "<=" => flag(order().is_le()),
        "=" | "==" => flag(order().is_eq()),
        "!=" => flag(order().is_ne()),
        ">=" => flag(order().is_ge()),
        ">" => flag(order().is_gt()),
        ":" => matched(&left, right),
        _ => {
            let (a, b) = numbers()?;
            match operator {
                "+" => exact(a.checked_add(b)),
                "-" => exact(a.checked_sub(b)),
                "*" => exact(a.checked_mul(b)),
                _ if b == 0 => Err(Failure::new("division by zero")),
                "/" => exact(a.checked_div(b)),
                _ => exact(a.checked_rem(b)),
            }
        }
    }
}

/// The first group of a match at the start, or its length.
fn matched(subject: &str, pattern: &str) -> Result<String, Failure> {
    let anchored = format!("^\\({}\\)", pattern.strip_prefix('^').unwrap_or(pattern));
    let has_group = pattern.contains("\\(");
    // With back-references numbers must stay as they are.
    let whole = if has_group {
        format!("^{}", pattern.strip_prefix('^').unwrap_or(pattern))
    } else {
        anchored
    };
    let compiled = Pattern::posix(
        &whole,
        Syntax::Basic,
        Flags {
            newline: true,
            ..Flags::default()
        },
    )
    .map_err(Failure::new)?;
    let found = compiled.groups_at(subject.as_bytes(), 0);
    let group = |groups: &[Option<(usize, usize)>], at: usize| {
        groups
            .get(at)
            .copied()
            .flatten()
            .map(|(start, end)| subject[start..end].to_owned())
    };
    Ok(match (found, has_group) {
        (Some(groups), true) => group(&groups, 1).unwrap_or_default(),
        (Some(groups), false) => group(&groups, 1)
            .unwrap_or_default()
            .chars()
            .count()
            .to_string(),
        (None, true) => String::new(),
        (None, false) => "0".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_have_values() {
        for (expression, expected) in [
            ("1 + 2 * 3", "7"),
            ("( 1 + 2 ) * 3", "9"),
            ("7 % 4 - 1", "2"),
            ("-7 / 2", "-3"),
            ("a = a", "1"),
            ("10 > 9", "1"),
            ("a10 > a9", "0"),
            ("0 | b", "b"),
            ("0 & x", "0"),
            ("0 & 1 / 0", "0"),
            ("a | 1 / 0", "a"),
            ("abc : a.", "2"),
            ("abc : a\\(.*\\)", "bc"),
            ("abc : x", "0"),
            ("abc : \\(x\\)", ""),
            ("length abc", "3"),
            ("index abc cb", "2"),
            ("substr abcdef 2 3", "bcd"),
            ("match abab \\(..\\)\\1", "ab"),
            ("+ length", "length"),
            ("length", "length"),
        ] {
            let words: Vec<&str> = expression.split(' ').collect();
            assert_eq!(evaluate(&words).unwrap(), expected, "{expression}");
        }
        for bad in ["1 +", "1 / 0", "a + 1", "( 1", "1 2", ")"] {
            let words: Vec<&str> = bad.split(' ').collect();
            assert!(evaluate(&words).is_err(), "{bad}");
        }
    }
}
