//! Aliases: the text is replaced before it is read.

use super::lex::Token;
use super::{Parser, Result};

impl Parser {
    /// If the next token is a word that stands for an alias, puts the alias's text in its place.
    pub(super) fn expand_aliases(&mut self) -> Result<()> {
        loop {
            let Token::Word(word) = self.peek()? else {
                return Ok(());
            };
            let Some(name) = word.literal() else {
                return Ok(());
            };
            let name = name.to_vec();
            let start = self.token_start();
            self.replacing.retain(|&(_, end)| end > start);
            if self.replacing.iter().any(|(known, _)| *known == name) {
                return Ok(());
            }
            let Some(replacement) = self.aliases.borrow().get(&name).cloned() else {
                return Ok(());
            };
            let end = self.at;
            self.unpeek();
            // An alias ending in a blank makes the next word a candidate too.
            let more = replacement
                .last()
                .is_some_and(|byte| matches!(byte, b' ' | b'\t'));
            let grown = replacement.len() as isize - (end - start) as isize;
            for (_, until) in &mut self.replacing {
                *until = until.saturating_add_signed(grown);
            }
            // Positions remembered from before the replacement mean nothing after it.
            self.not_arith.clear();
            self.line_number();
            self.text.splice(start..end, replacement.iter().copied());
            self.replacing.push((name, start + replacement.len()));
            if more {
                self.expand_next_word(start + replacement.len())?;
            }
        }
    }

    fn expand_next_word(&mut self, after: usize) -> Result<()> {
        let saved = self.at;
        self.at = after;
        self.expand_aliases()?;
        self.peeked = None;
        self.at = saved;
        Ok(())
    }
}
