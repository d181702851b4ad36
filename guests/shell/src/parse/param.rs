//! `$x`, `${…}` and `$'…'`.

use super::word::Until;
use super::{Parser, Result};
use crate::ast::{Bytes, Index, Name, Op, Param, Place, Word};
use crate::text;

fn plain(name: Name) -> Param {
    Param {
        name,
        index: None,
        op: Op::Plain,
    }
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!')
}

impl Parser {
    /// The parameter after `$` without braces.
    pub(super) fn short_param(&mut self) -> Option<Param> {
        let byte = self.byte()?;
        if byte.is_ascii_digit() {
            self.at += 1;
            return Some(plain(Name::Positional(usize::from(byte - b'0'))));
        }
        if is_special(byte) {
            self.at += 1;
            return Some(plain(Name::Special(byte)));
        }
        self.variable_name().map(|name| plain(Name::Var(name)))
    }

    fn variable_name(&mut self) -> Option<Bytes> {
        let len = text::name_len(&self.text[self.at.min(self.text.len())..]);
        let name = self
            .text
            .get(self.at..self.at + len)
            .filter(|name| !name.is_empty())?
            .to_vec();
        self.at += len;
        Some(name)
    }

    fn param_name(&mut self) -> Option<Name> {
        let byte = self.byte()?;
        if byte.is_ascii_digit() {
            let digits = self.text[self.at..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            let number = std::str::from_utf8(&self.text[self.at..self.at + digits])
                .ok()?
                .parse()
                .ok()?;
            self.at += digits;
            return Some(Name::Positional(number));
        }
        if is_special(byte) {
            self.at += 1;
            return Some(Name::Special(byte));
        }
        self.variable_name().map(Name::Var)
    }

    /// What follows `${`, with the closing brace.
    pub(super) fn braced(&mut self, double: bool) -> Result<Param> {
        self.skip_continuations();
        let start = self.at;
        if let Some(param) = self.length_or_indirect()? {
            return Ok(param);
        }
        self.at = start;
        let Some(name) = self.param_name() else {
            return self.bad(start);
        };
        let index = self.index(&name)?;
        let op = self.operation(&name, double)?;
        match op {
            Some(op) if self.eat(b'}') => Ok(Param { name, index, op }),
            _ => self.bad(start),
        }
    }

    /// `${#x}`, `${!x}`, `${!x[@]}`, `${!x@}`; `None` when it is none of them.
    fn length_or_indirect(&mut self) -> Result<Option<Param>> {
        let sign = self.byte();
        if !matches!(sign, Some(b'#' | b'!')) {
            return Ok(None);
        }
        self.at += 1;
        let Some(name) = self.param_name() else {
            return Ok(None);
        };
        let index = self.index(&name)?;
        if sign == Some(b'#') {
            return Ok(self.eat(b'}').then_some(Param {
                name,
                index,
                op: Op::Length,
            }));
        }
        if !matches!(name, Name::Var(_) | Name::Positional(_)) {
            return Ok(None);
        }
        if matches!(index, Some(Index::All | Index::Joined)) {
            return Ok(self.eat(b'}').then_some(Param {
                name,
                index,
                op: Op::Keys,
            }));
        }
        if matches!(self.byte(), Some(b'@' | b'*')) && self.byte_at(1) == Some(b'}') {
            self.at += 2;
            return Ok(Some(Param {
                name,
                index,
                op: Op::Names,
            }));
        }
        Ok(self.eat(b'}').then_some(Param {
            name,
            index,
            op: Op::Indirect,
        }))
    }

    fn index(&mut self, name: &Name) -> Result<Option<Index>> {
        if !matches!(name, Name::Var(_)) || self.byte() != Some(b'[') {
            return Ok(None);
        }
        self.at += 1;
        let all = self.byte();
        if matches!(all, Some(b'@' | b'*')) && self.byte_at(1) == Some(b']') {
            self.at += 2;
            return Ok(Some(if all == Some(b'@') {
                Index::All
            } else {
                Index::Joined
            }));
        }
        let word = Word(self.parts(Until::Bracket, false)?);
        self.at += 1;
        Ok(Some(Index::At(word)))
    }

    fn operation(&mut self, name: &Name, double: bool) -> Result<Option<Op>> {
        let Some(byte) = self.byte() else {
            return self.error("Syntax error: Missing '}'");
        };
        if byte == b'}' {
            return Ok(Some(Op::Plain));
        }
        self.at += 1;
        Ok(Some(match byte {
            b':' => match self.byte() {
                Some(sign @ (b'-' | b'=' | b'?' | b'+')) => {
                    self.at += 1;
                    self.conditional(sign, true, double)?
                }
                _ => self.slice()?,
            },
            b'-' | b'=' | b'?' | b'+' => self.conditional(byte, false, double)?,
            b'#' | b'%' => {
                let longest = self.eat(byte);
                let pattern = Word(self.parts(Until::Brace, false)?);
                Op::Trim {
                    suffix: byte == b'%',
                    longest,
                    pattern,
                }
            }
            b'/' => self.replace()?,
            b'^' | b',' => {
                let all = self.eat(byte);
                let pattern = Word(self.parts(Until::Brace, false)?);
                Op::Case {
                    upper: byte == b'^',
                    all,
                    pattern,
                }
            }
            b'@' if !matches!(name, Name::Special(b'#' | b'?' | b'-' | b'$' | b'!')) => {
                match self.byte() {
                    Some(letter @ (b'Q' | b'U' | b'u' | b'L' | b'E' | b'P' | b'A' | b'a')) => {
                        self.at += 1;
                        Op::Transform(letter)
                    }
                    _ => return Ok(None),
                }
            }
            _ => return Ok(None),
        }))
    }

    fn conditional(&mut self, sign: u8, null: bool, double: bool) -> Result<Op> {
        let word = Word(self.parts(Until::Brace, double)?);
        Ok(match sign {
            b'-' => Op::Default { null, word },
            b'=' => Op::Assign { null, word },
            b'?' => Op::Fail { null, word },
            _ => Op::Instead { null, word },
        })
    }

    fn slice(&mut self) -> Result<Op> {
        let offset = Word(self.parts(Until::Colon, true)?);
        let length = if self.eat(b':') {
            Some(Word(self.parts(Until::Brace, true)?))
        } else {
            None
        };
        Ok(Op::Slice { offset, length })
    }

    fn replace(&mut self) -> Result<Op> {
        let place = match self.byte() {
            Some(b'/') => Place::All,
            Some(b'#') => Place::Start,
            Some(b'%') => Place::End,
            _ => Place::First,
        };
        self.at += usize::from(place != Place::First);
        let pattern = Word(self.parts(Until::Slash, false)?);
        let by = if self.eat(b'/') {
            Word(self.parts(Until::Brace, false)?)
        } else {
            Word::default()
        };
        Ok(Op::Replace { place, pattern, by })
    }

    /// Something in braces that is no expansion: reported when it is expanded.
    fn bad(&mut self, start: usize) -> Result<Param> {
        self.at = start;
        self.parts(Until::Brace, false)?;
        let text = self.text[start..self.at].to_vec();
        self.at += 1;
        Ok(Param {
            name: Name::Special(b'?'),
            index: None,
            op: Op::Bad(text),
        })
    }

    /// The inside of `$'…'`, with the closing quote.
    pub(super) fn ansi_quoted(&mut self) -> Result<Bytes> {
        let start = self.at;
        loop {
            match self.byte() {
                None => return self.unterminated("quoted string"),
                Some(b'\'') => break,
                Some(b'\\') => {
                    self.byte_at(1);
                    self.at += 2;
                }
                Some(_) => self.at += 1,
            }
        }
        let raw = self.text[start..self.at.min(self.text.len())].to_vec();
        self.at += 1;
        Ok(crate::escape::ansi(&raw))
    }
}
