//! JSON that is harmless on a terminal too.

use std::fmt::Write;

use serde::Serialize;

use super::escape::acts;

/// `value` as one line of JSON in which every character that a terminal would act on is an escape
/// of JSON's own, so that programs read the same text.
pub(crate) fn to_terminal_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(value)?;
    if !json.chars().any(acts) {
        return Ok(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        match acts(character) {
            // Compact JSON has such characters only inside strings, where escapes are allowed.
            true => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(safe, "\\u{unit:04x}");
                }
            }
            false => safe.push(character),
        }
    }
    Ok(safe)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_escaped_is_read_back_the_same(text in any::<String>()) {
            let json = to_terminal_json(&text).unwrap();
            prop_assert!(!json.chars().any(acts));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn control_sequences_of_one_character_are_escaped() {
        assert_eq!(
            to_terminal_json(&"\u{9b}2J\u{e0001}").unwrap(),
            r#""\u009b2J\udb40\udc01""#
        );
    }
}
