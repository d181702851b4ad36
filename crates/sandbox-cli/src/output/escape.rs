//! Text from elsewhere, made harmless for a terminal.

use std::fmt::{self, Write};

/// Text that a sandbox or a server chose, shown as a field: what a terminal would act on instead
/// of show (escape sequences, carriage returns, characters that turn the direction of writing
/// round) is written as an escape. Everything else stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match acts(character) {
                true => write!(f, "\\u{{{:x}}}", u32::from(character))?,
                false => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Whether a terminal does something with `character` other than showing it.
pub(crate) fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Marks, embeddings, overrides and isolates of direction; line and paragraph
            // separators; zero-width characters, which make two names look alike.
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_are_shown_and_not_sent() {
        let shown = |text: &str| Plain(text).to_string();
        assert_eq!(shown("\u{1b}]0;owned\u{7}"), "\\u{1b}]0;owned\\u{7}");
        assert_eq!(shown("a\rb\nc"), "a\\u{d}b\\u{a}c");
        assert_eq!(shown("\u{9b}2J"), "\\u{9b}2J");
        assert_eq!(shown("txt.\u{202e}exe"), "txt.\\u{202e}exe");
        assert_eq!(shown("naïve 日本 🦀"), "naïve 日本 🦀");
    }

    proptest! {
        #[test]
        fn nothing_acts_any_more(text in any::<String>()) {
            prop_assert!(!Plain(&text).to_string().chars().any(acts));
        }
    }
}
