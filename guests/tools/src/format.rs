//! Backslash sequences.

/// Replaces `\n`, `\t`, `\0`, `\NNN` and the others of C in `text`; unknown ones stay.
pub fn backslash(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('e') => out.push('\x1b'),
            Some('f') => out.push('\x0c'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('v') => out.push('\x0b'),
            Some('\\') => out.push('\\'),
            Some(digit @ '0'..='7') => {
                let mut value = digit.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(next) = letters.peek().and_then(|letter| letter.to_digit(8)) else {
                        break;
                    };
                    value = value * 8 + next;
                    letters.next();
                }
                out.push(char::from((value & 0x7f) as u8));
            }
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_of_c_are_replaced() {
        assert_eq!(backslash(r"a\tb\n\101\0\q\"), "a\tb\nA\0\\q\\");
    }
}
