//! `sub`, `gsub`, `gensub`.

use crate::regex::Pattern;

/// What a match is replaced by: pieces of text, and groups (0: the whole match).
pub enum Piece {
    Text(Vec<u8>),
    Group(usize),
}

/// Understands a replacement: `&` is the match, `\&` is `&`; with `groups` also `\1` to `\9` and `\0`.
pub fn pieces(replacement: &[u8], groups: bool) -> Vec<Piece> {
    let mut found = Vec::new();
    let mut text = Vec::new();
    let mut group = |text: &mut Vec<u8>, number: usize| {
        if !text.is_empty() {
            found.push(Piece::Text(std::mem::take(text)));
        }
        found.push(Piece::Group(number));
    };
    let mut at = 0;
    while at < replacement.len() {
        let next = replacement.get(at + 1).copied();
        match (replacement[at], next) {
            (b'\\', Some(digit @ b'0'..=b'9')) if groups => {
                group(&mut text, usize::from(digit - b'0'));
                at += 1;
            }
            (b'\\', Some(plain @ (b'&' | b'\\'))) => {
                text.push(plain);
                at += 1;
            }
            (b'&', _) => group(&mut text, 0),
            (byte, _) => text.push(byte),
        }
        at += 1;
    }
    if !text.is_empty() {
        found.push(Piece::Text(text));
    }
    found
}

/// Which matches are replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    All,
    /// From 1.
    Only(usize),
}

/// `text` with matches of `pattern` replaced, and how many were.
pub fn replace(text: &[u8], pattern: &Pattern, with: &[Piece], which: Which) -> (Vec<u8>, usize) {
    let mut out = Vec::new();
    let needs_groups = with.iter().any(|piece| matches!(piece, Piece::Group(1..)));
    let (mut from, mut copied, mut seen, mut count) = (0, 0, 0, 0);
    // Right behind a match there is no empty one.
    let mut last_end = None;
    while from <= text.len() {
        let Some((start, end)) = pattern.find_at(text, from) else {
            break;
        };
        if start == end && last_end == Some(start) {
            from = next_letter(text, from);
            continue;
        }
        seen += 1;
        if which == Which::All || which == Which::Only(seen) {
            out.extend_from_slice(&text[copied..start]);
            let groups = if needs_groups {
                pattern.groups_at(text, start).unwrap_or_default()
            } else {
                Vec::new()
            };
            for piece in with {
                match piece {
                    Piece::Text(piece) => out.extend_from_slice(piece),
                    Piece::Group(0) => out.extend_from_slice(&text[start..end]),
                    Piece::Group(number) => {
                        if let Some(&Some((start, end))) = groups.get(*number) {
                            out.extend_from_slice(&text[start..end]);
                        }
                    }
                }
            }
            copied = end;
            count += 1;
            if which != Which::All {
                break;
            }
        }
        last_end = Some(end);
        from = if end > start {
            end
        } else {
            next_letter(text, end)
        };
    }
    out.extend_from_slice(&text[copied..]);
    (out, count)
}

fn next_letter(text: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while text.get(next).is_some_and(|byte| byte & 0xc0 == 0x80) {
        next += 1;
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regex::{Flags, Syntax};

    fn all(text: &str, pattern: &str, with: &str) -> String {
        let pattern = Pattern::posix(pattern, Syntax::Awk, Flags::default()).unwrap();
        String::from_utf8(
            replace(
                text.as_bytes(),
                &pattern,
                &pieces(with.as_bytes(), true),
                Which::All,
            )
            .0,
        )
        .unwrap()
    }

    #[test]
    fn matches_are_replaced() {
        assert_eq!(all("hello", "l", "[&]"), "he[l][l]o");
        assert_eq!(all("hello", "l", "\\&"), "he&&o");
        assert_eq!(all("abc", "x*", "-"), "-a-b-c-");
        assert_eq!(all("axxb", "x*", "-"), "-a-b-");
        assert_eq!(all("ab", "(a)(b)", "\\2\\1"), "ba");
        assert_eq!(all("", "^", "x"), "x");
        assert_eq!(all("é", "x*", "-"), "-é-");
    }
}
