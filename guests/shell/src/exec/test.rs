//! `[[ … ]]`.

use std::collections::BTreeMap;

use crate::ast::{Bytes, Part, Test, Word};
use crate::builtins::test::{binary, unary};
use crate::flow::Run;
use crate::pattern;
use crate::shell::Shell;
use crate::text;
use crate::vars::Value;

impl Shell {
    pub(super) fn test(&mut self, test: &Test) -> Run<bool> {
        Ok(match test {
            Test::Not(inner) => !self.test(inner)?,
            Test::And(left, right) => self.test(left)? && self.test(right)?,
            Test::Or(left, right) => self.test(left)? || self.test(right)?,
            Test::Word(word) => !self.expand_text(word)?.is_empty(),
            Test::Unary(op, word) => {
                let text = self.expand_text(word)?;
                match unary(self, op, &text) {
                    Some(answer) => answer,
                    None => {
                        return self.fail(&format!("[[: {}: unknown operator", text::lossy(op)));
                    }
                }
            }
            Test::Binary(left, op, right) => {
                let left = self.expand_text(left)?;
                self.compare(&left, op, right)?
            }
        })
    }

    fn compare(&mut self, left: &[u8], op: &[u8], right: &Word) -> Run<bool> {
        match op {
            b"=" | b"==" | b"!=" => {
                let pattern = self.expand_pattern(right)?;
                Ok(pattern::matches(&pattern, left) == (op != b"!="))
            }
            b"=~" => self.matches_regex(left, right),
            b"-eq" | b"-ne" | b"-lt" | b"-le" | b"-gt" | b"-ge" => {
                let right = self.expand_text(right)?;
                let (left, right) = (self.arithmetic(left)?, self.arithmetic(&right)?);
                Ok(match op {
                    b"-eq" => left == right,
                    b"-ne" => left != right,
                    b"-lt" => left < right,
                    b"-le" => left <= right,
                    b"-gt" => left > right,
                    _ => left >= right,
                })
            }
            _ => {
                let right = self.expand_text(right)?;
                match binary(self, left, op, &right) {
                    Some(Ok(answer)) => Ok(answer),
                    _ => self.fail(&format!("[[: {}: unknown operator", text::lossy(op))),
                }
            }
        }
    }

    fn matches_regex(&mut self, left: &[u8], right: &Word) -> Run<bool> {
        let mut source = Bytes::new();
        for part in &right.0 {
            // What is quoted means itself; a backslash in the script stays one for the expression.
            let one = Word(vec![part.clone()]);
            let text = self.expand_text(&one)?;
            match part {
                Part::Quoted(_) | Part::Double(_) => source.extend(escape(&text)),
                _ => source.extend(text),
            }
        }
        let source = text::lossy(&source).into_owned();
        let Ok(regex) = regex_lite::Regex::new(&source) else {
            return self.fail(&format!("[[: invalid regular expression `{source}'"));
        };
        let subject = text::lossy(left).into_owned();
        let Some(found) = regex.captures(&subject) else {
            return Ok(false);
        };
        let groups: BTreeMap<i64, Bytes> = found
            .iter()
            .enumerate()
            .map(|(at, group)| {
                (
                    at as i64,
                    group.map_or_else(Bytes::new, |group| group.as_str().into()),
                )
            })
            .collect();
        self.writable(b"BASH_REMATCH")?.value = Some(Value::Array(groups));
        Ok(true)
    }
}

fn escape(text: &[u8]) -> Bytes {
    let mut out = Bytes::new();
    for &byte in text {
        if byte.is_ascii_punctuation() {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out
}
