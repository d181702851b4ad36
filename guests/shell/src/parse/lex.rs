//! Tokens.

use super::word::Until;
use super::{Parser, Result};
use crate::ast::Word;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Word(Word),
    Op(&'static str),
    /// A number right before `<` or `>`.
    Number(u32),
    Newline,
    End,
}

/// Longest first.
const OPERATORS: [&str; 25] = [
    "<<<", "<<-", "&>>", ";;&", "&&", "||", ";;", ";&", "<<", ">>", "<&", ">&", "<>", ">|", "&>",
    "|&", "&", "|", ";", "<", ">", "(", ")", "\n", "",
];

/// Whether `byte` ends a word.
pub(super) fn is_meta(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'<' | b'>' | b'(' | b')'
    )
}

impl Parser {
    pub(super) fn peek(&mut self) -> Result<&Token> {
        if self.peeked.is_none() {
            self.skip_blanks();
            let start = self.at;
            let token = self.lex()?;
            self.peeked = Some((token, start));
        }
        match &self.peeked {
            Some((token, _)) => Ok(token),
            None => Ok(&Token::End),
        }
    }

    pub(super) fn next(&mut self) -> Result<Token> {
        self.peek()?;
        let token = self.peeked.take().map_or(Token::End, |(token, _)| token);
        if token == Token::Newline {
            self.read_here_documents()?;
        }
        Ok(token)
    }

    /// Forgets the token looked at, and stands at its beginning again.
    pub(super) fn unpeek(&mut self) {
        if let Some((_, start)) = self.peeked.take() {
            self.at = start;
        }
    }

    /// Where the next token begins.
    pub(super) fn token_start(&mut self) -> usize {
        match &self.peeked {
            Some((_, start)) => *start,
            None => {
                self.skip_blanks();
                self.at
            }
        }
    }

    pub(super) fn at_op(&mut self, op: &str) -> Result<bool> {
        Ok(matches!(self.peek()?, Token::Op(found) if *found == op))
    }

    pub(super) fn eat_op(&mut self, op: &str) -> Result<bool> {
        let found = self.at_op(op)?;
        if found {
            self.next()?;
        }
        Ok(found)
    }

    pub(super) fn expect_op(&mut self, op: &str) -> Result<()> {
        if self.eat_op(op)? {
            Ok(())
        } else {
            self.unexpected(Some(op))
        }
    }

    pub(super) fn skip_newlines(&mut self) -> Result<()> {
        while *self.peek()? == Token::Newline {
            self.next()?;
        }
        Ok(())
    }

    pub(super) fn unexpected<T>(&mut self, expected: Option<&str>) -> Result<T> {
        let token = self.peek()?.clone();
        let found = match &token {
            Token::Op(op) => format!("\"{op}\" unexpected"),
            Token::Newline => "newline unexpected".to_owned(),
            Token::End => "end of file unexpected".to_owned(),
            Token::Number(_) => "redirection unexpected".to_owned(),
            Token::Word(word) => match word.constant() {
                Some(text) => format!("\"{}\" unexpected", crate::text::lossy(&text)),
                None => "word unexpected".to_owned(),
            },
        };
        let expecting = expected
            .map(|what| format!(" (expecting \"{what}\")"))
            .unwrap_or_default();
        self.error(format!("Syntax error: {found}{expecting}"))
    }

    pub(super) fn skip_blanks(&mut self) {
        loop {
            match self.byte() {
                Some(b' ' | b'\t') => self.at += 1,
                Some(b'\\') if self.byte_at(1) == Some(b'\n') => self.at += 2,
                Some(b'#') => {
                    while self.byte().is_some_and(|byte| byte != b'\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn lex(&mut self) -> Result<Token> {
        let Some(byte) = self.byte() else {
            return Ok(Token::End);
        };
        if byte == b'\n' {
            self.at += 1;
            return Ok(Token::Newline);
        }
        self.begun = true;
        if byte.is_ascii_digit()
            && let Some(number) = self.io_number()
        {
            return Ok(Token::Number(number));
        }
        let process = matches!(byte, b'<' | b'>') && self.byte_at(1) == Some(b'(');
        if is_meta(byte) && !process {
            return Ok(Token::Op(self.operator()));
        }
        Ok(Token::Word(Word(self.parts(Until::Meta, false)?)))
    }

    fn operator(&mut self) -> &'static str {
        for op in OPERATORS {
            let found = op.bytes().enumerate().all(|(at, byte)| {
                // Bytes of an operator are on one line: no other line is fetched to look for more of it.
                if at == 0 {
                    self.byte() == Some(byte)
                } else {
                    self.text.get(self.at + at) == Some(&byte)
                }
            });
            if found {
                self.at += op.len();
                return op;
            }
        }
        ""
    }

    fn io_number(&mut self) -> Option<u32> {
        let digits = self.text[self.at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        match self.text.get(self.at + digits) {
            Some(b'<' | b'>') => {}
            _ => return None,
        }
        let number = std::str::from_utf8(&self.text[self.at..self.at + digits])
            .ok()?
            .parse()
            .ok()?;
        self.at += digits;
        Some(number)
    }
}
