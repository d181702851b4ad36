//! `$((…))`: integers, variables by name, the usual operators.

use std::iter::Peekable;
use std::str::Chars;

/// Operators by how tightly they bind, loosest first; longer ones before their prefixes.
const LEVELS: [&[&str]; 6] = [
    &["||"],
    &["&&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["+", "-"],
    &["*", "/", "%"],
];

struct Evaluator<'a, V> {
    rest: Peekable<Chars<'a>>,
    value_of: V,
}

/// The value of `expression`; variables that are no number count as zero.
pub(super) fn evaluate(
    expression: &str,
    value_of: impl Fn(&str) -> i64,
) -> Result<i64, &'static str> {
    let mut evaluator = Evaluator {
        rest: expression.chars().peekable(),
        value_of,
    };
    let value = evaluator.binary(0)?;
    evaluator.skip_blanks();
    match evaluator.rest.peek() {
        None => Ok(value),
        Some(_) => Err("arithmetic syntax error"),
    }
}

impl<V: Fn(&str) -> i64> Evaluator<'_, V> {
    fn skip_blanks(&mut self) {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
    }

    fn eat(&mut self, operator: &str) -> bool {
        let mut ahead = self.rest.clone();
        let found = operator.chars().all(|c| ahead.next() == Some(c));
        if found {
            self.rest = ahead;
        }
        found
    }

    fn binary(&mut self, level: usize) -> Result<i64, &'static str> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        loop {
            self.skip_blanks();
            let Some(operator) = operators.iter().find(|op| self.eat(op)) else {
                return Ok(left);
            };
            let right = self.binary(level + 1)?;
            left = apply(operator, left, right)?;
        }
    }

    fn unary(&mut self) -> Result<i64, &'static str> {
        self.skip_blanks();
        if self.eat("-") {
            return Ok(self.unary()?.wrapping_neg());
        }
        if self.eat("!") {
            return Ok(i64::from(self.unary()? == 0));
        }
        if self.eat("(") {
            let value = self.binary(0)?;
            self.skip_blanks();
            return match self.eat(")") {
                true => Ok(value),
                false => Err("arithmetic syntax error"),
            };
        }
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|c| super::words::is_name(*c)) {
            word.push(c);
        }
        if word.is_empty() {
            return Err("arithmetic syntax error");
        }
        Ok(word.parse().unwrap_or_else(|_| (self.value_of)(&word)))
    }
}

fn apply(operator: &str, left: i64, right: i64) -> Result<i64, &'static str> {
    Ok(match operator {
        "||" => i64::from(left != 0 || right != 0),
        "&&" => i64::from(left != 0 && right != 0),
        "==" => i64::from(left == right),
        "!=" => i64::from(left != right),
        "<=" => i64::from(left <= right),
        ">=" => i64::from(left >= right),
        "<" => i64::from(left < right),
        ">" => i64::from(left > right),
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        "*" => left.wrapping_mul(right),
        "/" => left.checked_div(right).ok_or("division by zero")?,
        _ => left.checked_rem(right).ok_or("division by zero")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_bind_as_in_c() {
        let value = |text| evaluate(text, |name| if name == "i" { 4 } else { 0 });
        assert_eq!(value("1 + 2 * 3"), Ok(7));
        assert_eq!(value("(1+2)*3 - -i"), Ok(13));
        assert_eq!(value("i<5 && i!=3"), Ok(1));
        assert_eq!(value("7 % i / 2"), Ok(1));
        assert!(value("1 / 0").is_err());
        assert!(value("1 +").is_err());
        assert!(value("").is_err());
    }
}
