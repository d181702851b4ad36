//! Words: quoting and what expands.

use std::rc::Rc;

use super::lex::is_meta;
use super::{Parser, Result};
use crate::ast::{Bytes, Part, Word};

/// What ends a word. The end itself is left unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// A blank or an operator.
    Meta,
    /// As `Meta`, in a value: `~` expands after `:` too.
    Value,
    /// As `Meta`, but parentheses and bars belong to it: the right side of `=~`.
    Regex,
    /// `"`
    Quote,
    /// `}`
    Brace,
    /// `}` or `/`
    Slash,
    /// `}` or `:`
    Colon,
    /// `]`
    Bracket,
    /// `))`, or `;` of `for ((`
    Arith,
    /// The end of the text.
    End,
}

/// Parts under construction.
#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn literal(&mut self, bytes: &[u8]) {
        match self.0.last_mut() {
            Some(Part::Literal(text)) => text.extend_from_slice(bytes),
            _ => self.0.push(Part::Literal(bytes.to_vec())),
        }
    }

    fn quoted(&mut self, bytes: &[u8]) {
        match self.0.last_mut() {
            Some(Part::Quoted(text)) => text.extend_from_slice(bytes),
            _ => self.0.push(Part::Quoted(bytes.to_vec())),
        }
    }

    fn text(&mut self, double: bool, bytes: &[u8]) {
        if double {
            self.quoted(bytes)
        } else {
            self.literal(bytes)
        }
    }
}

impl Parser {
    /// Parts up to `until`. `double`: within double quotes, where fewer characters are special.
    pub(super) fn parts(&mut self, until: Until, double: bool) -> Result<Vec<Part>> {
        let mut parts = Parts::default();
        // Parentheses open within arithmetic and regular expressions.
        let mut depth = 0_u32;
        loop {
            let Some(byte) = self.byte() else {
                match until {
                    Until::Meta | Until::Value | Until::Regex | Until::End => return Ok(parts.0),
                    Until::Quote => return self.unterminated("quoted string"),
                    _ => return self.error("Syntax error: Missing '}'"),
                }
            };
            if self.ends(until, byte, &mut depth) {
                return Ok(parts.0);
            }
            match byte {
                b'\\' => self.backslash(until, double, &mut parts)?,
                b'$' => self.dollar(double, &mut parts)?,
                b'`' => {
                    self.at += 1;
                    let part = self.backquoted(double)?;
                    parts.0.push(part);
                }
                b'"' if until != Until::End && until != Until::Quote => {
                    self.at += 1;
                    let inner = self.parts(Until::Quote, true)?;
                    self.at += 1;
                    parts.0.push(Part::Double(inner));
                }
                b'\'' if !double => {
                    self.at += 1;
                    let text = self.single_quoted()?;
                    parts.quoted(&text);
                }
                b'<' | b'>' if until == Until::Meta && self.byte_at(1) == Some(b'(') => {
                    self.at += 2;
                    let body = self.command_substitution()?;
                    parts.0.push(Part::Process(byte == b'<', body));
                }
                b'~' if !double && self.tilde_may_begin(until, &parts.0) => {
                    self.tilde(until, &mut parts)
                }
                _ => {
                    let start = self.at;
                    self.at += 1;
                    if until == Until::Meta || until == Until::Quote {
                        self.plain_run(until);
                    }
                    let text = self.text[start..self.at].to_vec();
                    parts.text(double, &text);
                }
            }
        }
    }

    /// Goes over bytes that mean nothing special in any context of words and quotes.
    fn plain_run(&mut self, until: Until) {
        while let Some(&byte) = self.text.get(self.at) {
            let plain = byte.is_ascii_alphanumeric()
                || matches!(byte, b'_' | b'-' | b'.' | b'/' | b'=' | b',' | b'%' | b'+')
                || (until == Until::Quote
                    && matches!(byte, b' ' | b'\n' | b':' | b';' | b'(' | b')'));
            if !plain {
                return;
            }
            self.at += 1;
        }
    }

    fn ends(&mut self, until: Until, byte: u8, depth: &mut u32) -> bool {
        match until {
            Until::Meta | Until::Value => {
                is_meta(byte)
                    && !(until == Until::Meta
                        && matches!(byte, b'<' | b'>')
                        && self.byte_at(1) == Some(b'('))
            }
            Until::Regex => match byte {
                b'(' => {
                    *depth += 1;
                    false
                }
                b')' if *depth > 0 => {
                    *depth -= 1;
                    false
                }
                b'|' | b'<' | b'>' => false,
                b' ' | b'\t' => *depth == 0,
                _ => is_meta(byte),
            },
            Until::Quote => byte == b'"',
            Until::Brace => byte == b'}',
            Until::Slash => byte == b'}' || byte == b'/',
            Until::Colon => match byte {
                b'(' => {
                    *depth += 1;
                    false
                }
                b')' => {
                    *depth = depth.saturating_sub(1);
                    false
                }
                _ => byte == b'}' || (byte == b':' && *depth == 0),
            },
            Until::Bracket => match byte {
                b'[' => {
                    *depth += 1;
                    false
                }
                b']' if *depth > 0 => {
                    *depth -= 1;
                    false
                }
                _ => byte == b']',
            },
            Until::Arith => match byte {
                b'(' => {
                    *depth += 1;
                    false
                }
                b')' if *depth > 0 => {
                    *depth -= 1;
                    false
                }
                _ => byte == b')' || (byte == b';' && *depth == 0),
            },
            Until::End => false,
        }
    }

    fn backslash(&mut self, until: Until, double: bool, parts: &mut Parts) -> Result<()> {
        let next = self.byte_at(1);
        let Some(next) = next else {
            self.at += 1;
            parts.text(true, b"\\");
            return Ok(());
        };
        self.at += 2;
        if next == b'\n' {
            return Ok(());
        }
        if !double {
            // The whole character, so that what follows the first byte is not looked at.
            parts.quoted(&[next]);
            return Ok(());
        }
        let escapes = match next {
            b'$' | b'`' | b'\\' => true,
            b'"' => until != Until::End,
            b'}' => matches!(until, Until::Brace | Until::Slash | Until::Colon),
            _ => false,
        };
        if escapes {
            parts.quoted(&[next])
        } else {
            parts.quoted(&[b'\\', next])
        }
        Ok(())
    }

    fn single_quoted(&mut self) -> Result<Bytes> {
        let mut out = Bytes::new();
        loop {
            match self.byte() {
                None => return self.unterminated("quoted string"),
                Some(b'\'') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(byte) => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn dollar(&mut self, double: bool, parts: &mut Parts) -> Result<()> {
        self.at += 1;
        self.skip_continuations();
        match self.byte() {
            Some(b'(') => {
                let part = self.parenthesised()?;
                parts.0.push(part);
            }
            Some(b'{') => {
                self.at += 1;
                let param = self.braced(double)?;
                parts.0.push(Part::Param(Box::new(param)));
            }
            Some(b'\'') if !double => {
                self.at += 1;
                let text = self.ansi_quoted()?;
                parts.quoted(&text);
            }
            Some(b'"') if !double => {}
            _ => match self.short_param() {
                Some(param) => parts.0.push(Part::Param(Box::new(param))),
                None => parts.text(double, b"$"),
            },
        }
        Ok(())
    }

    /// `$((…))` or `$(…)`, at the first parenthesis.
    fn parenthesised(&mut self) -> Result<Part> {
        let start = self.at;
        if self.byte_at(1) == Some(b'(')
            && let Some(word) = self.arithmetic()?
        {
            return Ok(Part::Arith(word));
        }
        self.at = start + 1;
        Ok(Part::Command(self.command_substitution()?))
    }

    /// The inside of `((…))`, standing at it; `None`, standing there again, when it is something else.
    pub(super) fn arithmetic(&mut self) -> Result<Option<Word>> {
        let start = self.at;
        if self.not_arith.contains(&start) {
            return Ok(None);
        }
        self.at += 2;
        let pending = self.pending.len();
        if let Ok(parts) = self.parts(Until::Arith, true)
            && self.byte() == Some(b')')
            && self.byte_at(1) == Some(b')')
        {
            self.at += 2;
            return Ok(Some(Word(parts)));
        }
        self.at = start;
        self.peeked = None;
        self.pending.truncate(pending);
        self.not_arith.insert(start);
        Ok(None)
    }

    /// The commands up to `)`, which is read.
    fn command_substitution(&mut self) -> Result<Rc<crate::ast::List>> {
        let pending = std::mem::take(&mut self.pending);
        let list = self.list()?;
        self.expect_op(")")?;
        let inner = std::mem::replace(&mut self.pending, pending);
        self.pending.extend(inner);
        Ok(Rc::new(list))
    }

    fn backquoted(&mut self, double: bool) -> Result<Part> {
        let mut text = Bytes::new();
        loop {
            let Some(byte) = self.byte() else {
                return self.error("Syntax error: EOF in backquote substitution");
            };
            self.at += 1;
            match byte {
                b'`' => break,
                b'\\' => match self.byte() {
                    Some(next @ (b'$' | b'`' | b'\\')) => {
                        text.push(next);
                        self.at += 1;
                    }
                    Some(b'"') if double => {
                        text.push(b'"');
                        self.at += 1;
                    }
                    _ => text.push(b'\\'),
                },
                _ => text.push(byte),
            }
        }
        let list = self.nested(text).all_commands()?;
        Ok(Part::Command(Rc::new(list)))
    }

    fn tilde_may_begin(&self, until: Until, parts: &[Part]) -> bool {
        match (until, parts) {
            (Until::Meta | Until::Value | Until::Brace, []) => true,
            (Until::Value, [.., Part::Literal(text)]) => text.last() == Some(&b':'),
            (Until::Value, [.., Part::Tilde(_)]) => self.at > 0 && self.text[self.at - 1] == b':',
            _ => false,
        }
    }

    fn tilde(&mut self, until: Until, parts: &mut Parts) {
        self.at += 1;
        let start = self.at;
        let mut end = start;
        while let Some(byte) = self.byte_at(end - self.at) {
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+')) {
                break;
            }
            end += 1;
        }
        let follows = self.byte_at(end - self.at);
        let stops = match follows {
            None | Some(b'/') => true,
            Some(b':') => until == Until::Value,
            Some(b'}') => until == Until::Brace,
            Some(byte) => is_meta(byte),
        };
        if stops {
            let name = self.text[start..end].to_vec();
            self.at = end;
            parts.0.push(Part::Tilde(name));
        } else {
            parts.literal(b"~");
        }
    }
}
