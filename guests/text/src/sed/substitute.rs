//! `s`.

use std::rc::Rc;

use crate::regex::Pattern;

/// How letters are changed from here on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Case {
    Plain,
    Upper,
    Lower,
    /// The next letter alone.
    UpperOne,
    LowerOne,
}

pub enum Piece {
    Text(String),
    Group(usize),
    Case(Case),
}

pub struct Substitution {
    /// `None`: the last expression used.
    pub pattern: Option<Rc<Pattern>>,
    pub pieces: Vec<Piece>,
    /// The first match that is replaced, from 1.
    pub number: usize,
    pub global: bool,
    pub print: bool,
    pub file: Option<String>,
}

impl Substitution {
    /// `text` with matches replaced; `None` when there were none.
    pub fn apply(&self, pattern: &Pattern, text: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let (mut from, mut copied, mut seen) = (0, 0, 0);
        let mut last_end = None;
        let mut any = false;
        let needs_groups = self
            .pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Group(1..)));
        while from <= text.len() {
            let Some((start, end)) = pattern.find_at(text, from) else {
                break;
            };
            // Right behind a match there is no empty one.
            if start == end && last_end == Some(start) {
                from = next_letter(text, from);
                continue;
            }
            seen += 1;
            last_end = Some(end);
            from = if end > start {
                end
            } else {
                next_letter(text, end)
            };
            if seen < self.number {
                continue;
            }
            any = true;
            out.extend_from_slice(&text[copied..start]);
            let groups = if needs_groups {
                pattern.groups_at(text, start).unwrap_or_default()
            } else {
                Vec::new()
            };
            self.fill(&mut out, |number| match number {
                0 => &text[start..end],
                number => groups
                    .get(number)
                    .copied()
                    .flatten()
                    .map_or(&[][..], |(start, end)| &text[start..end]),
            });
            copied = end;
            if !self.global {
                break;
            }
        }
        out.extend_from_slice(&text[copied..]);
        any.then_some(out)
    }

    fn fill<'a>(&'a self, out: &mut Vec<u8>, group: impl Fn(usize) -> &'a [u8]) {
        let (mut case, mut one) = (Case::Plain, None);
        for piece in &self.pieces {
            let text: &[u8] = match piece {
                Piece::Text(text) => text.as_bytes(),
                Piece::Group(number) => group(*number),
                Piece::Case(new @ (Case::UpperOne | Case::LowerOne)) => {
                    one = Some(*new);
                    continue;
                }
                Piece::Case(new) => {
                    (case, one) = (*new, None);
                    continue;
                }
            };
            if case == Case::Plain && one.is_none() {
                out.extend_from_slice(text);
                continue;
            }
            let text = String::from_utf8_lossy(text);
            let mut letters = text.chars();
            if let (Some(how), Some(first)) = (one, letters.clone().next()) {
                letters.next();
                one = None;
                let first = if how == Case::UpperOne {
                    first.to_uppercase().to_string()
                } else {
                    first.to_lowercase().to_string()
                };
                out.extend_from_slice(first.as_bytes());
            }
            let rest = letters.as_str();
            let rest = match case {
                Case::Upper => rest.to_uppercase(),
                Case::Lower => rest.to_lowercase(),
                _ => rest.to_owned(),
            };
            out.extend_from_slice(rest.as_bytes());
        }
    }
}

fn next_letter(text: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while text.get(next).is_some_and(|byte| byte & 0xc0 == 0x80) {
        next += 1;
    }
    next
}
