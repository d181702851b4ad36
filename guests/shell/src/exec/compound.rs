//! Compound commands.

use crate::ast::{Arm, ArmEnd, Compound, List, Word};
use crate::flow::{Flow, Run};
use crate::pattern;
use crate::shell::Shell;

/// What a loop does after a round.
enum Round {
    Next,
    Leave,
}

impl Shell {
    pub(super) fn run_compound(&mut self, body: &Compound, tail: bool) -> Run {
        match body {
            Compound::Group(list) => self.run_list(list, tail),
            Compound::Subshell(list) => self.run_subshell(list),
            Compound::If {
                branches,
                otherwise,
            } => {
                for (test, body) in branches {
                    if self.run_test_list(test)? == 0 {
                        return self.run_list(body, tail);
                    }
                }
                match otherwise {
                    Some(body) => self.run_list(body, tail),
                    None => Ok(0),
                }
            }
            Compound::While { until, test, body } => self.run_while(*until, test, body),
            Compound::For { name, words, body } => self.run_for(name, words.as_deref(), body),
            Compound::ArithFor { parts, body } => self.run_arith_for(parts, body),
            Compound::Case { word, arms } => self.run_case(word, arms, tail),
            Compound::Test(test) => Ok(i32::from(!self.test(test)?)),
            Compound::Arith(word) => {
                let text = self.expand_text(word)?;
                Ok(i32::from(self.arithmetic(&text)? == 0))
            }
        }
    }

    /// Runs commands whose status is only asked: `-e` does not apply.
    fn run_test_list(&mut self, list: &List) -> Run {
        self.tested += 1;
        let result = self.run_list(list, false);
        self.tested -= 1;
        result
    }

    /// Runs `body` as one round of a loop.
    fn round(&mut self, status: &mut i32, body: impl FnOnce(&mut Self) -> Run) -> Run<Round> {
        self.loops += 1;
        let result = body(self);
        self.loops -= 1;
        match result {
            Ok(last) => *status = last,
            Err(Flow::Break(1)) => {
                *status = 0;
                return Ok(Round::Leave);
            }
            Err(Flow::Continue(1)) => *status = 0,
            Err(Flow::Break(outer)) => return Err(Flow::Break(outer - 1)),
            Err(Flow::Continue(outer)) => return Err(Flow::Continue(outer - 1)),
            Err(other) => return Err(other),
        }
        Ok(Round::Next)
    }

    fn run_while(&mut self, until: bool, test: &List, body: &List) -> Run {
        let mut status = 0;
        loop {
            let mut holds = true;
            let mut last = status;
            // `break` in the condition leaves the loop as well.
            let round = self.round(&mut last, |shell| {
                holds = (shell.run_test_list(test)? == 0) != until;
                if holds {
                    shell.run_list(body, false)
                } else {
                    Ok(0)
                }
            })?;
            if holds {
                status = last;
            }
            if !holds || matches!(round, Round::Leave) {
                return Ok(status);
            }
        }
    }

    fn run_for(&mut self, name: &[u8], words: Option<&[Word]>, body: &List) -> Run {
        let values = match words {
            Some(words) => self.expand_words(words)?,
            None => self.args.to_vec(),
        };
        let mut status = 0;
        for value in values {
            self.set(name, value)?;
            if let Round::Leave = self.round(&mut status, |shell| shell.run_list(body, false))? {
                break;
            }
        }
        Ok(status)
    }

    fn run_arith_for(&mut self, parts: &[Word; 3], body: &List) -> Run {
        let evaluate = |shell: &mut Self, word: &Word| -> Run<i64> {
            let text = shell.expand_text(word)?;
            shell.arithmetic(&text)
        };
        let [first, test, step] = parts;
        let mut status = 0;
        evaluate(self, first)?;
        while test.0.is_empty() || evaluate(self, test)? != 0 {
            if let Round::Leave = self.round(&mut status, |shell| shell.run_list(body, false))? {
                break;
            }
            evaluate(self, step)?;
        }
        Ok(status)
    }

    fn run_case(&mut self, word: &Word, arms: &[Arm], tail: bool) -> Run {
        let text = self.expand_text(word)?;
        let mut status = 0;
        let mut falls = false;
        for arm in arms {
            if !falls && !self.arm_matches(arm, &text)? {
                continue;
            }
            status = self.run_list(&arm.body, tail && arm.then == ArmEnd::Leave)?;
            match arm.then {
                ArmEnd::Leave => break,
                ArmEnd::FallThrough => falls = true,
                ArmEnd::TryNext => falls = false,
            }
        }
        Ok(status)
    }

    fn arm_matches(&mut self, arm: &Arm, text: &[u8]) -> Run<bool> {
        for pattern in &arm.patterns {
            let pattern = self.expand_pattern(pattern)?;
            if pattern::matches(&pattern, text) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
