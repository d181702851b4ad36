//! `[[ … ]]`.

use super::lex::Token;
use super::word::Until;
use super::{Parser, Result};
use crate::ast::{Test, Word};

const BINARY: [&[u8]; 12] = [
    b"=", b"==", b"!=", b"=~", b"-eq", b"-ne", b"-lt", b"-le", b"-gt", b"-ge", b"-nt", b"-ot",
];

impl Parser {
    /// The expression after `[[`, with `]]`.
    pub(super) fn test_command(&mut self) -> Result<Test> {
        let test = self.test_or()?;
        self.expect_reserved("]]")?;
        Ok(test)
    }

    fn test_or(&mut self) -> Result<Test> {
        let mut left = self.test_and()?;
        while self.eat_op("||")? {
            left = Test::Or(Box::new(left), Box::new(self.test_and()?));
        }
        Ok(left)
    }

    fn test_and(&mut self) -> Result<Test> {
        let mut left = self.test_not()?;
        while self.eat_op("&&")? {
            left = Test::And(Box::new(left), Box::new(self.test_not()?));
        }
        Ok(left)
    }

    fn test_not(&mut self) -> Result<Test> {
        self.skip_newlines()?;
        if self.eat_reserved("!")? {
            return Ok(Test::Not(Box::new(self.test_not()?)));
        }
        if self.eat_op("(")? {
            let inner = self.test_or()?;
            self.skip_newlines()?;
            self.expect_op(")")?;
            self.skip_newlines()?;
            return Ok(inner);
        }
        let test = self.test_primary()?;
        self.skip_newlines()?;
        Ok(test)
    }

    fn test_word(&mut self) -> Result<Word> {
        match self.peek()? {
            Token::Word(_) => {}
            _ => return self.unexpected(None),
        }
        match self.next()? {
            Token::Word(word) => Ok(word),
            _ => Ok(Word::default()),
        }
    }

    fn test_primary(&mut self) -> Result<Test> {
        if self.peek_reserved()? == Some(b"]]") {
            return self.unexpected(None);
        }
        let first = self.test_word()?;
        let unary = first
            .literal()
            .filter(|op| op.len() == 2 && op[0] == b'-')
            .map(<[u8]>::to_vec);
        if let Some(op) = unary
            && matches!(self.peek()?, Token::Word(word) if word.literal() != Some(b"]]"))
            && !self.at_binary()?
        {
            return Ok(Test::Unary(op, self.test_word()?));
        }
        let op: Vec<u8> = match self.peek()? {
            Token::Op(op @ ("<" | ">")) => op.as_bytes().to_vec(),
            Token::Word(word) => match word.literal() {
                Some(op) if BINARY.contains(&op) || op == b"-ef" => op.to_vec(),
                _ => return Ok(Test::Word(first)),
            },
            _ => return Ok(Test::Word(first)),
        };
        self.next()?;
        if op == b"=~" {
            self.skip_blanks();
            let regex = Word(self.parts(Until::Regex, false)?);
            return Ok(Test::Binary(first, op, regex));
        }
        Ok(Test::Binary(first, op, self.test_word()?))
    }

    fn at_binary(&mut self) -> Result<bool> {
        Ok(match self.peek()? {
            Token::Word(word) => word.literal().is_some_and(|op| BINARY.contains(&op)),
            _ => false,
        })
    }
}
