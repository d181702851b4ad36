//! Evaluation while parsing, by precedence.

use super::token::{Token, Tokens};
use super::{Error, Result};

/// How deep variables and parentheses may nest.
const DEPTH: u32 = 200;

/// The variables of an expression. `index`: the raw text between brackets.
pub trait Variables {
    /// The value as text; empty when unset.
    fn get(&mut self, name: &[u8], index: Option<&[u8]>) -> Result<Vec<u8>>;
    fn set(&mut self, name: &[u8], index: Option<&[u8]>, value: i64) -> Result<()>;
}

/// The value of `text`; 0 when it is blank.
pub fn evaluate(text: &[u8], variables: &mut dyn Variables) -> Result<i64> {
    at_depth(text, variables, 0)
}

fn at_depth(text: &[u8], variables: &mut dyn Variables, depth: u32) -> Result<i64> {
    if depth > DEPTH {
        return Err(Error::TooDeep);
    }
    // By far the most values of variables.
    if let [digit @ b'0'..=b'9'] = text {
        return Ok(i64::from(digit - b'0'));
    }
    let mut eval = Eval {
        tokens: Tokens::new(text),
        variables,
        skipping: 0,
        depth,
    };
    if eval.tokens.peek()?.0 == Token::End {
        return Ok(0);
    }
    let value = eval.comma()?;
    match eval.tokens.peek()?.0 {
        Token::End => Ok(value),
        _ => eval.tokens.error(),
    }
}

struct Eval<'a> {
    tokens: Tokens<'a>,
    variables: &'a mut dyn Variables,
    /// Above 0 in the branch that is not taken.
    skipping: u32,
    depth: u32,
}

/// Something that can be assigned to.
struct Place {
    name: Vec<u8>,
    index: Option<Vec<u8>>,
}

/// Binary operators by rising precedence.
const LEVELS: [&[&str]; 10] = [
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl Eval<'_> {
    fn eat(&mut self, op: &str) -> Result<bool> {
        let (token, end) = self.tokens.peek()?;
        let found = matches!(token, Token::Op(found) if found == op);
        if found {
            self.tokens.at = end;
        }
        Ok(found)
    }

    fn comma(&mut self) -> Result<i64> {
        let mut value = self.assignment()?;
        while self.eat(",")? {
            value = self.assignment()?;
        }
        Ok(value)
    }

    fn assignment(&mut self) -> Result<i64> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Error::TooDeep);
        }
        let start = self.tokens.at;
        let value = match self.place()? {
            Some(place) => match self.assign_to(&place)? {
                Some(value) => value,
                None => {
                    self.tokens.at = start;
                    self.ternary()?
                }
            },
            None => self.ternary()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    /// A name, with its index; nothing is read when there is none.
    fn place(&mut self) -> Result<Option<Place>> {
        let (token, end) = self.tokens.peek()?;
        let Token::Name(name) = token else {
            return Ok(None);
        };
        self.tokens.at = end;
        let index = if self.eat("[")? {
            Some(self.tokens.subscript()?.to_vec())
        } else {
            None
        };
        Ok(Some(Place { name, index }))
    }

    fn assign_to(&mut self, place: &Place) -> Result<Option<i64>> {
        let (token, end) = self.tokens.peek()?;
        let Token::Op(op) = token else {
            return Ok(None);
        };
        let binary = match op {
            "=" => None,
            "+=" | "-=" | "*=" | "/=" | "%=" | "&=" | "|=" | "^=" | "<<=" | ">>=" | "**=" => {
                Some(&op[..op.len() - 1])
            }
            _ => return Ok(None),
        };
        self.tokens.at = end;
        let right = self.assignment()?;
        let value = match binary {
            None => right,
            Some(op) => {
                let left = self.value(place)?;
                self.apply(op, left, right)?
            }
        };
        self.set(place, value)?;
        Ok(Some(value))
    }

    fn ternary(&mut self) -> Result<i64> {
        let test = self.binary(0)?;
        if !self.eat("?")? {
            return Ok(test);
        }
        let yes = self.unless(test == 0, Self::assignment)?;
        if !self.eat(":")? {
            return self.tokens.error();
        }
        let no = self.unless(test != 0, Self::assignment)?;
        Ok(if test != 0 { yes } else { no })
    }

    /// Runs `parse`, without effects if `skip`.
    fn unless(&mut self, skip: bool, parse: impl FnOnce(&mut Self) -> Result<i64>) -> Result<i64> {
        self.skipping += u32::from(skip);
        let value = parse(self);
        self.skipping -= u32::from(skip);
        value
    }

    /// Binary operators of at least this level, without a descent through all levels.
    fn binary(&mut self, least: usize) -> Result<i64> {
        let mut left = self.power()?;
        loop {
            let (token, end) = self.tokens.peek()?;
            let Token::Op(op) = token else {
                return Ok(left);
            };
            let Some(level) = LEVELS.iter().position(|level| level.contains(&op)) else {
                return Ok(left);
            };
            if level < least {
                return Ok(left);
            }
            self.tokens.at = end;
            left = match op {
                "||" => {
                    let right = self.unless(left != 0, |eval| eval.binary(level + 1))?;
                    i64::from(left != 0 || right != 0)
                }
                "&&" => {
                    let right = self.unless(left == 0, |eval| eval.binary(level + 1))?;
                    i64::from(left != 0 && right != 0)
                }
                _ => {
                    let right = self.binary(level + 1)?;
                    self.apply(op, left, right)?
                }
            };
        }
    }

    fn power(&mut self) -> Result<i64> {
        let base = self.unary()?;
        if !self.eat("**")? {
            return Ok(base);
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Error::TooDeep);
        }
        let exponent = self.power()?;
        self.depth -= 1;
        self.apply("**", base, exponent)
    }

    fn apply(&self, op: &str, left: i64, right: i64) -> Result<i64> {
        Ok(match op {
            "|" => left | right,
            "^" => left ^ right,
            "&" => left & right,
            "==" => i64::from(left == right),
            "!=" => i64::from(left != right),
            "<=" => i64::from(left <= right),
            ">=" => i64::from(left >= right),
            "<" => i64::from(left < right),
            ">" => i64::from(left > right),
            // As the processors that C runs on do it: modulo the width.
            "<<" => left.wrapping_shl(right as u32),
            ">>" => left.wrapping_shr(right as u32),
            "+" => left.wrapping_add(right),
            "-" => left.wrapping_sub(right),
            "*" => left.wrapping_mul(right),
            "/" | "%" if right == 0 => {
                if self.skipping > 0 {
                    return Ok(0);
                }
                return Err(Error::DivisionByZero);
            }
            "/" => left.wrapping_div(right),
            "%" => left.wrapping_rem(right),
            "**" if right < 0 => return Err(Error::NegativeExponent),
            "**" => {
                let (mut value, mut base, mut rest) = (1_i64, left, right);
                while rest > 0 {
                    if rest & 1 == 1 {
                        value = value.wrapping_mul(base);
                    }
                    base = base.wrapping_mul(base);
                    rest >>= 1;
                }
                value
            }
            _ => return self.tokens.error(),
        })
    }

    fn unary(&mut self) -> Result<i64> {
        let (token, end) = self.tokens.peek()?;
        let Token::Op(op) = token else {
            return self.postfix();
        };
        if !matches!(op, "+" | "-" | "!" | "~" | "++" | "--") {
            return self.postfix();
        }
        self.tokens.at = end;
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Error::TooDeep);
        }
        let value = match op {
            "++" | "--" => {
                let step = if op == "++" { 1 } else { -1 };
                match self.place()? {
                    Some(place) => {
                        let value = self.value(&place)?.wrapping_add(step);
                        self.set(&place, value)?;
                        value
                    }
                    // `--1` is minus minus one.
                    None => self.unary()?,
                }
            }
            "+" => self.unary()?,
            "-" => self.unary()?.wrapping_neg(),
            "!" => i64::from(self.unary()? == 0),
            _ => !self.unary()?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn postfix(&mut self) -> Result<i64> {
        let Some(place) = self.place()? else {
            return self.primary();
        };
        let value = self.value(&place)?;
        for (op, step) in [("++", 1), ("--", -1)] {
            if self.eat(op)? {
                self.set(&place, value.wrapping_add(step))?;
            }
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<i64> {
        let (token, end) = self.tokens.peek()?;
        match token {
            Token::Number(value) => {
                self.tokens.at = end;
                Ok(value)
            }
            Token::Op("(") => {
                self.tokens.at = end;
                let value = self.comma()?;
                if self.eat(")")? {
                    Ok(value)
                } else {
                    self.tokens.error()
                }
            }
            _ => self.tokens.error(),
        }
    }

    fn value(&mut self, place: &Place) -> Result<i64> {
        if self.skipping > 0 {
            return Ok(0);
        }
        let text = self.variables.get(&place.name, place.index.as_deref())?;
        // A variable's value is an expression of its own.
        at_depth(&text, self.variables, self.depth + 1)
    }

    fn set(&mut self, place: &Place, value: i64) -> Result<()> {
        if self.skipping > 0 {
            return Ok(());
        }
        self.variables
            .set(&place.name, place.index.as_deref(), value)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Default)]
    struct Map(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Variables for Map {
        fn get(&mut self, name: &[u8], _index: Option<&[u8]>) -> Result<Vec<u8>> {
            Ok(self.0.get(name).cloned().unwrap_or_default())
        }

        fn set(&mut self, name: &[u8], _index: Option<&[u8]>, value: i64) -> Result<()> {
            self.0.insert(name.to_vec(), value.to_string().into_bytes());
            Ok(())
        }
    }

    fn value(text: &str) -> Result<i64> {
        evaluate(text.as_bytes(), &mut Map::default())
    }

    #[test]
    fn operators_bind_as_in_c() {
        for (text, expected) in [
            ("", 0),
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("7/2%2", 1),
            ("-7/2", -3),
            ("1<<3|1", 9),
            ("1<2==1", 1),
            ("!5+1", 1),
            ("~0", -1),
            ("2**3**2", 512),
            ("-2**2", 4),
            ("1?2:0?3:4", 2),
            ("0||3&&0", 0),
            ("5&6^3", 7),
            ("0x1F+010+2#101", 44),
            ("1,2,3", 3),
            ("--1", 1),
            ("9223372036854775807+1", i64::MIN),
            ("1 - -1", 2),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn assignments_change_variables_only_in_the_branch_taken() {
        let mut map = Map::default();
        assert_eq!(
            evaluate(
                b"a=b=3, a+=++b, c=a--, 0&&(a=100), 1?0:(a=200), a",
                &mut map
            ),
            Ok(6)
        );
        assert_eq!(map.0[&b"c"[..]], b"7");
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in ["1+", "(1", "1 2", "08", "1=2", "a b", "1?2", "@"] {
            assert!(matches!(value(text), Err(Error::Syntax(_))), "{text}");
        }
        assert_eq!(value("1/0"), Err(Error::DivisionByZero));
        assert_eq!(value("1%0"), Err(Error::DivisionByZero));
        assert_eq!(value("0&&1/0"), Ok(0));
        assert_eq!(value("2**-1"), Err(Error::NegativeExponent));
    }

    #[test]
    fn nesting_ends_with_an_error() {
        assert_eq!(
            value(&format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000))),
            Err(Error::TooDeep)
        );
        assert_eq!(value(&"-".repeat(10_000)), Err(Error::TooDeep));
        let mut map = Map::default();
        map.0.insert(b"x".to_vec(), b"x".to_vec());
        assert_eq!(evaluate(b"x", &mut map), Err(Error::TooDeep));
    }
}
