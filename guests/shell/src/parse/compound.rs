//! Compound commands.

use std::rc::Rc;

use super::lex::Token;
use super::word::Until;
use super::{Parser, Result};
use crate::ast::{Arm, ArmEnd, Command, Compound, List, Word};
use crate::text;

impl Parser {
    /// The compound command or function definition that comes next, if one does.
    pub(super) fn compound(&mut self) -> Result<Option<Command>> {
        let line = self.line_of_token();
        let body = match self.peek()? {
            Token::Op("(") => self.parenthesis()?,
            Token::Word(word) => match word.literal() {
                Some(b"{") => {
                    self.next()?;
                    let list = self.nonempty_list()?;
                    self.expect_reserved("}")?;
                    Compound::Group(list)
                }
                Some(b"if") => self.if_command()?,
                Some(b"for") => self.for_command()?,
                Some(b"while") => self.while_command(false)?,
                Some(b"until") => self.while_command(true)?,
                Some(b"case") => self.case_command()?,
                Some(b"[[") => {
                    self.next()?;
                    Compound::Test(self.test_command()?)
                }
                Some(b"function") => return self.function_keyword().map(Some),
                _ => return Ok(None),
            },
            _ => return Ok(None),
        };
        let redirects = self.redirects()?;
        Ok(Some(Command::Compound {
            body,
            redirects,
            line,
        }))
    }

    fn parenthesis(&mut self) -> Result<Compound> {
        let start = self.token_start();
        if self.text.get(start + 1) == Some(&b'(') {
            self.unpeek();
            self.at = start;
            if let Some(word) = self.arithmetic()? {
                return Ok(Compound::Arith(word));
            }
        }
        self.next()?;
        let list = self.nonempty_list()?;
        self.expect_op(")")?;
        Ok(Compound::Subshell(Rc::new(list)))
    }

    fn if_command(&mut self) -> Result<Compound> {
        let mut branches = Vec::new();
        let mut otherwise = None;
        self.next()?;
        loop {
            let test = self.nonempty_list()?;
            self.expect_reserved("then")?;
            branches.push((test, self.nonempty_list()?));
            if self.eat_reserved("elif")? {
                continue;
            }
            if self.eat_reserved("else")? {
                otherwise = Some(self.nonempty_list()?);
            }
            self.expect_reserved("fi")?;
            return Ok(Compound::If {
                branches,
                otherwise,
            });
        }
    }

    fn do_group(&mut self) -> Result<List> {
        self.expect_reserved("do")?;
        let list = self.nonempty_list()?;
        self.expect_reserved("done")?;
        Ok(list)
    }

    fn while_command(&mut self, until: bool) -> Result<Compound> {
        self.next()?;
        let test = self.nonempty_list()?;
        let body = self.do_group()?;
        Ok(Compound::While { until, test, body })
    }

    fn for_command(&mut self) -> Result<Compound> {
        self.next()?;
        if self.at_op("(")? {
            return self.arith_for();
        }
        let Token::Word(word) = self.next()? else {
            return self.error("Syntax error: Bad for loop variable");
        };
        let Some(name) = word
            .literal()
            .filter(|name| text::is_name(name))
            .map(<[u8]>::to_vec)
        else {
            return self.error("Syntax error: Bad for loop variable");
        };
        self.skip_newlines()?;
        let words = if self.eat_reserved("in")? {
            let mut words = Vec::new();
            while matches!(self.peek()?, Token::Word(_)) {
                if let Token::Word(word) = self.next()? {
                    words.push(word);
                }
            }
            if !self.eat_op(";")? && *self.peek()? != Token::Newline {
                return self.unexpected(None);
            }
            Some(words)
        } else {
            self.eat_op(";")?;
            None
        };
        self.skip_newlines()?;
        let body = self.loop_body()?;
        Ok(Compound::For { name, words, body })
    }

    fn loop_body(&mut self) -> Result<List> {
        if self.eat_reserved("{")? {
            let list = self.nonempty_list()?;
            self.expect_reserved("}")?;
            return Ok(list);
        }
        self.do_group()
    }

    fn arith_for(&mut self) -> Result<Compound> {
        let start = self.token_start();
        if self.text.get(start + 1) != Some(&b'(') {
            return self.unexpected(None);
        }
        self.unpeek();
        self.at = start + 2;
        let mut parts: [Word; 3] = Default::default();
        for (number, part) in parts.iter_mut().enumerate() {
            *part = Word(self.parts(Until::Arith, true)?);
            if number < 2 && !self.eat(b';') {
                return self.error("Syntax error: Bad for loop");
            }
        }
        if !(self.eat(b')') && self.eat(b')')) {
            return self.error("Syntax error: Bad for loop");
        }
        self.eat_op(";")?;
        self.skip_newlines()?;
        let body = self.loop_body()?;
        Ok(Compound::ArithFor {
            parts: Box::new(parts),
            body,
        })
    }

    fn case_command(&mut self) -> Result<Compound> {
        self.next()?;
        let Token::Word(word) = self.next()? else {
            return self.error("Syntax error: word expected after case");
        };
        self.skip_newlines()?;
        self.expect_reserved("in")?;
        let mut arms = Vec::new();
        loop {
            self.skip_newlines()?;
            if self.eat_reserved("esac")? {
                return Ok(Compound::Case { word, arms });
            }
            let arm = self.arm()?;
            let last = arm.1.is_none();
            arms.push(arm.0);
            if last {
                self.expect_reserved("esac")?;
                return Ok(Compound::Case { word, arms });
            }
        }
    }

    fn arm(&mut self) -> Result<(Arm, Option<()>)> {
        self.eat_op("(")?;
        let mut patterns = Vec::new();
        loop {
            match self.peek()? {
                Token::Word(_) => {}
                _ => return self.unexpected(None),
            }
            if let Token::Word(pattern) = self.next()? {
                patterns.push(pattern);
            }
            if !self.eat_op("|")? {
                break;
            }
        }
        self.expect_op(")")?;
        let body = self.list()?;
        let then = match self.peek()? {
            Token::Op(";;") => Some(ArmEnd::Leave),
            Token::Op(";&") => Some(ArmEnd::FallThrough),
            Token::Op(";;&") => Some(ArmEnd::TryNext),
            _ => None,
        };
        if then.is_some() {
            self.next()?;
        }
        let arm = Arm {
            patterns,
            body,
            then: then.unwrap_or(ArmEnd::Leave),
        };
        Ok((arm, then.map(drop)))
    }

    fn function_keyword(&mut self) -> Result<Command> {
        self.next()?;
        let Token::Word(word) = self.next()? else {
            return self.error("Syntax error: Bad function name");
        };
        let Some(name) = word.literal().map(<[u8]>::to_vec) else {
            return self.error("Syntax error: Bad function name");
        };
        if self.eat_op("(")? {
            self.expect_op(")")?;
        }
        self.function_body(name)
    }
}
