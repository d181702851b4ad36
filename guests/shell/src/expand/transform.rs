//! What `${x/p/r}`, `${x^}`, `${x:o:l}` and `${x@Q}` make of a text.

use crate::ast::{Bytes, Place};
use crate::{escape, pattern, text};

/// `text` with matches of `pattern` replaced.
pub(super) fn replace(text: &[u8], pattern: &[u8], by: &[u8], place: Place) -> Bytes {
    match place {
        Place::Start => match pattern::longest_prefix(text, pattern) {
            Some(len) => [by, &text[len..]].concat(),
            None => text.to_vec(),
        },
        Place::End => {
            let kept = pattern::trim(text, pattern, pattern::End::Tail, true);
            if kept.len() == text.len() && !pattern::matches(pattern, b"") {
                text.to_vec()
            } else {
                [kept, by].concat()
            }
        }
        Place::First | Place::All => {
            let mut out = Bytes::new();
            let mut from = 0;
            // Without a `*`, whole-text work per position is cheap; with one, the longest match ends the search soon.
            while let Some((start, end)) = pattern::find(text, pattern, from) {
                out.extend_from_slice(&text[from..start]);
                out.extend_from_slice(by);
                from = end;
                if place == Place::First {
                    break;
                }
            }
            out.extend_from_slice(&text[from..]);
            out
        }
    }
}

/// `text` with characters that match `pattern` (empty: any) in another case, the first or all.
pub(super) fn case(text: &[u8], upper: bool, all: bool, pattern: &[u8]) -> Bytes {
    let mut out = Bytes::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let char = &text[at..at + text::char_len(&text[at..])];
        let changes = (at == 0 || all) && (pattern.is_empty() || pattern::matches(pattern, char));
        match std::str::from_utf8(char) {
            Ok(char) if changes && upper => out.extend(char.to_uppercase().bytes()),
            Ok(char) if changes => out.extend(char.to_lowercase().bytes()),
            _ => out.extend_from_slice(char),
        }
        at += char.len();
    }
    out
}

/// The part from `offset` on, at most `length` long; below zero both count from the end. `None`: the end is before the start.
pub(super) fn bounds(len: usize, offset: i64, length: Option<i64>) -> Option<(usize, usize)> {
    let len = i64::try_from(len).ok()?;
    let start = if offset < 0 {
        len.checked_add(offset)?
    } else {
        offset
    };
    if start < 0 || start > len {
        return Some((0, 0));
    }
    let end = match length {
        None => len,
        Some(length) if length < 0 => len.checked_add(length).filter(|&end| end >= start)?,
        Some(length) => start.saturating_add(length).min(len),
    };
    Some((usize::try_from(start).ok()?, usize::try_from(end).ok()?))
}

/// `${x@Q}` and its kin.
pub(super) fn letter(text: &[u8], letter: u8) -> Bytes {
    match letter {
        b'Q' => text::quoted(text),
        b'U' => case(text, true, true, b""),
        b'u' => case(text, true, false, b""),
        b'L' => case(text, false, true, b""),
        b'E' => escape::ansi(text),
        _ => text.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_finds_first_all_start_and_end() {
        assert_eq!(replace(b"a.b.c", b".", b"-", Place::First), b"a-b.c");
        assert_eq!(replace(b"a.b.c", b".", b"", Place::All), b"abc");
        assert_eq!(replace(b"aab", b"a", b"x", Place::Start), b"xab");
        assert_eq!(replace(b"baa", b"a", b"x", Place::End), b"bax");
        assert_eq!(replace(b"abc", b"z", b"x", Place::End), b"abc");
        assert_eq!(replace(b"abc", b"*", b"x", Place::All), b"x");
    }

    #[test]
    fn slices_count_from_both_ends() {
        assert_eq!(bounds(5, 1, Some(2)), Some((1, 3)));
        assert_eq!(bounds(5, -2, None), Some((3, 5)));
        assert_eq!(bounds(5, 1, Some(-1)), Some((1, 4)));
        assert_eq!(bounds(5, 4, Some(-3)), None);
        assert_eq!(bounds(5, 9, None), Some((0, 0)));
        assert_eq!(bounds(5, 0, Some(i64::MAX)), Some((0, 5)));
    }

    #[test]
    fn case_changes_the_first_or_all() {
        assert_eq!(case("éa".as_bytes(), true, false, b""), "Éa".as_bytes());
        assert_eq!(case(b"abc", true, true, b"[ac]"), b"AbC");
    }
}
