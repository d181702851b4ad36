//! Regular expressions of POSIX, on `regex`'s engines.

mod bracket;
mod posix;

use regex::bytes;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::{Anchored, Input, MatchKind, util::syntax};
use std::cell::RefCell;

pub use posix::{Syntax, translate};

/// Compiled expressions of more than this are refused.
const SIZE_LIMIT: usize = 32 << 20;

/// How an expression is understood, beyond its syntax.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flags {
    pub ignore_case: bool,
    /// `.` and `[^x]` take a newline, too.
    pub newline: bool,
}

/// A compiled expression.
pub struct Pattern {
    engine: Engine,
    longest: Option<Longest>,
}

enum Engine {
    Plain(bytes::Regex),
    /// With back-references or look-around: works on text alone.
    Fancy(fancy_regex::Regex),
}

impl Pattern {
    /// Compiles `pattern`. `longest`: among matches at one place the longest counts, as POSIX says; otherwise the
    /// first alternative, as Perl says.
    pub fn new(pattern: &str, fancy: bool, longest: bool, flags: Flags) -> Result<Self, String> {
        if fancy {
            let mut builder = fancy_regex::RegexBuilder::new(pattern);
            builder.case_insensitive(flags.ignore_case);
            let engine = builder.build().map_err(|error| error.to_string())?;
            return Ok(Self {
                engine: Engine::Fancy(engine),
                longest: None,
            });
        }
        let engine = bytes::RegexBuilder::new(pattern)
            .case_insensitive(flags.ignore_case)
            .dot_matches_new_line(flags.newline)
            .size_limit(SIZE_LIMIT)
            .build()
            .map_err(|error| short(&error.to_string()))?;
        let longest = if longest && may_be_longer(pattern) {
            Longest::new(pattern, flags)
        } else {
            None
        };
        Ok(Self {
            engine: Engine::Plain(engine),
            longest,
        })
    }

    /// An expression in the syntax of POSIX.
    pub fn posix(pattern: &str, syntax: Syntax, flags: Flags) -> Result<Self, String> {
        let translated = translate(pattern, syntax)?;
        Self::new(&translated.pattern, translated.references, true, flags)
    }

    /// Whether it matches anywhere in `text`.
    pub fn is_match(&self, text: &[u8]) -> bool {
        match &self.engine {
            Engine::Plain(engine) => engine.is_match(text),
            Engine::Fancy(_) => self.find_at(text, 0).is_some(),
        }
    }

    /// The first match that starts at `from` or later.
    pub fn find_at(&self, text: &[u8], from: usize) -> Option<(usize, usize)> {
        match &self.engine {
            Engine::Plain(engine) => {
                let found = engine.find_at(text, from)?;
                let end = self
                    .longest
                    .as_ref()
                    .and_then(|longest| longest.end(text, found.start()));
                Some((found.start(), end.unwrap_or(found.end()).max(found.end())))
            }
            Engine::Fancy(engine) => {
                // Of text that is not UTF-8 the part before the first bad byte is searched.
                let text = match std::str::from_utf8(text) {
                    Ok(text) => text,
                    Err(error) => {
                        std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default()
                    }
                };
                if !text.is_char_boundary(from) {
                    return None;
                }
                let found = engine.find_from_pos(text, from).ok()??;
                Some((found.start(), found.end()))
            }
        }
    }

    /// The groups of the first match at `from` or later; the whole is the first.
    pub fn groups_at(&self, text: &[u8], from: usize) -> Option<Vec<Option<(usize, usize)>>> {
        match &self.engine {
            Engine::Plain(engine) => {
                let found = engine.captures_at(text, from)?;
                Some(
                    found
                        .iter()
                        .map(|group| group.map(|group| (group.start(), group.end())))
                        .collect(),
                )
            }
            Engine::Fancy(engine) => {
                let text = std::str::from_utf8(text).ok()?;
                let found = engine.captures_from_pos(text, from).ok()??;
                Some(
                    found
                        .iter()
                        .map(|group| group.map(|group| (group.start(), group.end())))
                        .collect(),
                )
            }
        }
    }
}

/// The last line of an error: the others point into the translated expression, which nobody wrote.
fn short(error: &str) -> String {
    let last = error.lines().last().unwrap_or(error);
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Whether the first way to match may not be the longest.
fn may_be_longer(pattern: &str) -> bool {
    pattern.contains(['|', '?', '*', '{'])
}

/// Finds the longest match at a place.
struct Longest {
    dfa: DFA,
    cache: RefCell<Cache>,
}

impl Longest {
    fn new(pattern: &str, flags: Flags) -> Option<Self> {
        let syntax = syntax::Config::new()
            .utf8(false)
            .case_insensitive(flags.ignore_case)
            .dot_matches_new_line(flags.newline);
        let dfa = DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .unicode_word_boundary(true)
                    .skip_cache_capacity_check(true),
            )
            .syntax(syntax)
            .thompson(
                thompson::Config::new()
                    .utf8(false)
                    .nfa_size_limit(Some(SIZE_LIMIT)),
            )
            .build(pattern)
            .ok()?;
        let cache = RefCell::new(dfa.create_cache());
        Some(Self { dfa, cache })
    }

    /// Where the longest match that starts at `start` ends; `None` when this engine cannot say.
    fn end(&self, text: &[u8], start: usize) -> Option<usize> {
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        let found = self
            .dfa
            .try_search_fwd(&mut self.cache.borrow_mut(), &input)
            .ok()??;
        Some(found.offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(pattern: &str, syntax: Syntax, text: &str) -> Option<(usize, usize)> {
        Pattern::posix(pattern, syntax, Flags::default())
            .unwrap()
            .find_at(text.as_bytes(), 0)
    }

    #[test]
    fn the_longest_match_counts() {
        assert_eq!(find("ab|abcd", Syntax::Extended, "xabcd"), Some((1, 5)));
        assert_eq!(find("a?(ab)?", Syntax::Extended, "ab"), Some((0, 2)));
        assert_eq!(find("a*", Syntax::Basic, "baa"), Some((0, 0)));
    }

    #[test]
    fn basic_expressions_have_back_references() {
        assert_eq!(find("\\(.\\)\\1", Syntax::Basic, "abccd"), Some((2, 4)));
        assert_eq!(find("(.)\\1", Syntax::Extended, "abcd"), None);
    }

    #[test]
    fn a_bad_expression_says_why() {
        for pattern in ["(a", "[a", "a\\", "a{2,1}"] {
            assert!(
                Pattern::posix(pattern, Syntax::Extended, Flags::default()).is_err(),
                "{pattern}"
            );
        }
    }
}
